/** Holds at PayPal: authorize, capture, void, and what the sandbox refuses on the way. */
import type { HoldAnswer, HoldSnapshot } from '../../src/domain/channel';
import { identities, startPayPalBench } from './paypal-harness';
import type { PayPalBench } from './paypal-harness';

const AMOUNT = 50_000;
const DAY_MS = 24 * 3_600_000;
const exchange = { timeoutMs: 5_000 };
let bench: PayPalBench;

beforeAll(async () => {
  bench = await startPayPalBench();
});
beforeEach(() => bench.control.post('reset'));
afterAll(() => bench.stop());

function snapshotOf(answer: HoldAnswer): HoldSnapshot {
  if (answer.kind === 'declined') throw new Error(`declined: ${answer.code} ${answer.providerCode}`);
  return answer.snapshot;
}

async function created(amount = AMOUNT) {
  const call = identities('pre-auth');
  const request = { preAuthNo: 'PA1', orderNo: 'O1', amount, currency: 'USD' };
  const { answer, customer } = await bench.adapter.createPreAuth(request, call('create/1'), exchange);
  const id = snapshotOf(answer).channelPreAuthNo;
  return {
    call,
    id,
    answer,
    customer,
    query: () => bench.adapter.queryPreAuth(id, exchange),
    complete: (n = 1) => bench.adapter.completePreAuth(id, call(`complete/${n}`), exchange),
    cancel: (n = 1) =>
      bench.adapter.cancelPreAuth({ channelPreAuthNo: id, currency: 'USD' }, call(`cancel/${n}`), exchange),
    capture: (captured: number, n = 1, final = true) =>
      bench.adapter.capturePreAuth(
        { channelPreAuthNo: id, amount: captured, currency: 'USD', final },
        call(`capture/${n}`),
        exchange,
      ),
  };
}

async function held() {
  const hold = await created();
  await bench.control.post(`orders/${hold.id}/approve`);
  snapshotOf(await hold.complete());
  return hold;
}

const setDay = (day: number) => bench.control.post('config', { clockOffsetMs: day * DAY_MS });

test('create sends the customer to the page, approval asks for our call, and only that call holds money', async () => {
  const hold = await created();
  expect(hold.answer).toMatchObject({
    kind: 'pending',
    snapshot: { status: 'requires_action', amount: AMOUNT, amountCapturable: 0, holdfastCall: 'create/1' },
  });
  expect(hold.customer.nextAction).toMatchObject({ type: 'redirect' });
  expect(await hold.complete()).toMatchObject({ code: 'invalid_state', providerCode: 'ORDER_NOT_APPROVED' });
  await bench.control.post(`orders/${hold.id}/approve`);
  expect(await hold.query()).toMatchObject({ status: 'requires_confirmation', amountCapturable: 0 });
  expect((await bench.control.books()).totals['USD']?.held).toBe(0);
  expect(await hold.complete()).toMatchObject({
    kind: 'done',
    snapshot: { status: 'requires_capture', amountCapturable: AMOUNT },
  });
  expect((await bench.control.books()).totals['USD']?.held).toBe(AMOUNT);
  const captureBefore = (await hold.query())?.captureBefore ?? 0;
  expect(captureBefore - Date.now() / 1000).toBeGreaterThan(28 * 24 * 3600);
  expect(captureBefore - Date.now() / 1000).toBeLessThan(30 * 24 * 3600);
});

test('completing again, also with another key, authorizes nothing more', async () => {
  const hold = await held();
  const before = await hold.query();
  expect(snapshotOf(await hold.complete(1))).toEqual(before);
  expect(snapshotOf(await hold.complete(2))).toEqual(before);
});

test('a full capture takes everything, and is one however often it is asked', async () => {
  const hold = await held();
  const first = await hold.capture(AMOUNT);
  expect(first).toMatchObject({
    kind: 'done',
    snapshot: { status: 'succeeded', amountCaptured: AMOUNT, amountCapturable: 0 },
  });
  expect(await hold.capture(AMOUNT)).toEqual(first);
  expect(await hold.query()).toEqual(snapshotOf(first));
  expect((await bench.control.books()).totals['USD']).toMatchObject({ captured: AMOUNT, held: 0 });
});

test('a final partial capture closes the hold; a second capture and a cancel are refused', async () => {
  const hold = await held();
  const snapshot = snapshotOf(await hold.capture(32_000));
  expect(snapshot).toMatchObject({ status: 'succeeded', amountCaptured: 32_000, amountCapturable: 0 });
  expect(await hold.query()).toEqual(snapshot);
  expect(await hold.capture(1_000, 2)).toMatchObject({ code: 'invalid_state' });
  expect(await hold.cancel()).toMatchObject({ code: 'invalid_state', providerCode: 'PREVIOUSLY_CAPTURED' });
  expect(await hold.query()).toMatchObject({ amountCaptured: 32_000 });
});

