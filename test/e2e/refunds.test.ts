/** Money given back, in parts and whole, of payments and of captured holds, over the Stripe sandbox. */
import { randomUUID } from 'node:crypto';
import { startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import {
  bookedRefunds,
  expectRefundAgreement,
  KINDS,
  objectRow,
  PAID,
  RefundClient,
  refundEventsOf,
  refundWorkflowId,
} from './refund-client';
import type { PaidObject } from './refund-client';
import { createFoundation } from '../../src/runtime';
import { loadConfig } from '../../src/config/config';
import { createLogger } from '../../src/observability/logger';
import { importRefunds } from '../../src/stores/imported-refunds';
import { withTransaction } from '../../src/stores/postgres';

const AT_ONCE = 20;

let system: System;
let client: RefundClient;

beforeAll(async () => {
  system = await startSystem({ apiCount: 2 });
  client = new RefundClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

async function claimOf({ orderNo }: PaidObject): Promise<unknown> {
  return (await system.rows('SELECT kind, state FROM order_claims WHERE order_no = $1', [orderNo]))[0];
}

const refOf = ({ kind, no }: PaidObject) => ({ merchantId: system.merchant.merchantId, kind, no });

describe.each(KINDS)('of a %s', (kind) => {
  it('gives a part back, then the rest, which frees the order', async () => {
    const object = await client.paid(kind);
    const before = await objectRow(system, object);
    const part = await client.refund(object, { amount: 20_000, reason: 'one night less' });
    expect({ status: part.status, message: part.message }).toEqual({
      status: 201,
      message: 'Refund created',
    });
    expect(part.data).toMatchObject({
      ...{ status: 'success', amount: 20_000, currency: 'USD', channel: 'stripe', reason: 'one night less' },
      ...{ order_no: object.orderNo, [kind === 'payment' ? 'payment_no' : 'pre_auth_no']: object.no },
    });
    expect(part.data.refund_no).toMatch(/^RF\d{14}[a-z]{8}$/);
    expect((await client.get(part.data.refund_no)).data).toEqual(part.data);
    expect(await claimOf(object)).toEqual({ kind, state: 'paid' });
    const rest = await client.refund(object);
    expect(rest).toMatchObject({ status: 201, data: { status: 'success', amount: 30_000 } });
    await expectRefundAgreement(system, object);
    expect(await claimOf(object)).toBeUndefined();
    // The workflow of the payment or hold owns its version.
    expect((await objectRow(system, object)).version).toBe(before.version);
    expect(await client.refund(object)).toMatchObject({
      ...{ status: 422, code: 'REFUND_EXCEEDS_PAID', details: { amount_refundable: 0 } },
    });
    const again = await client.merchant.create(holdOf({ order_no: object.orderNo }));
    expect(again.status).toBe(201);
  });

  it('never gives back more than was taken, however many ask at once', async () => {
    const object = await client.paid(kind);
    const second = new RefundClient(system.client(system.merchant, system.apis[1]), system.sandbox.url);
    const replies = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) =>
        (i % 2 === 0 ? client : second).refund(object, { amount: 4_000 }),
      ),
    );
    const fitting = Math.floor(PAID / 4_000);
    const done = replies.filter(({ status }) => status === 201 || status === 202);
    const refused = replies.filter(({ code }) => code === 'REFUND_EXCEEDS_PAID');
    expect({ done: done.length, refused: refused.length }).toEqual({
      done: fitting,
      refused: AT_ONCE - fitting,
    });
    for (const { data } of done) await client.waitFor(data.refund_no, 'success');
    expect(await bookedRefunds(system, object)).toHaveLength(fitting);
    await expectRefundAgreement(system, object);
    expect(await client.refund(object)).toMatchObject({ status: 201, data: { amount: 2_000 } });
    await expectRefundAgreement(system, object);
  });

  it('lists them newest first, page by page', async () => {
    const object = await client.paid(kind);
    const made: string[] = [];
    for (let i = 0; i < 3; i += 1)
      made.unshift((await client.refund(object, { amount: 100 })).data.refund_no);
    const first = await client.list(object, '?limit=2');
    expect(first.data.items.map(({ refund_no: no }) => no)).toEqual(made.slice(0, 2));
    const second = await client.list(object, `?limit=2&cursor=${first.data.next_cursor}`);
    expect(second.data.items.map(({ refund_no: no }) => no)).toEqual(made.slice(2));
    expect(second.data.next_cursor).toBeNull();
  });
});

it('tells the merchant under the number of the payment', async () => {
  const endpoint = { url: 'https://merchant.example/hooks' };
  expect(await client.merchant.call('/api/v1/webhook-endpoints', { json: endpoint })).toMatchObject({
    status: 201,
  });
  const object = await client.paid('payment');
  const { data } = await client.refund(object, { amount: 1_000 });
  const told = await system.rows<{ payment_no: string; payload: Record<string, unknown> }>(
    `SELECT payment_no, payload FROM webhook_notifications WHERE event = 'refund.success' AND payment_no = $1`,
    [object.no],
  );
  expect(told).toHaveLength(1);
  expect(told[0]?.payload).toMatchObject({
    ...{ event: 'refund.success', payment_no: object.no, order_no: object.orderNo, amount: 1_000 },
    ...{ status: 'success', extra: { refund_no: data.refund_no, channel_refund_no: data.channel_refund_no } },
  });
});

