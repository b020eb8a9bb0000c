/** A payment from its creation to each of its ends, over the Stripe sandbox. */
import { randomUUID } from 'node:crypto';
import { eventTypesOf } from './checks';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import {
  expectPaymentAgreement,
  PaymentClient,
  paymentOf,
  PAYMENT_SETTINGS,
  paymentWorkflowId,
} from './payment-client';

const SAME_AT_ONCE = 20;

let system: System;
let client: PaymentClient;

beforeAll(async () => {
  system = await startSystem({ environment: PAYMENT_SETTINGS, apiCount: 2 });
  client = new PaymentClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

const workflowOf = (no: string) => system.temporal.workflow.getHandle(paymentWorkflowId(system, no));

it('answers a new payment with what the customer has to do, and why the channel was chosen', async () => {
  const { channel: _, ...unrouted } = paymentOf({ description: 'Room 7', metadata: { room: '7' } });
  const beforeSeconds = Math.floor(Date.now() / 1000);
  const { status, message, data } = await client.create(unrouted);
  expect({ status, message }).toEqual({ status: 201, message: 'Payment created' });
  expect(data).toMatchObject({
    ...{ order_no: unrouted.order_no, status: 'requires_action', amount: 50_000, amount_paid: 0 },
    ...{ currency: 'USD', channel: 'stripe', next_action: { type: 'client_secret' } },
    ...{ routing: { level: 'smart', channel: 'stripe' }, description: 'Room 7', metadata: { room: '7' } },
  });
  expect(data.payment_no).toMatch(/^PY\d{14}[a-z]{8}$/);
  expect(data.client_secret).toMatch(/_secret_/);
  expect(data.expires_at - beforeSeconds).toBeGreaterThanOrEqual(1_800);
  expect(data.expires_at - beforeSeconds).toBeLessThan(1_810);
  expect((await client.get(data.payment_no)).data).toEqual(data);
  await expectPaymentAgreement(system, data.payment_no);
  const [row] = await system.rows('SELECT handed_out FROM payments WHERE payment_no = $1', [data.payment_no]);
  expect(row).toEqual({ handed_out: true });
});

it('succeeds when the customer has paid, and tells the merchant', async () => {
  const endpoint = { url: 'https://example.com/hooks' };
  const created = await system.client().call<{ id: string }>('/api/v1/webhook-endpoints', { json: endpoint });
  expect(created.status).toBe(201);
  const payment = await client.open();
  await client.pay(payment);
  const paid = await client.waitFor(payment.payment_no, 'success');
  expect(paid).toMatchObject({ amount_paid: 50_000 });
  expect(paid).not.toHaveProperty('client_secret');
  expect(paid).not.toHaveProperty('next_action');
  await expectPaymentAgreement(system, payment.payment_no);
  const notifications = await system.rows<{ event: string; payload: Record<string, unknown> }>(
    'SELECT event, payload FROM webhook_notifications WHERE payment_no = $1',
    [payment.payment_no],
  );
  expect(notifications).toEqual([
    {
      event: 'payment.success',
      payload: {
        ...{ event: 'payment.success', payment_no: payment.payment_no, order_no: payment.order_no },
        ...{ amount: 50_000, currency: 'USD', status: 'success', timestamp: expect.any(Number) as number },
        extra: {
          ...{ channel: 'stripe', channel_payment_no: payment.channel_payment_no, sequence: 1 },
          ...{ amount_paid: 50_000, channel_trade_no: expect.stringMatching(/^ch_/) as string },
        },
      },
    },
  ]);
  expect(await workflowOf(payment.payment_no).result()).toBe('success');
  await system.client().call(`/api/v1/webhook-endpoints/${created.data.id}`, { method: 'DELETE' });
});

it('stays open after a decline, for another try', async () => {
  const payment = await client.open();
  await expect(client.pay(payment, 'pm_card_chargeDeclinedInsufficientFunds')).rejects.toThrow(/refused/);
  const open = await client.waitUntil(
    payment.payment_no,
    'declined',
    ({ decline_code: code }) => code !== undefined,
  );
  expect(open).toMatchObject({ status: 'requires_action', decline_code: 'insufficient_funds' });
  expect(open.client_secret).toBe(payment.client_secret);
  await client.pay(payment);
  const paid = await client.waitFor(payment.payment_no, 'success');
  expect(paid).not.toHaveProperty('decline_code');
  await expectPaymentAgreement(system, payment.payment_no);
  expect(await eventTypesOf(system, payment.payment_no)).toEqual(['payment.success']);
});

it('is processing while the bank takes its time, cannot be cancelled then, and does not expire', async () => {
  const payment = await client.open({ expires_in: 2 });
  await client.pay(payment, 'pm_usBankAccount');
  await client.waitFor(payment.payment_no, 'processing');
  expect(await client.cancel(payment.payment_no)).toMatchObject({
    status: 409,
    code: 'PAYMENT_NOT_CANCELLABLE',
    details: { status: 'processing' },
  });
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect((await client.get(payment.payment_no)).data.status).toBe('processing');
  await system.sandbox.post(`payment_intents/${payment.channel_payment_no}/settle`, { succeed: true });
  await client.waitFor(payment.payment_no, 'success');
  await expectPaymentAgreement(system, payment.payment_no);
});

it('expires when nobody pays, once the channel has said so', async () => {
  const payment = await client.open({ expires_in: 2 });
  const holdfastId = paymentWorkflowId(system, payment.payment_no);
  await system.sandbox.fault('cancel', 'error_before', { times: 2, holdfastId });
  await eventually(
    'the channel has failed twice',
    () => system.sandbox.books(holdfastId),
    ({ calls }) => calls.filter((call) => call.operation === 'cancel' && call.status === 500).length === 2,
  );
  expect((await client.get(payment.payment_no)).data.status).toBe('requires_action');
  await client.waitFor(payment.payment_no, 'expired');
  await expectPaymentAgreement(system, payment.payment_no);
  expect(await eventTypesOf(system, payment.payment_no)).toEqual(['payment.expired']);
  expect(await client.cancel(payment.payment_no)).toMatchObject({
    status: 409,
    code: 'PAYMENT_CLOSED',
    details: { status: 'expired' },
  });
});

it('is cancelled by its merchant, by an operator, in the Web UI and in the dashboard', async () => {
  const [own, signalled, requested, clicked] = await Promise.all([
    client.open(),
    client.open(),
    client.open(),
    client.open(),
  ]);
  expect(await client.cancel(own.payment_no, { reason: 'sold out' })).toMatchObject({
    status: 200,
    data: { status: 'cancelled' },
  });
  await workflowOf(signalled.payment_no).signal('cancel', { by: 'ops', reason: 'phone call' });
  await workflowOf(requested.payment_no).cancel();
  await system.sandbox.byDashboard('cancel', clicked.channel_payment_no ?? '');
  for (const { payment_no: no } of [own, signalled, requested, clicked]) {
    await client.waitFor(no, 'cancelled');
    await expectPaymentAgreement(system, no);
    expect(await eventTypesOf(system, no)).toEqual(['payment.cancelled']);
    expect(await workflowOf(no).result()).toBe('cancelled');
  }
  const reasons = await system.rows<{ cancel_reason: string | null }>(
    'SELECT cancel_reason FROM payments WHERE payment_no = ANY ($1) ORDER BY created_at, payment_no',
    [[own.payment_no, signalled.payment_no, requested.payment_no]],
  );
  expect(reasons.map(({ cancel_reason: reason }) => reason).sort()).toEqual([
    'cancellation requested',
    'phone call',
    'sold out',
  ]);
});

it('gives an order one live or successful payment or hold', async () => {
  const payment = await client.open();
  const again = paymentOf({ order_no: payment.order_no });
  const details = { kind: 'payment', number: payment.payment_no };
  expect(await client.create(again)).toMatchObject({ status: 409, code: 'ORDER_IN_PROGRESS', details });
  const hold = holdOf({ order_no: payment.order_no });
  expect(await system.client().create(hold)).toMatchObject({
    status: 409,
    code: 'ORDER_IN_PROGRESS',
    details,
  });
  await client.cancel(payment.payment_no);
  const second = await client.open({ order_no: payment.order_no });
  await client.pay(second);
  await client.waitFor(second.payment_no, 'success');
  expect(await client.create(again)).toMatchObject({
    status: 409,
    code: 'ORDER_ALREADY_PAID',
    details: { kind: 'payment', number: second.payment_no },
  });
});

it(`gives ${SAME_AT_ONCE} equal creates at once one payment and equal answers`, async () => {
  const [body, key] = [paymentOf(), randomUUID()];
  const replies = await Promise.all(
    Array.from({ length: SAME_AT_ONCE }, (_, i) => {
      const merchant = system.client(system.merchant, system.apis[i % system.apis.length]);
      return new PaymentClient(merchant, system.sandbox.url).create(body, key);
    }),
  );
  for (const { status, data } of replies)
    expect({ status, data }).toEqual({ status: 201, data: replies[0]?.data });
  expect(replies.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(
    SAME_AT_ONCE - 1,
  );
  const rows = await system.rows('SELECT 1 FROM payments WHERE order_no = $1', [body.order_no]);
  expect(rows).toHaveLength(1);
  await expectPaymentAgreement(system, replies[0]?.data.payment_no ?? '');
  expect(await client.create({ ...body, amount: 1_000 }, key)).toMatchObject({
    status: 422,
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
});

it('lists by status, order and time, page by page, and shows no secret there', async () => {
  const orderNo = paymentOf().order_no;
  for (let i = 0; i < 3; i += 1) {
    const { payment_no: no } = await client.open({ order_no: orderNo });
    await client.cancel(no);
  }
  const live = await client.open({ order_no: orderNo });
  const first = await client.list(`order_no=${orderNo}&limit=3`);
  expect(first.data.items.map(({ status }) => status)).toEqual(['requires_action', 'cancelled', 'cancelled']);
  expect(JSON.stringify(first.data)).not.toMatch(/_secret_/);
  const next = await client.list(`order_no=${orderNo}&limit=3&cursor=${first.data.next_cursor}`);
  expect(next.data).toMatchObject({ items: [{ status: 'cancelled' }], next_cursor: null });
  const open = await client.list(`order_no=${orderNo}&status=requires_action`);
  expect(open.data.items.map(({ payment_no: no }) => no)).toEqual([live.payment_no]);
  const later = await client.list(`order_no=${orderNo}&created_from=2100-01-01T00:00:00Z`);
  expect(later.data.items).toEqual([]);
  const other = system.client(await system.createMerchant('Other'));
  expect((await other.call(`/api/v1/payments/${live.payment_no}`)).status).toBe(404);
  expect((await other.call(`/api/v1/payments/${live.payment_no}/cancel`, { json: {} })).status).toBe(404);
});

it('gives a terminated workflow back to its payment', async () => {
  const [asked, left] = await Promise.all([client.open(), client.open()]);
  // What happens meanwhile is found by the new run, which nobody tells of it.
  await system.sandbox.eventsMode({ pause: true });
  await workflowOf(asked.payment_no).terminate('by mistake');
  await workflowOf(left.payment_no).terminate('by mistake');
  await client.pay(left);
  expect(await client.cancel(asked.payment_no)).toMatchObject({ status: 200, data: { status: 'cancelled' } });
  await client.waitFor(left.payment_no, 'success');
  await system.sandbox.eventsMode({ pause: false });
  for (const { payment_no: no } of [asked, left]) await expectPaymentAgreement(system, no);
});
