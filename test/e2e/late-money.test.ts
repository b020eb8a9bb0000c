/** Money that comes after the end, too little of it, or too much: never silent, never a reason to open the payment again. */
import { CryptoShop } from './crypto-client';
import { eventually } from './harness';
import { paymentOf } from './payment-client';
import type { PaymentView } from './payment-client';

let shop: CryptoShop;

beforeAll(async () => {
  shop = await CryptoShop.open();
});
afterAll(() => shop?.close());

const inCoins = (fields: object = {}) => shop.payments.open({ channel: 'crypto', ...fields });
const typesOf = async (no: string) => (await shop.eventsOf(no)).map(({ type }) => type);
const decide = (id: string, decision: string) =>
  shop.system
    .client()
    .call<{ state: string; refund_no?: string }>(`/api/v1/late-payments/${id}/${decision}`, {
      json: {},
    });

async function ended(how: 'expired' | 'cancelled'): Promise<PaymentView> {
  if (how === 'expired') {
    const payment = await inCoins({ expires_in: 1 });
    return shop.payments.waitFor(payment.payment_no, 'expired');
  }
  const payment = await inCoins();
  expect((await shop.payments.cancel(payment.payment_no)).status).toBe(200);
  return shop.payments.waitFor(payment.payment_no, 'cancelled');
}

it.each(['expired', 'cancelled'] as const)('paid after it was %s: a row and an event, once', async (how) => {
  const payment = await ended(how);
  await shop.control('events-mode', { duplicate: true, reorder: true });
  await shop.pay(payment);
  const [late] = await shop.lateOf(payment.payment_no);
  expect(late).toMatchObject({ kind: 'late', amount: 50_000, currency: 'USD', state: 'needs_attention' });
  await eventually(
    'all its events are processed',
    () =>
      shop.system.rows<{ state: string }>('SELECT state FROM channel_events WHERE object_id = $1', [
        payment.channel_payment_no,
      ]),
    (rows) => rows.length >= 3 && rows.every(({ state }) => state === 'processed'),
  );
  await shop.control('events-mode', { duplicate: false, reorder: false });
  expect(await shop.lateOf(payment.payment_no)).toHaveLength(1);
  expect((await shop.payments.get(payment.payment_no)).data).toMatchObject({ status: how, amount_paid: 0 });
  const events = await shop.eventsOf(payment.payment_no);
  expect(events.map(({ type, sequence, status }) => ({ type, sequence, status }))).toEqual([
    { type: `payment.${how}`, sequence: 1, status: how },
    { type: 'payment.late_paid', sequence: 2, status: how },
  ]);
  expect(events[1]?.data).toMatchObject({ late_payment_id: late?.id, channel: 'crypto' });
  // The order is free for another attempt, which is none of the late money's business.
  const again = await inCoins({ order_no: payment.order_no });
  expect(again.status).toBe('requires_action');
});

it('too little at its end, and the rest afterwards: each part is told once', async () => {
  const payment = await inCoins({ expires_in: 2 });
  await shop.pay(payment, '200.00');
  // What was touched is closed by the server at its own deadline, which counts in minutes: not by us.
  await shop.control(`invoices/${payment.channel_payment_no ?? ''}/expire`);
  await shop.payments.waitFor(payment.payment_no, 'expired');
  const [first] = await shop.lateOf(payment.payment_no);
  expect(first).toMatchObject({ kind: 'partial', amount: 20_000 });
  await shop.pay(payment);
  const [, second] = await shop.lateOf(payment.payment_no, 2);
  expect(second).toMatchObject({ kind: 'late', amount: 30_000 });
  expect(await typesOf(payment.payment_no)).toEqual([
    'payment.expired',
    'payment.partially_paid',
    'payment.late_paid',
  ]);
});

it('too much: the payment succeeds with what was asked for, the rest is told', async () => {
  const payment = await inCoins();
  await shop.pay(payment, '750.00');
  const paid = await shop.payments.waitFor(payment.payment_no, 'success');
  expect(paid.amount_paid).toBe(50_000);
  const [late] = await shop.lateOf(payment.payment_no);
  expect(late).toMatchObject({ kind: 'over', amount: 25_000 });
  expect(await typesOf(payment.payment_no)).toEqual(['payment.success', 'payment.overpaid']);
});

it('the merchant gives it back: one refund, however often asked, and none of the payment’s own', async () => {
  const payment = await inCoins();
  await shop.pay(payment, '600.00');
  const [late] = await shop.lateOf(payment.payment_no);
  const id = late?.id ?? '';
  const answers = await Promise.all(Array.from({ length: 5 }, () => decide(id, 'refund')));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 200));
  const numbers = new Set(answers.map(({ data }) => data.refund_no));
  expect(numbers.size).toBe(1);
  const [refundNo] = [...numbers];
  expect(await decide(id, 'keep')).toMatchObject({ status: 409, code: 'LATE_PAYMENT_REFUNDED' });
  const [refund] = await eventually(
    'the refund is known at the channel',
    () =>
      shop.system.rows<{ channel_refund_no: string | null; amount: number }>(
        'SELECT channel_refund_no, amount FROM refunds WHERE refund_no = $1',
        [refundNo],
      ),
    ([row]) => typeof row?.channel_refund_no === 'string',
  );
  expect(refund?.amount).toBe(10_000);
  await shop.control(`pull-payments/${refund?.channel_refund_no ?? ''}/claim`);
  await shop.control(`pull-payments/${refund?.channel_refund_no ?? ''}/complete`);
  await eventually(
    'the late money is refunded',
    () => shop.late(`?object_no=${payment.payment_no}`),
    ({ items }) => items[0]?.state === 'refunded',
  );
  const [row] = await shop.system.rows(
    'SELECT refund_reserved, refunded_external FROM payments WHERE payment_no = $1',
    [payment.payment_no],
  );
  expect(row).toEqual({ refund_reserved: 0, refunded_external: 0 });
});