describe('the same again', () => {
  it('with one key, however often at once: one refund', async () => {
    const object = await client.paid('payment');
    const key = randomUUID();
    const replies = await Promise.all(
      Array.from({ length: AT_ONCE }, () => client.refund(object, { amount: 500 }, key)),
    );
    expect(new Set(replies.map(({ data }) => data?.refund_no)).size).toBe(1);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]));
    expect(await bookedRefunds(system, object)).toHaveLength(1);
    const other = await client.refund(object, { amount: 501 }, key);
    expect(other).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    const elsewhere = await client.refund(await client.paid('payment'), { amount: 500 }, key);
    expect(elsewhere).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('with one refund_no: one refund, also when everything has gone back, and a conflict with other data', async () => {
    const object = await client.paid('pre_auth');
    const whole = client.numbered({ reason: 'all of it' });
    const replies = await Promise.all(Array.from({ length: AT_ONCE }, () => client.refund(object, whole)));
    const statuses = replies.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array<number>(AT_ONCE - 1).fill(200), 201]);
    expect(await client.refund(object, whole)).toMatchObject({ status: 200, data: { amount: PAID } });
    expect(await client.refund(object, { ...whole, amount: PAID })).toMatchObject({
      ...{ status: 409, code: 'REFUND_CONFLICT', details: { refund_no: whole.refund_no } },
    });
    const other = await client.paid('payment');
    expect(await client.refund(other, whole)).toMatchObject({ status: 409, code: 'REFUND_CONFLICT' });
    expect((await objectRow(system, other)).refund_reserved).toBe(0);
    await expectRefundAgreement(system, object);
  });

  it('with one refund_no for two payments at once: one of them, and nothing is left reserved on the other', async () => {
    const [a, b] = await Promise.all([client.paid('payment'), client.paid('pre_auth')]);
    for (let i = 0; i < 5; i += 1) {
      const wish = client.numbered({ amount: 100 });
      const replies = await Promise.all([client.refund(a, wish), client.refund(b, wish)]);
      expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
    }
    await expectRefundAgreement(system, a);
    await expectRefundAgreement(system, b);
  });
});

describe('a refund that takes its time', () => {
  it('is pending until the money has arrived', async () => {
    await system.sandbox.config({ refundSettleMs: 3_600_000 });
    const object = await client.paid('payment', 'pm_card_pendingRefund');
    const { status, data } = await client.refund(object);
    expect({ status, refund: data.status }).toEqual({ status: 201, refund: 'pending' });
    expect(await claimOf(object)).toEqual({ kind: 'payment', state: 'paid' });
    expect(await client.refund(object)).toMatchObject({ status: 422, code: 'REFUND_EXCEEDS_PAID' });
    await system.sandbox.post(`refunds/${data.channel_refund_no}/settle`, { outcome: 'succeeded' });
    await client.waitFor(data.refund_no, 'success');
    expect(await claimOf(object)).toBeUndefined();
    expect(await refundEventsOf(system, data.refund_no)).toEqual(['refund.success']);
    await expectRefundAgreement(system, object);
    const handle = system.temporal.workflow.getHandle(refundWorkflowId(system, data.refund_no));
    expect(await handle.result()).toBe('success');
  });

  it('gives its reservation back when it fails', async () => {
    await system.sandbox.config({ refundSettleMs: 3_600_000 });
    const object = await client.paid('pre_auth', 'pm_card_pendingRefund');
    const { data } = await client.refund(object);
    await system.sandbox.post(`refunds/${data.channel_refund_no}/settle`, { outcome: 'failed' });
    const failed = await client.waitFor(data.refund_no, 'failed');
    expect(failed).toMatchObject({ decline_code: 'lost_or_stolen_card' });
    expect(await refundEventsOf(system, data.refund_no)).toEqual(['refund.failed']);
    expect(await objectRow(system, object)).toMatchObject({ refund_reserved: 0 });
    expect(await client.refund(object, { amount: 100 })).toMatchObject({ status: 201 });
    await expectRefundAgreement(system, object);
  });
});

describe('a refund made in the dashboard', () => {
  async function imported(object: PaidObject): Promise<number | undefined> {
    const config = loadConfig(system.environment);
    const { accounts, db } = createFoundation(config, createLogger('test', 'warn'));
    try {
      const adapter = await accounts(system.accountId);
      const target = { kind: object.kind, channelNo: object.channelNo, currency: 'USD', amount: PAID };
      const listed = await adapter?.listRefunds(target, { timeoutMs: 5_000 });
      return await withTransaction(db, (tx) => importRefunds(tx, refOf(object), listed ?? []));
    } finally {
      await db.end();
    }
  }

  it.each(KINDS)('counts once it was read: %s', async (kind) => {
    const object = await client.paid(kind);
    await client.refund(object, { amount: 10_000 });
    await system.sandbox.post(`payment_intents/${object.channelNo}/refund-by-dashboard`, { amount: 15_000 });
    for (let i = 0; i < 2; i += 1) expect(await imported(object)).toBe(15_000);
    expect(await objectRow(system, object)).toMatchObject({
      refund_reserved: 10_000,
      refunded_external: 15_000,
    });
    expect(await client.refund(object, { amount: 25_001 })).toMatchObject({ code: 'REFUND_EXCEEDS_PAID' });
    expect(await client.refund(object)).toMatchObject({ status: 201, data: { amount: 25_000 } });
    await expectRefundAgreement(system, object, 15_000);
    expect(await claimOf(object)).toBeUndefined();
    const [known] = await system.rows(
      'SELECT amount, status FROM imported_refunds WHERE object_kind = $1 AND object_no = $2',
      [object.kind, object.no],
    );
    expect(known).toEqual({ amount: 15_000, status: 'success' });
  });
});
