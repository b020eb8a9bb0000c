/** A customer is forgotten: afterwards the data are nowhere, and the books say what they said. */
import { randomUUID } from 'node:crypto';
import { createRedis } from '../../src/redis/client';
import { createLogger } from '../../src/observability/logger';
import { loadConfig } from '../../src/config/config';
import { createSecretBox } from '../../src/stores/secret-box';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';
import { PaymentClient, paymentOf, PAYMENT_SETTINGS } from './payment-client';

const DATUM = randomUUID();
const EMAIL = `Guest-${DATUM}@example.com`;
/** The merchant's own: what comes after the erasure must get there too. */
const NOTIFY_URL = `https://shop.example.com/hook?site=${randomUUID()}`;
const personal = {
  customer_email: EMAIL,
  description: `room of ${DATUM}`,
  metadata: { guest: DATUM },
  notify_url: NOTIFY_URL,
};

let system: System;
let client: MerchantClient;
let payments: PaymentClient;

beforeAll(async () => {
  const environment = { ...PAYMENT_SETTINGS, WEBHOOK_ALLOWED_CIDRS: '0.0.0.0/0' };
  system = await startSystem({ environment });
  client = system.client();
  payments = new PaymentClient(client, system.sandbox.url);
}, 60_000);
afterAll(() => system?.stop());

interface Erased {
  readonly objects: { kind: string; number: string }[];
  readonly refunds: number;
  readonly event_bodies: number;
  readonly stored_answers: number;
  readonly undelivered: number;
  readonly is_complete: boolean;
}

const erase = (body: object, merchantId = system.merchant.merchantId) =>
  system.admin<Erased>(`merchants/${merchantId}/erase-customer`, { body });

