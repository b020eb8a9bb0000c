/** How the webhooks of all merchants stand: what waits although it could be sent, and what waits on purpose. */
import { randomUUID } from 'node:crypto';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import { readWebhookBacklog } from '../../src/stores/webhook-backlog';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

let database: TestDatabase;
let db: Database;
let merchantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  merchantId = (await createMerchant(db, box, 'Backlog')).live.id;
});
afterAll(async () => {
  await db?.end();
  await database?.drop();
});
beforeEach(() =>
  db.query('TRUNCATE webhook_leases, webhook_attempts, webhook_notifications, webhook_endpoints'),
);

const GATED = 'gated_at = now(), next_probe_at = now()';
const DISABLED = `enabled = false, disabled_at = now(), disabled_reason = 'FAILING'`;
const FRESH = `created_at = now() - interval '70 seconds'`;
const TRIED = `attempts = 1, next_retry_at = now() - interval '50 seconds'`;
const RETRYING = `status = 'retrying', attempts = 1, next_retry_at = now() - interval '90 seconds'`;
const LATER = `status = 'retrying', attempts = 1, next_retry_at = now() + interval '90 seconds'`;

/** @param changes columns as SQL, of one notification each */
async function endpoint(change: string | undefined, changes: readonly string[]): Promise<void> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', 'https://shop.example/')`,
    [id, merchantId],
  );
  if (change !== undefined) await db.query(`UPDATE webhook_endpoints SET ${change} WHERE id = $1`, [id]);
  for (const columns of changes) {
    const notificationId = randomUUID();
    await db.query(
      `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts)
       VALUES ($1, $2, $3, $4, 'PA-1', 'pre_auth.captured', 'https://row.example/hooks', '{}', '{}', 6)`,
      [notificationId, randomUUID(), id, merchantId],
    );
    await db.query(`UPDATE webhook_notifications SET ${columns} WHERE id = $1`, [notificationId]);
  }
}

const read = async () => {
  const { oldestWaitingSeconds, ...rest } = await readWebhookBacklog(db);
  return { ...rest, oldest: Math.round(oldestWaitingSeconds / 10) * 10 };
};

test('nothing waits', async () => {
  expect(await readWebhookBacklog(db)).toEqual({ oldestWaitingSeconds: 0, inRetry: 0, gatedEndpoints: 0 });
});

test.each([
  ['a first attempt', [FRESH], 70, 0],
  ['a second one of the relay', [TRIED], 50, 1],
  ['one of a workflow', [RETRYING], 90, 1],
  ['the oldest of all', [FRESH, TRIED, RETRYING, LATER], 90, 3],
  ['none before its time', [LATER], 0, 1],
  ['none that has ended', [`status = 'success', succeeded_at = now(), ${FRESH}`], 0, 0],
] as const)('waits: %s', async (_, changes, oldest, inRetry) => {
  await endpoint(undefined, changes);
  expect(await read()).toEqual({ oldest, inRetry, gatedEndpoints: 0 });
});

test.each([
  [GATED, 1],
  [DISABLED, 0],
  [`${GATED}, deleted_at = now()`, 0],
] as const)('what waits on purpose does not wait: %s', async (change, gatedEndpoints) => {
  await endpoint(change, [FRESH, TRIED, RETRYING]);
  expect(await read()).toEqual({ oldest: 0, inRetry: 2, gatedEndpoints });
});

test('one endpoint of many', async () => {
  for (let i = 0; i < 20; i += 1)
    await endpoint(i % 2 === 0 ? GATED : undefined, i === 7 ? [TRIED] : [LATER]);
  expect(await read()).toEqual({ oldest: 50, inRetry: 20, gatedEndpoints: 10 });
});
