/** A server that is away for a while: what can be promised is promised, what cannot is refused, nothing is half done. */
import { randomUUID } from 'node:crypto';
import { eventually } from '../e2e/harness';
import { checkBooks } from './check-books';
import { InsistentMerchant } from './insistent-merchant';
import { startVictims } from './victims';
import type { Victims } from './victims';

const AMOUNT = 20_000;
const TEST_TIMEOUT_MS = 120_000;
const WITHIN_MS = 60_000;
const CAPTURED = { status: 200, data: { status: 'succeeded', amount: AMOUNT, amount_captured: AMOUNT } };

let victims: Victims;
let merchant: InsistentMerchant;

beforeAll(async () => {
  victims = await startVictims();
  merchant = new InsistentMerchant(victims);
}, 180_000);
afterAll(() => victims?.stop(), 30_000);
afterEach(async () => {
  expect(victims.deaths).toEqual([]);
  const books = await victims.sandbox.books();
  const { accepted, confirmed, told } = merchant;
  const evidence = { ...(await victims.records()), books, accepted: [...accepted], confirmed, told };
  expect(checkBooks(evidence)).toEqual([]);
});

async function readiness(): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${victims.apiUrl}/readyz`);
  return { status: response.status, body: await response.json() };
}

it(
  'accepts a hold while Temporal is away, and makes it when Temporal is back',
  async () => {
    const wanted = merchant.hold();
    const no = String(wanted['pre_auth_no']);
    const key = randomUUID();
    await victims.stack.temporal.kill();
    const accepted = await merchant.client.create(wanted, key);
    expect(accepted).toMatchObject({ status: 202, data: { pre_auth_no: no, status: 'processing' } });
    expect(accepted.headers.get('location')).toBe(`/api/v1/pre-auth/${no}`);
    merchant.accepted.add(no);
    expect(await readiness()).toMatchObject({ status: 200, body: { degraded: ['temporal'] } });
    await victims.bringUp(victims.stack.temporal);
    await merchant.client.waitUntil(no, ['requires_payment_method'], WITHIN_MS);
    expect(await merchant.client.create(wanted, key)).toMatchObject({
      status: 201,
      data: { pre_auth_no: no },
    });
  },
  TEST_TIMEOUT_MS,
);

it(
  'takes a capture while the worker is away, and makes it once when the worker is back',
  async () => {
    const { pre_auth_no: no } = await merchant.createHeld();
    const key = randomUUID();
    await victims.worker.kill();
    const accepted = await merchant.client.capture(no, { amount: AMOUNT }, key);
    expect(accepted).toMatchObject({ status: 202, data: { status: 'requires_capture' } });
    expect(accepted.headers.get('location')).toBe(`/api/v1/pre-auth/${no}`);
    await victims.bringUp(victims.worker);
    await merchant.client.waitUntil(no, ['succeeded'], WITHIN_MS);
    expect(await merchant.capture(no, { amount: AMOUNT }, key)).toMatchObject(CAPTURED);
    expect(await victims.carriedOut(no, 'capture')).toBe(1);
  },
  TEST_TIMEOUT_MS,
);

it(
  'refuses for the time being while PostgreSQL is away, and writes nothing of what it refused',
  async () => {
    const { pre_auth_no: no } = await merchant.createHeld();
    const wanted = merchant.hold();
    const newNo = String(wanted['pre_auth_no']);
    const [createKey, captureKey] = [randomUUID(), randomUUID()];
    await victims.stack.postgres.kill();
    const refused = { status: 503, code: 'TEMPORARILY_UNAVAILABLE' };
    const [created, captured, read] = await Promise.all([
      merchant.client.create(wanted, createKey),
      merchant.client.capture(no, { amount: AMOUNT }, captureKey),
      merchant.client.get(no),
    ]);
    expect([created, captured, read]).toMatchObject([refused, refused, refused]);
    expect(created.headers.get('retry-after')).toBe('1');
    expect(await readiness()).toMatchObject({ status: 503, body: { status: 'unavailable' } });
    await victims.bringUp(victims.stack.postgres);
    expect(await traces(newNo, String(wanted.order_no))).toEqual([]);
    expect((await merchant.client.get(no)).data).toMatchObject({
      status: 'requires_capture',
      amount_captured: 0,
    });
    // The same requests again, as the answer said.
    expect(await merchant.client.create(wanted, createKey)).toMatchObject({ status: 201 });
    expect(await merchant.capture(no, { amount: AMOUNT }, captureKey)).toMatchObject(CAPTURED);
    expect(await readiness()).toMatchObject({ status: 200, body: { status: 'ok' } });
  },
  TEST_TIMEOUT_MS,
);

it(
  'outlives the death of PostgreSQL in the middle of a transaction',
  async () => {
    const { pre_auth_no: no } = await merchant.createHeld();
    const wanted = merchant.hold();
    const blocker = await victims.db.connect();
    blocker.on('error', () => undefined);
    // Both transactions get their first rows and then wait for a lock of ours.
    await blocker.query('BEGIN');
    await blocker.query('SELECT 1 FROM pre_auths WHERE pre_auth_no = $1 FOR UPDATE', [no]);
    await blocker.query(
      `INSERT INTO order_claims (merchant_id, order_no, kind, number, state) VALUES ($1, $2, 'pre_auth', 'x', 'live')`,
      [victims.merchant.merchantId, wanted.order_no],
    );
    const creating = merchant.create(wanted);
    const capturing = merchant.capture(no, { amount: AMOUNT });
    await eventually(
      'both wait in a transaction',
      async () =>
        (await victims.rows('SELECT 1 FROM pg_stat_activity WHERE wait_event_type = $1', ['Lock'])).length,
      (waiting) => waiting >= 2,
    );
    await victims.stack.postgres.kill();
    await victims.bringUp(victims.stack.postgres);
    blocker.release(true);
    expect(await creating).toMatchObject({ order_no: wanted.order_no, status: 'requires_payment_method' });
    expect(await capturing).toMatchObject(CAPTURED);
  },
  TEST_TIMEOUT_MS,
);

/** Tables that know a hold of this number, or its order. */
async function traces(no: string, orderNo: string): Promise<string[]> {
  const found = await victims.rows<{ name: string }>(
    `SELECT 'pre_auths' AS name FROM pre_auths WHERE pre_auth_no = $1
     UNION ALL SELECT 'channel_calls' FROM channel_calls WHERE object_no = $1
     UNION ALL SELECT 'order_claims' FROM order_claims WHERE order_no = $2
     UNION ALL SELECT 'routing_decisions' FROM routing_decisions WHERE number = $1
     UNION ALL SELECT 'idempotency_records' FROM idempotency_records WHERE number = $1`,
    [no, orderNo],
  );
  return found.map(({ name }) => name);
}

it(
  'works without Redis, and says that it is degraded',
  async () => {
    await victims.stack.redis.kill();
    const { pre_auth_no: no } = await merchant.createHeld();
    expect(await merchant.capture(no, { amount: AMOUNT })).toMatchObject(CAPTURED);
    expect(await readiness()).toMatchObject({
      status: 200,
      body: { status: 'degraded', degraded: ['redis'], checks: { redis: 'down', postgres: 'up' } },
    });
    await victims.bringUp(victims.stack.redis);
    await eventually(
      'Redis is back',
      readiness,
      ({ body }) => (body as { status: string }).status === 'ok',
      WITHIN_MS,
    );
  },
  TEST_TIMEOUT_MS,
);
