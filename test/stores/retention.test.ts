/** What is deleted when its time is over, in batches on real rows, and what stays. */
import { randomUUID } from 'node:crypto';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { deleteGivenUp, deleteOldChannelEvents } from '../../src/stores/retention';
import { createSecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const DAY = 86_400;
let database: TestDatabase;
let db: Database;
let merchantId: string;
const accountId = randomUUID();

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  merchantId = (await createMerchant(db, box, 'Retention')).live.id;
  await db.query(
    `INSERT INTO channel_accounts (id, world, channel, name, credentials_sealed) VALUES ($1, 'live', 'stripe', 'One', 'x')`,
    [accountId],
  );
});
afterAll(async () => {
  await db?.end();
  await database?.drop();
});

const untilNone = async (work: () => Promise<number>): Promise<number[]> => {
  const batches = [];
  for (let done = await work(); done > 0; done = await work()) batches.push(done);
  return batches;
};

test('events of channels: the old ones in batches, but for those that wait', async () => {
  const insert = (days: number, state: string) =>
    db.query(
      `INSERT INTO channel_events (channel_account_id, event_id, type, body_sealed, state, received_at)
       VALUES ($1, $2, 't', 'x', $3, now() - make_interval(days => $4))`,
      [accountId, `${state}-${days}-${randomUUID()}`, state, days],
    );
  for (let i = 0; i < 5; i += 1) await insert(40, 'processed');
  await insert(40, 'unmatched');
  await insert(40, 'stored');
  await insert(29, 'processed');
  await insert(31, 'processed');
  const batches = await untilNone(() => deleteOldChannelEvents(db, 30 * DAY, 3));
  expect(batches).toEqual([3, 3, 1]);
  const { rows } = await db.query<{ id: string }>(
    `SELECT split_part(event_id, '-', 1) || '-' || split_part(event_id, '-', 2) AS id FROM channel_events ORDER BY id`,
  );
  expect(rows.map(({ id }) => id)).toEqual(['processed-29', 'stored-40']);
});

test('given-up notifications of many endpoints, with their attempts; what is delivered or new stays', async () => {
  const kept: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    const endpointId = randomUUID();
    await db.query(
      `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', $3)`,
      [endpointId, merchantId, `https://shop${i}.example/hooks`],
    );
    const insert = async (madeDays: number, change: string) => {
      const id = randomUUID();
      await db.query(
        `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts, created_at)
         VALUES ($1, $2, $3, $4, 'PA-1', 'pre_auth.captured', 'https://a.example', '{}', '{}', 6, now() - make_interval(days => $5))`,
        [id, randomUUID(), endpointId, merchantId, madeDays],
      );
      await db.query(`UPDATE webhook_notifications SET ${change} WHERE id = $1`, [id]);
      await db.query(
        `INSERT INTO webhook_attempts (notification_id, attempt, kind, url, started_at, duration_ms) VALUES ($1, 1, 'first', 'https://a.example', now(), 5)`,
        [id],
      );
      return id;
    };
    for (let n = 0; n < 3; n += 1)
      await insert(200, `status = 'failed', failed_at = now() - interval '190 days'`);
    kept.push(
      await insert(200, `status = 'failed', failed_at = now() - interval '170 days'`),
      await insert(200, `status = 'retrying'`),
      await insert(10, `status = 'failed', failed_at = now() - interval '9 days'`),
    );
  }
  const batches = await untilNone(() => deleteGivenUp(db, 180 * DAY, 4));
  expect(batches).toEqual([4, 4, 1]);
  const { rows } = await db.query<{ id: string }>('SELECT id FROM webhook_notifications');
  expect(rows.map(({ id }) => id).sort()).toEqual(kept.sort());
  const attempts = await db.query('SELECT DISTINCT notification_id FROM webhook_attempts');
  expect(attempts.rowCount).toBe(kept.length);
});