test('several captures, where the account may: the rest stays held, and voiding it leaves what was taken', async () => {
  const hold = await held();
  await bench.control.post('config', { multipleCaptures: ['*'] });
  expect(snapshotOf(await hold.capture(10_000, 1, false))).toMatchObject({
    status: 'requires_capture',
    amountCaptured: 10_000,
    amountCapturable: 40_000,
  });
  await hold.capture(5_000, 2, false);
  expect(await hold.capture(36_000, 3)).toMatchObject({ code: 'invalid_amount' });
  expect(snapshotOf(await hold.cancel())).toMatchObject({ status: 'succeeded', amountCaptured: 15_000 });
  expect(await hold.query()).toMatchObject({
    status: 'succeeded',
    amountCaptured: 15_000,
    amountCapturable: 0,
  });
});

test('without that, the second capture is refused by PayPal', async () => {
  const hold = await held();
  await hold.capture(10_000, 1, false);
  expect(await hold.capture(10_000, 2, false)).toMatchObject({ providerCode: 'MAX_CAPTURE_COUNT_EXCEEDED' });
});

test('more than the hold is refused, and the hold stays', async () => {
  const hold = await held();
  expect(await hold.capture(AMOUNT + 1)).toMatchObject({
    code: 'invalid_amount',
    providerCode: 'MAX_CAPTURE_AMOUNT_EXCEEDED',
  });
  expect(await hold.query()).toMatchObject({ status: 'requires_capture', amountCapturable: AMOUNT });
});

test('capture before there is an authorization, and after a void, is refused', async () => {
  const open = await created();
  expect(await open.capture(AMOUNT)).toMatchObject({ code: 'invalid_state' });
  const hold = await held();
  await hold.cancel();
  expect(await hold.capture(AMOUNT)).toMatchObject({ providerCode: 'AUTHORIZATION_VOIDED' });
  expect(await hold.query()).toMatchObject({ status: 'canceled', amountCaptured: 0 });
});

test('cancel voids the authorization, once, and says that it was asked to', async () => {
  const hold = await held();
  const first = await hold.cancel();
  expect(first).toMatchObject({
    kind: 'done',
    snapshot: { status: 'canceled', amountCapturable: 0, releaseCause: 'requested' },
  });
  expect(await hold.cancel()).toEqual(first);
  expect(await hold.cancel(2)).toEqual(first);
  expect((await bench.control.books()).totals['USD']?.held).toBe(0);
});

test('a cancelled order is marked: later reads see it, and an approval that comes too late holds nothing', async () => {
  const hold = await created();
  expect(snapshotOf(await hold.cancel())).toMatchObject({ status: 'canceled', releaseCause: 'requested' });
  await bench.control.post(`orders/${hold.id}/approve`);
  expect(await hold.query()).toMatchObject({ status: 'canceled', holdfastCall: 'create/1' });
  expect(await hold.complete()).toMatchObject({ kind: 'declined', code: 'invalid_state' });
  expect((await bench.control.books()).totals['USD']).toMatchObject({ held: 0, captured: 0 });
});

test('voided in the dashboard, and ended at its own deadline', async () => {
  const [one, other] = [await held(), await held()];
  await bench.control.post(`orders/${one.id}/void-by-dashboard`);
  expect(await one.query()).toMatchObject({ status: 'canceled', releaseCause: 'dashboard' });
  await setDay(30);
  expect(await other.query()).toMatchObject({ status: 'canceled', releaseCause: 'deadline' });
  expect(await other.capture(AMOUNT)).toMatchObject({ code: 'hold_expired' });
});

test('a captured hold is refunded through its capture', async () => {
  const hold = await held();
  await hold.capture(32_000);
  const target = { kind: 'pre_auth' as const, channelNo: hold.id, currency: 'USD', amount: 32_000 };
  const refund = (refundNo: string, amount: number) =>
    bench.adapter.createRefund(
      { refundNo, target, amount, currency: 'USD' },
      hold.call(`refund/${refundNo}`),
      exchange,
    );
  expect(await refund('RF1', 12_000)).toMatchObject({
    kind: 'done',
    snapshot: { refundNo: 'RF1', amount: 12_000 },
  });
  expect(await refund('RF2', 20_001)).toMatchObject({ code: 'invalid_amount' });
  expect(await bench.adapter.listRefunds(target, exchange)).toMatchObject([{ refundNo: 'RF1' }]);
});

test('what does not exist', async () => {
  const missing = { channelPreAuthNo: '5O190127TN3647150', amount: 100, currency: 'USD', final: true };
  const call = identities('pre-auth')('capture/1');
  expect(await bench.adapter.queryPreAuth(missing.channelPreAuthNo, exchange)).toBeUndefined();
  expect(await bench.adapter.capturePreAuth(missing, call, exchange)).toMatchObject({
    code: 'object_not_found',
  });
  expect(await bench.adapter.findPreAuths(call, { fromUnixSeconds: 0, toUnixSeconds: 1 }, exchange)).toEqual(
    [],
  );
});
