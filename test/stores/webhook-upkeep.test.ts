/** The statements of the sweep and of an operator's give_up, on real rows: what they take, and what they leave alone. */
import { randomUUID } from 'node:crypto';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase, withTransaction } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import { failDisabledTooLong, giveUpNotification } from '../../src/stores/webhook-endings';
import {
  deleteDeadLeases,
  deleteDeletedEndpoints,
  deleteDelivered,
  findOverdueRetries,
} from '../../src/stores/webhook-upkeep';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const DAY_SECONDS = 86_400;

let database: TestDatabase;
let db: Database;
let merchantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  merchantId = (await createMerchant(db, box, 'Upkeep')).live.id;
});
afterAll(async () => {
  await db?.end();
  await database?.drop();
});
beforeEach(() =>
  db.query('TRUNCATE webhook_leases, webhook_attempts, webhook_notifications, webhook_endpoints'),
);

/** @param change columns as SQL, e.g. `gated_at = now()` */
async function endpoint(change?: string, url = 'https://shop.example:8443/hooks?token=1'): Promise<string> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', $3)`,
    [id, merchantId, url],
  );
  if (change !== undefined) await db.query(`UPDATE webhook_endpoints SET ${change} WHERE id = $1`, [id]);
  return id;
}

async function notification(endpointId: string, change?: string): Promise<string> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts)
     VALUES ($1, $2, $3, $4, 'PA-1', 'pre_auth.captured', 'https://row.example/hooks', '{}', '{}', 6)`,
    [id, randomUUID(), endpointId, merchantId],
  );
  if (change !== undefined) await db.query(`UPDATE webhook_notifications SET ${change} WHERE id = $1`, [id]);
  return id;
}

async function lease(notificationId: string, endpointId: string, untilSql: string): Promise<void> {
  await db.query(
    `INSERT INTO webhook_leases (notification_id, endpoint_id, token, tried, until)
     VALUES ($1, $2, gen_random_uuid(), true, ${untilSql})`,
    [notificationId, endpointId],
  );
}

async function rowOf(id: string): Promise<{ status: string; error: string | null } | undefined> {
  const { rows } = await db.query<{ status: string; error: string | null }>(
    'SELECT status, error FROM webhook_notifications WHERE id = $1',
    [id],
  );
  return rows[0];
}

const idsIn = async (table: string, column: string) =>
  (await db.query<{ id: string }>(`SELECT ${column} AS id FROM ${table}`)).rows.map(({ id }) => id);

const retryingSince = (seconds: number) =>
  `status = 'retrying', attempts = 2, next_retry_at = now() - interval '${seconds} s'`;

test('overdue retries: the oldest first, and none of those that wait for a reason', async () => {
  const open = await endpoint();
  const younger = await notification(open, retryingSince(90));
  const oldest = await notification(open, retryingSince(900));
  await notification(open, retryingSince(30));
  await notification(open, `next_retry_at = now() - interval '1 h'`);
  const sending = await notification(open, retryingSince(900));
  await lease(sending, open, `now() + interval '10 s'`);
  const forgotten = await notification(open, retryingSince(300));
  await lease(forgotten, open, `now() - interval '1 s'`);
  for (const state of [
    'gated_at = now(), next_probe_at = now()',
    `enabled = false, disabled_at = now(), disabled_reason = 'MERCHANT'`,
    'deleted_at = now()',
  ]) {
    await notification(await endpoint(state), retryingSince(900));
  }
  const found = await findOverdueRetries(db, 60, 10);
  expect(found.map(({ notificationId }) => notificationId)).toEqual([oldest, forgotten, younger]);
  expect(found[0]).toMatchObject({ endpointHost: 'shop.example:8443', attempts: 2, maxAttempts: 6 });
  expect(await findOverdueRetries(db, 60, 1)).toHaveLength(1);
});

test.each(['pending', 'retrying'])(
  'an operator gives up a %s row once; the reason is kept',
  async (status) => {
    const id = await notification(await endpoint(), `status = '${status}', attempts = 3, status_code = 503`);
    const first = await giveUpNotification(db, id, `closed\u0000${'x'.repeat(300)}`);
    expect(first).toMatchObject({ status: 'failed', givenUp: { attempts: 3, statusCode: 503 } });
    expect(first?.givenUp?.error).toMatch(/^GIVEN_UP_BY_OPERATOR: closed x+$/);
    expect(first?.givenUp?.error).toHaveLength(200);
    const again = await giveUpNotification(db, id, 'another reason');
    expect(again?.givenUp?.error).toBe(first?.givenUp?.error);
    const words = await db.query('SELECT via, actor, action, after FROM admin_audit WHERE entity_id = $1', [
      id,
    ]);
    const word = {
      via: 'temporal',
      actor: 'temporal',
      action: 'signal.give_up',
      after: { status: 'failed' },
    };
    expect(words.rows).toEqual([word]);
  },
);

test('what has ended is not given up, and what is gone is nothing', async () => {
  const endpointId = await endpoint();
  const delivered = await notification(endpointId, `status = 'success', succeeded_at = now()`);
  const failed = await notification(endpointId, `status = 'failed', failed_at = now(), error = 'TIMEOUT'`);
  expect(await giveUpNotification(db, delivered, '')).toEqual({ status: 'success', givenUp: null });
  expect(await giveUpNotification(db, failed, '')).toEqual({ status: 'failed', givenUp: null });
  expect(await giveUpNotification(db, randomUUID(), '')).toBeUndefined();
});

test('disabled too long: counted from the later of creation and disabling', async () => {
  const ago = (days: number) => `now() - interval '${days} d'`;
  const disabled = (days: number) =>
    `enabled = false, disabled_at = ${ago(days)}, disabled_reason = 'MERCHANT'`;
  const long = await endpoint(disabled(31));
  const old = await notification(long, `created_at = ${ago(40)}`);
  const inRetry = await notification(long, `created_at = ${ago(32)}, status = 'retrying'`);
  const young = await notification(long, `created_at = ${ago(29)}`);
  const lately = await notification(await endpoint(disabled(29)), `created_at = ${ago(40)}`);
  const enabled = await notification(await endpoint(), `created_at = ${ago(40)}`);
  const first = await failDisabledTooLong(db, 30 * DAY_SECONDS, 1);
  expect(first.failed).toMatchObject([{ notificationId: old, error: 'DISABLED_TOO_LONG', attempts: 0 }]);
  const second = await failDisabledTooLong(db, 30 * DAY_SECONDS, 1_000);
  expect(second.failed).toMatchObject([{ notificationId: inRetry, merchantId, paymentNo: 'PA-1' }]);
  expect([first.retryingIds, second.retryingIds]).toEqual([[], [inRetry]]);
  expect(await failDisabledTooLong(db, 30 * DAY_SECONDS, 1_000)).toEqual({ failed: [], retryingIds: [] });
  for (const id of [old, inRetry]) {
    expect(await rowOf(id)).toEqual({ status: 'failed', error: 'DISABLED_TOO_LONG' });
  }
  for (const id of [young, lately, enabled]) expect((await rowOf(id))?.status).toBe('pending');
});

test('an endpoint that somebody holds is passed over, not waited for', async () => {
  const id = await endpoint(
    `enabled = false, disabled_at = now() - interval '31 d', disabled_reason = 'GONE'`,
  );
  await notification(id, `created_at = now() - interval '31 d'`);
  await withTransaction(db, async (tx) => {
    await tx.query('SELECT 1 FROM webhook_endpoints WHERE id = $1 FOR UPDATE', [id]);
    expect((await failDisabledTooLong(db, 30 * DAY_SECONDS, 10)).failed).toEqual([]);
  });
  expect((await failDisabledTooLong(db, 30 * DAY_SECONDS, 10)).failed).toHaveLength(1);
});

test('retention takes delivered ones with their attempts, in batches, and nothing else', async () => {
  const endpointId = await endpoint();
  const succeeded = (days: number) =>
    `status = 'success', succeeded_at = now() - interval '${days} d', created_at = now() - interval '60 d'`;
  const old = [await notification(endpointId, succeeded(31)), await notification(endpointId, succeeded(40))];
  const kept = [
    await notification(endpointId, succeeded(29)),
    await notification(
      endpointId,
      `status = 'failed', failed_at = now() - interval '60 d', created_at = now() - interval '60 d'`,
    ),
    await notification(endpointId, `created_at = now() - interval '60 d'`),
  ];
  for (const id of [...old, ...kept]) {
    await db.query(
      `INSERT INTO webhook_attempts (notification_id, attempt, kind, url, started_at, duration_ms)
       VALUES ($1, 1, 'first', 'https://row.example/hooks', now(), 5)`,
      [id],
    );
  }
  expect(await deleteDelivered(db, 30 * DAY_SECONDS, 1)).toBe(1);
  expect(await rowOf(old[1] ?? '')).toBeUndefined();
  expect(await deleteDelivered(db, 30 * DAY_SECONDS, 10)).toBe(1);
  expect(await deleteDelivered(db, 30 * DAY_SECONDS, 10)).toBe(0);
  expect((await idsIn('webhook_notifications', 'id')).sort()).toEqual([...kept].sort());
  expect((await idsIn('webhook_attempts', 'notification_id')).sort()).toEqual([...kept].sort());
});

test('an endpoint that was deleted long ago goes when nothing refers to it any more, in batches', async () => {
  const deleted = (days: number) => `deleted_at = now() - interval '${days} d'`;
  const gone = [await endpoint(deleted(31)), await endpoint(deleted(40))];
  const referred = await endpoint(deleted(40));
  const last = await notification(referred, `status = 'success', succeeded_at = now() - interval '31 d'`);
  const kept = [referred, await endpoint(deleted(29)), await endpoint()];
  expect(await deleteDeletedEndpoints(db, 30 * DAY_SECONDS, 1)).toBe(1);
  expect(await deleteDeletedEndpoints(db, 30 * DAY_SECONDS, 10)).toBe(1);
  expect(await deleteDeletedEndpoints(db, 30 * DAY_SECONDS, 10)).toBe(0);
  expect((await idsIn('webhook_endpoints', 'id')).sort()).toEqual([...kept].sort());
  expect(await idsIn('webhook_endpoints', 'id')).not.toContain(gone[0]);
  await deleteDelivered(db, 30 * DAY_SECONDS, 10);
  expect(await rowOf(last)).toBeUndefined();
  expect(await deleteDeletedEndpoints(db, 30 * DAY_SECONDS, 10)).toBe(1);
});

test('dead leases are deleted', async () => {
  const endpointId = await endpoint();
  await lease(randomUUID(), endpointId, `now() - interval '2 h'`);
  const justOver = randomUUID();
  await lease(justOver, endpointId, `now() - interval '30 min'`);
  const live = randomUUID();
  await lease(live, endpointId, `now() + interval '1 min'`);
  expect(await deleteDeadLeases(db, 3_600, 10)).toBe(1);
  expect((await idsIn('webhook_leases', 'notification_id')).sort()).toEqual([justOver, live].sort());
});
