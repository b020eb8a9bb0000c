/** Disputes, and what happens to a closed payment or hold at the channel: read again, written once, told once. */
import { PaymentClient } from './payment-client';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { objectRow, PAID, RefundClient } from './refund-client';
import type { PaidObject } from './refund-client';

let system: System;
let client: RefundClient;

beforeAll(async () => {
  system = await startSystem();
  client = new RefundClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

interface DisputeView {
  readonly id: string;
  readonly payment_no?: string;
  readonly pre_auth_no?: string;
  readonly status: string;
  readonly amount: number;
  readonly reason: string;
  readonly closed_at?: number;
}

const inDashboard = ({ channelNo }: PaidObject, verb: string, input: object = {}) =>
  system.sandbox.post(`payment_intents/${channelNo}/${verb}`, input);

async function disputesOf({ no }: PaidObject, query = ''): Promise<DisputeView[]> {
  const path = `/api/v1/disputes?object_no=${no}${query}`;
  return (await client.merchant.call<{ items: DisputeView[] }>(path)).data.items;
}

function disputeOf(object: PaidObject, status: string): Promise<DisputeView[]> {
  return eventually(
    `the dispute is ${status}`,
    () => disputesOf(object),
    ([dispute]) => dispute?.status === status,
  );
}

const disputeEvents = ({ kind, no }: PaidObject) =>
  system.rows<{ type: string; status: string; data: Record<string, unknown> }>(
    `SELECT type, status, data FROM payment_events WHERE object_kind = $1 AND object_no = $2 AND type LIKE 'dispute.%' AND sequence > 0
     ORDER BY sequence`,
    [kind, no],
  );

const settled = ({ channelNo }: PaidObject) =>
  eventually(
    'all events are processed',
    () =>
      system.rows<{ state: string }>('SELECT state FROM channel_events WHERE object_id = $1', [channelNo]),
    (rows) => rows.length > 0 && rows.every(({ state }) => state === 'processed'),
  );

it.each(['payment', 'pre_auth'] as const)(
  'of a %s that is lost: told twice, refused to be refunded',
  async (kind) => {
    const object = await client.paid(kind);
    await system.sandbox.eventsMode({ duplicate: true, reorder: true });
    await inDashboard(object, 'dispute', { amount: 30_000, reason: 'fraudulent' });
    const [open] = await disputeOf(object, 'open');
    expect(open).toMatchObject({ amount: 30_000, reason: 'fraudulent' });
    expect(open?.[kind === 'payment' ? 'payment_no' : 'pre_auth_no']).toBe(object.no);
    expect(await client.refund(object, { amount: 25_000 })).toMatchObject({
      status: 409,
      code: 'REFUND_DISPUTED',
    });
    await inDashboard(object, 'close-dispute', { outcome: 'lost' });
    const [lost] = await disputeOf(object, 'lost');
    expect(lost?.id).toBe(open?.id);
    expect(lost?.closed_at).toEqual(expect.any(Number));
    await settled(object);
    await system.sandbox.eventsMode({ duplicate: false, reorder: false });
    expect(await client.refund(object, { amount: 25_000 })).toMatchObject({
      status: 409,
      code: 'REFUND_DISPUTED',
    });
    // What is not disputed passes our judgement; Stripe refunds nothing of a lost charge, and its word is final.
    expect(await client.refund(object, { amount: 20_000 })).toMatchObject({ code: 'CHANNEL_DECLINED' });
    const events = await disputeEvents(object);
    expect(events.map(({ type, data }) => [type, data['dispute_status']])).toEqual([
      ['dispute.opened', 'open'],
      ['dispute.closed', 'lost'],
    ]);
    expect(new Set(events.map(({ status }) => status))).toEqual(
      new Set([kind === 'payment' ? 'success' : 'succeeded']),
    );
  },
);

it('that is won: the money can be refunded again', async () => {
  const object = await client.paid('payment');
  await inDashboard(object, 'dispute');
  await disputeOf(object, 'open');
  expect(await client.refund(object)).toMatchObject({ status: 409, code: 'REFUND_DISPUTED' });
  await inDashboard(object, 'close-dispute', { outcome: 'won' });
  await disputeOf(object, 'won');
  expect((await client.refund(object)).status).toBe(201);
  expect(await disputesOf(object, '&status=open')).toEqual([]);
});

it('is nobody else’s', async () => {
  const object = await client.paid('payment');
  await inDashboard(object, 'dispute');
  await disputeOf(object, 'open');
  const other = system.client(await system.createMerchant('Stranger'));
  expect((await other.call<{ items: unknown[] }>('/api/v1/disputes')).data.items).toEqual([]);
});

it.each(['payment', 'pre_auth'] as const)(
  'a refund of a %s made in the dashboard is imported, and counts',
  async (kind) => {
    const object = await client.paid(kind);
    await system.sandbox.eventsMode({ duplicate: true, reorder: true });
    await inDashboard(object, 'refund-by-dashboard', { amount: 20_000 });
    await eventually(
      'the refund is imported',
      () => objectRow(system, object),
      (row) => row.refunded_external === 20_000,
    );
    await settled(object);
    await system.sandbox.eventsMode({ duplicate: false, reorder: false });
    expect((await objectRow(system, object)).refunded_external).toBe(20_000);
    expect(await client.refund(object, { amount: PAID - 19_999 })).toMatchObject({ status: 422 });
    expect((await client.refund(object, { amount: PAID - 20_000 })).status).toBe(201);
  },
);

it('a payment that is closed stays as it is, whatever the dashboard does', async () => {
  const payments = new PaymentClient(client.merchant, system.sandbox.url);
  const object = await client.paid('payment');
  await inDashboard(object, 'refund-by-dashboard');
  await eventually(
    'the refund is imported',
    () => objectRow(system, object),
    (row) => row.refunded_external === PAID,
  );
  const before = await payments.get(object.no);
  expect(before.data).toMatchObject({ status: 'success', amount_paid: PAID });
  // Everything went back: the order can be paid again.
  expect((await payments.open({ order_no: object.orderNo })).status).toBe('requires_action');
});