/** Rows of every table, sealed columns opened. @returns tables in which the datum stands */
async function placesOf(datum: string): Promise<string[]> {
  const box = createSecretBox(String(system.environment['HOLDFAST_ENCRYPTION_KEYS']));
  const tables = await system.rows<{ name: string }>(
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const places: string[] = [];
  for (const { name } of tables) {
    const rows = await system.rows<{ row: Record<string, unknown> }>(
      `SELECT to_jsonb(t) AS row FROM ${name} t`,
    );
    const texts = rows.flatMap(({ row }) =>
      Object.entries(row).map(([column, value]) => {
        const isSealed = column.endsWith('_sealed') && typeof value === 'string';
        return isSealed ? open(box, `${name}.${column}`, value) : JSON.stringify(value);
      }),
    );
    if (texts.some((text) => text.toLowerCase().includes(datum.toLowerCase()))) places.push(name);
  }
  return places.sort();
}

const PURPOSES: Readonly<Record<string, string>> = {
  'channel_events.body_sealed': 'channel_events.body',
  'idempotency_records.response_sealed': 'idempotency_records.response',
};

function open(box: ReturnType<typeof createSecretBox>, column: string, sealed: string): string {
  const purpose = PURPOSES[column];
  return purpose === undefined ? '' : box.open(sealed, purpose);
}

async function redisText(): Promise<string> {
  const redis = createRedis(loadConfig(system.environment), createLogger('test', 'silent'));
  await redis.connect().catch(() => undefined);
  const found: unknown[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    found.push(key);
    if (type === 'string') found.push(await redis.getBuffer(key).then((value) => value?.toString('latin1')));
    if (type === 'hash') found.push(await redis.hgetall(key));
    if (type === 'list') found.push(await redis.lrange(key, 0, -1));
    if (type === 'zset') found.push(await redis.zrange(key, '0', '-1'));
  }
  redis.disconnect();
  return JSON.stringify(found);
}

const bookRows = () =>
  Promise.all(
    [
      `SELECT payment_no, order_no, amount, amount_paid, refund_reserved, status, version, closed_at, channel_payment_no FROM payments ORDER BY 1`,
      `SELECT pre_auth_no, order_no, amount, amount_captured, status, version, closed_at FROM pre_auths ORDER BY 1`,
      `SELECT refund_no, amount, status, version, closed_at FROM refunds ORDER BY 1`,
      `SELECT object_no, sequence, type, status FROM payment_events ORDER BY id`,
      `SELECT object_no, operation, n, amount, state, idempotency_key FROM channel_calls ORDER BY id`,
      `SELECT event_id, type, state FROM channel_events ORDER BY id`,
      `SELECT order_no, state FROM order_claims ORDER BY 1`,
    ].map((text) => system.rows(text)),
  );

test('a customer whose hold is open is kept, and the answer names what is open', async () => {
  const email = `open-${randomUUID()}@example.com`;
  const { data: hold } = await client.create(holdOf({ customer_email: email }));
  const reply = await erase({ customer_email: email });
  expect(reply).toMatchObject({ status: 409, code: 'CUSTOMER_DATA_IN_USE' });
  expect(JSON.stringify(reply)).toContain(hold.pre_auth_no);
  expect(await placesOf(email)).toContain('pre_auths');
  await client.cancel(hold.pre_auth_no);
  await client.waitFor(hold.pre_auth_no, 'canceled');
  expect((await erase({ customer_email: email })).data.objects).toEqual([
    { kind: 'pre_auth', number: hold.pre_auth_no },
  ]);
  expect(await placesOf(email)).not.toContain('pre_auths');
});

test('one who has paid, held and been refunded is forgotten everywhere, and the books stay', async () => {
  const key = randomUUID();
  const { data: payment } = await payments.create(paymentOf(personal), key);
  await payments.pay(payment);
  await payments.waitFor(payment.payment_no, 'success');
  const holdKey = randomUUID();
  const held = holdOf(personal);
  const { data: hold } = await client.create(held, holdKey);
  await client.confirm(system.sandbox.url, hold);
  expect((await client.capture(hold.pre_auth_no)).status).toBe(200);
  const refund = await client.call<{ refund_no: string }>(`/api/v1/payments/${payment.payment_no}/refunds`, {
    json: { amount: 100, reason: `asked by ${DATUM}` },
    key: randomUUID(),
  });
  expect(refund.status).toBe(201);
  await eventually(
    'the refund is done, and every event processed',
    () =>
      system.rows(
        `SELECT 1 FROM refunds WHERE closed_at IS NULL UNION ALL SELECT 1 FROM channel_events WHERE state = 'stored'`,
      ),
    (rows) => rows.length === 0,
  );
  for (const table of ['payments', 'pre_auths'])
    await system.db.query(`UPDATE ${table} SET return_url = $1 WHERE customer_email IS NOT NULL`, [
      `https://shop.example.com/${DATUM}`,
    ]);
  // What a receiver answers may be anything.
  await system.db.query(`UPDATE webhook_notifications SET response = $1`, [`thanks, ${DATUM}`]);
  const isDelivered = `status = 'success', succeeded_at = now()`;
  await system.db.query(`UPDATE webhook_notifications SET ${isDelivered} WHERE payment_no <> $1`, [
    hold.pre_auth_no,
  ]);
  const before = await placesOf(DATUM);
  expect(before).toEqual(
    expect.arrayContaining([
      'idempotency_records',
      'payments',
      'pre_auths',
      'refunds',
      'webhook_notifications',
    ]),
  );
  const books = await bookRows();

  const reply = await erase({ customer_email: EMAIL.toUpperCase() });
  expect(reply).toMatchObject({ status: 200, data: { refunds: 1, is_complete: true } });
  expect(reply.data.objects).toHaveLength(2);
  expect(reply.data.event_bodies).toBeGreaterThan(0);
  expect(reply.data.stored_answers).toBeGreaterThanOrEqual(3);
  // What is still to be delivered needs its address.
  expect(reply.data.undelivered).toBeGreaterThan(0);
  expect(await placesOf(DATUM)).toEqual([]);
  expect(await placesOf(NOTIFY_URL)).toContain('webhook_notifications');
  await system.db.query(`UPDATE webhook_notifications SET ${isDelivered} WHERE status <> 'success'`);
  expect((await erase({ pre_auth_no: hold.pre_auth_no })).data).toMatchObject({ undelivered: 0 });
  expect(await placesOf(NOTIFY_URL)).toEqual(['payments', 'pre_auths', 'refunds']);
  expect(await redisText()).not.toContain(DATUM);
  expect(await bookRows()).toEqual(books);

  const again = await payments.create(paymentOf({ ...personal, order_no: payment.order_no }), key);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.data).toMatchObject({ payment_no: payment.payment_no, amount: payment.amount });
  expect(JSON.stringify(again.data)).not.toContain(DATUM);
  expect((await payments.get(payment.payment_no)).data).toMatchObject({
    status: 'success',
    amount_paid: 50_000,
  });
  expect((await erase({ customer_email: EMAIL })).data).toMatchObject({ objects: [], is_complete: true });
});