it('the merchant keeps it, and may still give it back', async () => {
  const payment = await ended('cancelled');
  await shop.pay(payment);
  const [late] = await shop.lateOf(payment.payment_no);
  const id = late?.id ?? '';
  expect(await decide(id, 'keep')).toMatchObject({ status: 200, data: { state: 'kept' } });
  expect(await decide(id, 'keep')).toMatchObject({ status: 200, data: { state: 'kept' } });
  expect((await shop.late('?state=kept')).items.map((item) => item.id)).toContain(id);
  expect(await decide(id, 'refund')).toMatchObject({ status: 200, data: { state: 'refunding' } });
});

it('is found without any news of it', async () => {
  await shop.control('events-mode', { pause: true });
  const payment = await ended('cancelled');
  await shop.pay(payment);
  const [late] = await shop.lateOf(payment.payment_no);
  expect(late).toMatchObject({ kind: 'late', amount: 50_000 });
  const seen = await shop.system.rows('SELECT 1 FROM channel_events WHERE object_id = $1', [
    payment.channel_payment_no,
  ]);
  expect(seen).toEqual([]);
  await shop.control('events-mode', { pause: false });
});

it('is nobody else’s: other merchants see and decide nothing', async () => {
  const payment = await ended('cancelled');
  await shop.pay(payment);
  const [late] = await shop.lateOf(payment.payment_no);
  const other = shop.system.client(await shop.system.createMerchant('Stranger'));
  const path = `/api/v1/late-payments/${late?.id ?? ''}`;
  expect(await other.call(path)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  for (const decision of ['refund', 'keep'])
    expect(await other.call(`${path}/${decision}`, { json: {} })).toMatchObject({ status: 404 });
  expect((await other.call<{ items: unknown[] }>('/api/v1/late-payments')).data.items).toEqual([]);
  expect((await shop.lateOf(payment.payment_no))[0]?.state).toBe('needs_attention');
});

it('goes back by itself where the merchant wants that', async () => {
  const policy = (method: 'GET' | 'PUT', json?: object) =>
    shop.system
      .client()
      .call<{ policy: string }>('/api/v1/late-payments/policy', { method, ...(json && { json }) });
  expect((await policy('GET')).data.policy).toBe('attention');
  expect(await policy('PUT', { policy: 'refund' })).toMatchObject({
    status: 200,
    data: { policy: 'refund' },
  });
  const payment = await ended('cancelled');
  await shop.pay(payment);
  const [late] = await shop.lateOf(payment.payment_no);
  expect(late).toMatchObject({ kind: 'late', refund_no: expect.stringMatching(/^RF/) as string });
  const [refund] = await eventually(
    'the refund is known at the channel',
    () =>
      shop.system.rows<{ amount: number; channel_refund_no: string | null; late_payment_id: string }>(
        'SELECT amount, channel_refund_no, late_payment_id FROM refunds WHERE refund_no = $1',
        [late?.refund_no],
      ),
    ([row]) => typeof row?.channel_refund_no === 'string',
  );
  expect(refund).toMatchObject({ amount: 50_000, late_payment_id: late?.id });
  const told = (await shop.eventsOf(payment.payment_no)).at(-1);
  expect(told).toMatchObject({ type: 'payment.late_paid', data: { refund_no: late?.refund_no } });
  await policy('PUT', { policy: 'attention' });
});

it('the customer pays in the same instant as it ends: taken, or told as late money', async () => {
  const payments = await Promise.all(Array.from({ length: 6 }, () => inCoins({ expires_in: 1 })));
  const paymentsToCancel = await Promise.all(Array.from({ length: 6 }, () => inCoins()));
  await Promise.all([
    ...payments.map((payment) =>
      new Promise((resolve) => setTimeout(resolve, payment.expires_at * 1000 - Date.now())).then(() =>
        shop.pay(payment),
      ),
    ),
    ...paymentsToCancel.flatMap((payment) => [shop.payments.cancel(payment.payment_no), shop.pay(payment)]),
  ]);
  for (const { payment_no: no } of [...payments, ...paymentsToCancel]) {
    const { status } = await shop.payments.waitFor(no, 'success', 'expired', 'cancelled');
    if (status === 'success') continue;
    const [late] = await shop.lateOf(no);
    expect(late).toMatchObject({ kind: 'late', amount: paymentOf().amount });
    expect(await typesOf(no)).toEqual([`payment.${status}`, 'payment.late_paid']);
  }
}, 60_000);
