/** The sandbox misbehaves, and the adapter says of every answer exactly what it proves. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createPayPalAdapter } from '../../src/channels/paypal/adapter';
import { ChannelFault } from '../../src/domain/channel';
import type { CallIdentity } from '../../src/domain/channel';
import type { PaymentAnswer } from '../../src/domain/channel-payment';
import { identities, paypalAccount, startPayPalBench } from './paypal-harness';
import type { PayPalBench } from './paypal-harness';

const AMOUNT = 50_000;
const TIMEOUT_MS = 1_000;
const exchange = { timeoutMs: TIMEOUT_MS };
let bench: PayPalBench;

beforeAll(async () => {
  bench = await startPayPalBench();
});
beforeEach(() => bench.control.post('reset'));
afterAll(() => bench.stop());

async function caught(work: Promise<unknown>): Promise<ChannelFault> {
  const error: unknown = await work.then(
    (value) => new Error(`no fault: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChannelFault)) throw error;
  return error;
}

const create = (call: CallIdentity, amount = AMOUNT, timeoutMs = TIMEOUT_MS, signal?: AbortSignal) =>
  bench.adapter.createPayment(
    { paymentNo: 'PY1', orderNo: 'O1', amount, currency: 'USD', expiresAtUnixSeconds: 2_000_000_000 },
    call,
    { timeoutMs, ...(signal === undefined ? {} : { signal }) },
  );

function idOf(answer: PaymentAnswer): string {
  if (answer.kind === 'declined') throw new Error(`declined: ${answer.providerCode}`);
  return answer.snapshot.channelPaymentNo;
}

async function approved(means = 'good') {
  const call = identities('payment');
  const { answer } = await create(call('create/1'));
  const id = idOf(answer);
  await bench.control.post(`orders/${id}/approve`, { means });
  return {
    call,
    id,
    complete: (n = 1) => bench.adapter.completePayment(id, call(`complete/${n}`), exchange),
    cancel: () =>
      bench.adapter.cancelPayment({ channelPaymentNo: id, currency: 'USD' }, call('cancel/1'), exchange),
    query: () => bench.adapter.queryPayment(id, exchange),
  };
}

const captured = async () => (await bench.control.books()).totals['USD']?.captured ?? 0;

test.each(['error_after', 'timeout_after', 'reset_after'])(
  'create with %s: the same key gives the order',
  async (fault) => {
    const call = identities('payment')('create/1');
    await bench.control.fault('create_order', fault);
    expect(await caught(create(call))).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
    expect(idOf((await create(call)).answer)).toMatch(/^\w{17}$/);
    expect((await bench.control.books()).orders).toHaveLength(1);
  },
);

test.each(['error_before', 'reset_before'])('create with %s: the same key executes', async (fault) => {
  const call = identities('payment')('create/1');
  await bench.control.fault('create_order', fault);
  expect(await caught(create(call))).toMatchObject({ execution: 'maybe_executed' });
  expect((await bench.control.books()).orders).toEqual([]);
  await create(call);
  expect((await bench.control.books()).orders).toHaveLength(1);
});

test.each(['error_before', 'error_after', 'timeout_after', 'reset_before', 'reset_after'])(
  'capture with %s: unknown, and asked again it is taken once',
  async (fault) => {
    const payment = await approved();
    await bench.control.fault('capture_order', fault);
    expect(await caught(payment.complete())).toMatchObject({ execution: 'maybe_executed' });
    expect(await captured()).toBe(fault.endsWith('before') ? 0 : AMOUNT);
    expect(await payment.complete()).toMatchObject({ kind: 'done', snapshot: { amountPaid: AMOUNT } });
    expect(await captured()).toBe(AMOUNT);
  },
);

test.each(['error_before', 'error_after', 'timeout_after', 'reset_after'])(
  'refund with %s: asked again it is given back once',
  async (fault) => {
    const payment = await approved();
    await payment.complete();
    const target = { kind: 'payment' as const, channelNo: payment.id, currency: 'USD', amount: AMOUNT };
    const refund = () =>
      bench.adapter.createRefund(
        { refundNo: 'RF1', target, amount: 20_000, currency: 'USD' },
        payment.call('refund/1'),
        exchange,
      );
    await bench.control.fault('refund_capture', fault);
    expect(await caught(refund())).toMatchObject({ execution: 'maybe_executed' });
    expect(await refund()).toMatchObject({ kind: 'done', snapshot: { refundNo: 'RF1', amount: 20_000 } });
    expect((await bench.control.books()).totals['USD']?.refunded).toBe(20_000);
  },
);

test('an exchange ends in its time, reads before the call included', async () => {
  const payment = await approved();
  await bench.control.fault('get_order', 'slow', { delayMs: 600 });
  await bench.control.fault('capture_order', 'slow', { delayMs: 600 });
  const startedMs = Date.now();
  expect(await caught(payment.complete())).toMatchObject({
    execution: 'maybe_executed',
    reason: 'ETIMEDOUT',
  });
  expect(Date.now() - startedMs).toBeLessThan(TIMEOUT_MS + 400);
});

test('limits are enforced before anything is done: certainly not sent', async () => {
  await bench.control.fault('create_order', 'rate_limit');
  expect(await caught(create(identities('payment')('create/1')))).toMatchObject({
    execution: 'not_sent',
    reason: 'RATE_LIMIT_REACHED',
  });
});

test('a request that is at work is in progress; afterwards it answers', async () => {
  const call = identities('payment')('create/1');
  await bench.control.fault('create_order', 'slow', { delayMs: 800 });
  const first = create(call, AMOUNT, 5_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await caught(create(call))).toMatchObject({
    execution: 'in_progress',
    reason: 'PREVIOUS_REQUEST_IN_PROGRESS',
  });
  const { answer } = await first;
  expect(idOf((await create(call)).answer)).toBe(idOf(answer));
});

test('PayPal gives the first answer to the same key with another body: the adapter notices', async () => {
  const call = identities('payment')('create/1');
  await create(call);
  expect(await caught(create(call, AMOUNT + 1))).toMatchObject({
    execution: 'maybe_executed',
    reason: 'answer_of_another_request',
  });
  expect((await bench.control.books()).orders).toHaveLength(1);
});

test('the same key for another order is noticed too', async () => {
  const [one, other] = [await approved(), await approved()];
  await one.complete();
  const wrong = bench.adapter.completePayment(other.id, one.call('complete/1'), exchange);
  expect(await caught(wrong)).toMatchObject({ execution: 'maybe_executed' });
  expect(await captured()).toBe(AMOUNT);
});

test('after the key is forgotten, an order is still captured once only', async () => {
  const payment = await approved();
  await bench.control.fault('capture_order', 'timeout_after');
  await caught(payment.complete());
  await bench.control.post('config', { clockOffsetMs: 7 * 3_600_000 });
  expect(await payment.complete(2)).toMatchObject({ kind: 'done', snapshot: { amountPaid: AMOUNT } });
  expect(await captured()).toBe(AMOUNT);
});

test('a declined means leaves the payment open, and the customer pays with another one', async () => {
  const payment = await approved('declined');
  expect(await payment.complete()).toMatchObject({
    kind: 'pending',
    snapshot: {
      status: 'requires_action',
      amountPaid: 0,
      lastDecline: { code: 'card_declined', providerCode: 'INSTRUMENT_DECLINED' },
    },
  });
  const open = await payment.query();
  expect(open?.status).toBe('requires_action');
  await bench.control.post(`orders/${payment.id}/approve`);
  expect(await payment.complete(2)).toMatchObject({ kind: 'done', snapshot: { amountPaid: AMOUNT } });
});

test('cancelled and approved in the same moment: marked, read as cancelled, never captured', async () => {
  const payment = await approved();
  expect(await payment.cancel()).toMatchObject({ kind: 'done', snapshot: { status: 'canceled' } });
  const read = await payment.query();
  expect(read).toMatchObject({ status: 'canceled', closeCause: 'requested', holdfastCall: 'create/1' });
  expect(await payment.complete()).toMatchObject({ kind: 'declined', code: 'invalid_state' });
  expect(await captured()).toBe(0);
});

test('captured while it is being cancelled: the cancel is refused, the money is seen', async () => {
  const payment = await approved();
  await bench.control.fault('patch_order', 'slow', { delayMs: 400 });
  const cancelled = payment.cancel();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await payment.complete();
  expect(await cancelled).toMatchObject({ kind: 'declined', code: 'invalid_state' });
  expect(await payment.query()).toMatchObject({ status: 'succeeded', amountPaid: AMOUNT });
});

test('a capture under review is processing, has its number, and asks for no second completion', async () => {
  await bench.control.post('config', { pendingCaptures: true });
  const payment = await approved();
  const answer = await payment.complete();
  if (answer.kind === 'declined') throw new Error(answer.providerCode);
  const { snapshot } = answer;
  expect(snapshot).toMatchObject({ status: 'processing', amountPaid: 0 });
  expect(bench.adapter.needsCompletion(snapshot)).toBe(false);
  await bench.control.post(`captures/${snapshot.channelTradeNo ?? ''}/settle`, { succeed: true });
  expect(await payment.query()).toMatchObject({ status: 'succeeded', amountPaid: AMOUNT });
});

test('an order that nobody approved is forgotten by PayPal', async () => {
  const { answer } = await create(identities('payment')('create/1'));
  await bench.control.post('config', { clockOffsetMs: 4 * 3_600_000 });
  expect(await bench.adapter.queryPayment(idOf(answer), exchange)).toBeUndefined();
});

describe('tokens', () => {
  const tokenCalls = async () =>
    (await bench.control.books()).calls.filter(({ operation }) => operation === 'token').length;

  test('one request for many calls, and one more after PayPal has forgotten it', async () => {
    await bench.control.post('revoke-tokens');
    await Promise.all(Array.from({ length: 8 }, () => create(identities('payment')('create/1'))));
    expect(await tokenCalls()).toBe(1);
    await bench.control.post('revoke-tokens');
    await create(identities('payment')('create/1'));
    expect(await tokenCalls()).toBe(2);
  });

  test.each(['error_before', 'reset_before', 'timeout_after'])(
    'no token (%s): nothing was sent',
    async (fault) => {
      await bench.control.post('revoke-tokens');
      const fresh = createPayPalAdapter(paypalAccount(bench.target), bench.sandbox.url);
      await bench.control.fault('token', fault);
      const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: AMOUNT, currency: 'USD' };
      const work = fresh.createPreAuth(request, identities('pre-auth')('create/1'), exchange);
      expect(await caught(work)).toMatchObject({ execution: 'not_sent' });
      expect((await bench.control.books()).orders).toEqual([]);
      fresh.close();
    },
  );
});

test('nobody listens: certainly not sent', async () => {
  const gone = await startPayPalBench();
  await gone.sandbox.stop();
  const work = gone.adapter.queryPayment('5O190127TN3647150', exchange);
  expect(await caught(work)).toMatchObject({ execution: 'not_sent', reason: 'ECONNREFUSED' });
  gone.adapter.close();
});

test('an abort ends the exchange at once', async () => {
  await create(identities('payment')('create/1'));
  await bench.control.fault('create_order', 'slow', { delayMs: 3_000 });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  const work = create(identities('payment')('create/1'), AMOUNT, 10_000, abort.signal);
  expect(await caught(work)).toMatchObject({ execution: 'maybe_executed', reason: 'ABORTED' });
  const never = create(identities('payment')('create/1'), AMOUNT, 10_000, AbortSignal.abort());
  expect(await caught(never)).toMatchObject({ execution: 'not_sent', reason: 'ABORTED' });
});

test('the sandbox keeps orders, keys and its certificate over a restart, and forgets tokens', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'paypal-sandbox-'));
  const first = await startPayPalBench(folder);
  const call = identities('payment')('create/1');
  const request = {
    paymentNo: 'PY1',
    orderNo: 'O1',
    amount: AMOUNT,
    currency: 'USD',
    expiresAtUnixSeconds: 2e9,
  };
  const { answer } = await first.adapter.createPayment(request, call, exchange);
  const headers = first.sandbox.signEvent('{}', 'W', Date.now());
  await first.stop();
  const second = await startPayPalBench(folder);
  expect(idOf((await second.adapter.createPayment(request, call, exchange)).answer)).toBe(idOf(answer));
  expect(path.basename(second.sandbox.signEvent('{}', 'W', Date.now())['paypal-cert-url'] ?? '')).toBe(
    path.basename(headers['paypal-cert-url'] ?? 'none'),
  );
  await second.stop();
  fs.rmSync(folder, { recursive: true });
});