test('what comes after it, or is sent again, still goes to the whole notify_url', async () => {
  const payment = await payments.open({ notify_url: NOTIFY_URL });
  await payments.pay(payment);
  const { payment_no: no } = await payments.waitFor(payment.payment_no, 'success');
  const addresses = 'SELECT DISTINCT status, url FROM webhook_notifications WHERE payment_no = $1';
  const isGivenUp = `status = 'failed', failed_at = now()`;
  await system.db.query(`UPDATE webhook_notifications SET ${isGivenUp} WHERE payment_no = $1`, [no]);
  expect((await erase({ payment_no: no })).status).toBe(200);
  expect(await system.rows(addresses, [no])).toEqual([{ status: 'failed', url: NOTIFY_URL }]);
  const path = `/api/v1/payments/${no}/refunds`;
  const refund = await client.call<{ refund_no: string }>(path, { json: { amount: 200 } });
  expect(refund.status).toBe(201);
  const told = await eventually(
    'its end is told',
    () => system.rows<{ url: string }>(`${addresses} AND event LIKE 'refund.%'`, [no]),
    ({ length }) => length > 0,
  );
  expect(told.map(({ url }) => url)).toEqual([NOTIFY_URL]);
});

test('by a number, again and again, and only of this merchant', async () => {
  const { data: hold } = await client.create(holdOf({ description: `mine ${DATUM}` }));
  await client.cancel(hold.pre_auth_no);
  await client.waitFor(hold.pre_auth_no, 'canceled');
  const other = await system.createMerchant('Another Hotel');
  const body = { pre_auth_no: hold.pre_auth_no };
  expect(await erase(body, other.merchantId)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  expect(await placesOf(`mine ${DATUM}`)).toContain('pre_auths');
  for (let i = 0; i < 2; i += 1) expect((await erase(body)).data.objects).toHaveLength(1);
  expect(await placesOf(`mine ${DATUM}`)).toEqual([]);
  const { data: byOrder } = await erase({ order_no: hold.order_no });
  expect(byOrder.objects).toEqual([{ kind: 'pre_auth', number: hold.pre_auth_no }]);
});

test.each([
  {},
  { customer_email: 'a@example.com', order_no: 'O-1' },
  { customer_email: 'nobody' },
  { phone: '1' },
])('%j is refused', async (body) => {
  expect(await erase(body)).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
});

test('nobody but an operator may', async () => {
  const path = `/api/v1/admin/merchants/${system.merchant.merchantId}/erase-customer`;
  expect((await client.call(path, { json: { customer_email: EMAIL } })).status).toBe(403);
});

test('every erasure stands in the audit, without the address', async () => {
  const entries = await system.rows<{ text: string }>(
    `SELECT to_jsonb(a)::text AS text FROM admin_audit a WHERE action LIKE '%erase-customer%'`,
  );
  expect(entries.length).toBeGreaterThan(3);
  expect(entries.filter(({ text }) => text.toLowerCase().includes(DATUM))).toEqual([]);
});

test('what has been kept long enough is deleted by the Schedule, and nothing else', async () => {
  const [old] = await system.rows<{ id: number }>(
    `UPDATE channel_events SET received_at = now() - interval '31 days' WHERE id = (SELECT min(id) FROM channel_events) RETURNING id`,
  );
  const [{ count } = { count: 0 }] = await system.rows<{ count: number }>(
    'SELECT count(*)::int FROM channel_events',
  );
  await system.temporal.schedule.getHandle(`retention/${system.taskQueue}`).trigger();
  await eventually(
    'the old event is gone',
    () => system.rows('SELECT 1 FROM channel_events WHERE id = $1', [old?.id]),
    (rows) => rows.length === 0,
  );
  expect(await system.rows('SELECT count(*)::int FROM channel_events')).toEqual([{ count: count - 1 }]);
});
