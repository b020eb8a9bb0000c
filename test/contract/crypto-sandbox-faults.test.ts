/** Lost answers, attempts given up, and what the customer does meanwhile: nothing happens twice and nothing vanishes. */
import { randomUUID } from 'node:crypto';
import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { BtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { CryptoAdapter } from '../../src/channels/crypto/adapter';
import type { CallIdentity } from '../../src/domain/channel';
import { btcpayControl, openCrypto } from './crypto-harness';
import type { BtcpayControl } from './crypto-harness';
import { faultOf, paymentOf, refundOf } from './channel-payment.harness';

const EXCHANGE = { timeoutMs: 5_000 };
const MONEY = { amount: 50_000, currency: 'USD' };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

let sandbox: BtcpaySandbox;
let adapter: CryptoAdapter;
let control: BtcpayControl;

beforeAll(async () => {
  sandbox = await startBtcpaySandbox();
  adapter = openCrypto(sandbox);
  control = btcpayControl(sandbox.url);
});
afterEach(() => control.post('reset'));
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

function newCall(holdfastCall = 'create/1'): CallIdentity {
  const holdfastId = `payment/test/${randomUUID()}`;
  return { idempotencyKey: `${holdfastId}/${holdfastCall}`, holdfastId, holdfastCall };
}

function create(call: CallIdentity, timeoutMs = EXCHANGE.timeoutMs) {
  const expiresAtUnixSeconds = Math.floor(Date.now() / 1000) + 1_800;
  return adapter.createPayment({ paymentNo: 'PY1', orderNo: 'O1', expiresAtUnixSeconds, ...MONEY }, call, {
    timeoutMs,
  });
}

async function created(): Promise<{ id: string; call: CallIdentity }> {
  const call = newCall();
  return { id: paymentOf((await create(call)).answer).channelPaymentNo, call };
}

async function paid(): Promise<{ id: string; call: CallIdentity }> {
  const payment = await created();
  await control.post(`invoices/${payment.id}/pay`, { confirmed: true });
  return payment;
}

function refund(id: string, call: CallIdentity, amount: number, timeoutMs = EXCHANGE.timeoutMs) {
  const target = { kind: 'payment' as const, channelNo: id, ...MONEY };
  return adapter.createRefund({ refundNo: 'RF1', target, amount, currency: 'USD' }, call, { timeoutMs });
}

const cancel = (id: string) =>
  adapter.cancelPayment({ channelPaymentNo: id, currency: 'USD' }, newCall('cancel/1'), EXCHANGE);
const query = (id: string) => adapter.queryPayment(id, EXCHANGE);
const invoicesOf = async ({ holdfastId }: CallIdentity) => (await control.books(holdfastId)).invoices;

describe('a create', () => {
  test.each(['error_before', 'error_after', 'reset_before', 'reset_after', 'timeout_after'])(
    '%s may have been executed, and the same call again makes it one invoice',
    async (fault) => {
      const call = newCall();
      await control.fault('create', fault);
      expect(await faultOf(create(call, 400))).toMatchObject({
        execution: 'maybe_executed',
        storedAnswer: false,
      });
      const { answer, customer } = await create(call);
      expect(customer.nextAction?.type).toBe('redirect');
      expect(await invoicesOf(call)).toMatchObject([
        { id: paymentOf(answer).channelPaymentNo, status: 'New' },
      ]);
    },
  );

  test.each(['error_before', 'reset_before', 'timeout_after'])(
    'whose look-up fails (%s) was certainly not sent',
    async (fault) => {
      const call = newCall();
      await control.fault('list', fault);
      expect(await faultOf(create(call, 400))).toMatchObject({ execution: 'not_sent' });
      expect(await invoicesOf(call)).toEqual([]);
    },
  );

  test.each(['error_before', 'reset_before', 'timeout_after'])(
    'whose invoice is there and cannot be read (%s) may have been executed',
    async (fault) => {
      const { id, call } = await created();
      await control.fault('payment-methods', fault);
      expect(await faultOf(create(call, 400))).toMatchObject({ execution: 'maybe_executed' });
      expect(paymentOf((await create(call)).answer).channelPaymentNo).toBe(id);
    },
  );

  test('whose look-up is declined says nothing of earlier sends', async () => {
    const stranger = openCrypto({ ...sandbox, apiKey: 'nobody' });
    const request = { paymentNo: 'PY1', orderNo: 'O1', expiresAtUnixSeconds: Date.now() / 1000 + 60 };
    const { answer } = await stranger.createPayment({ ...request, ...MONEY }, newCall(), EXCHANGE);
    expect(answer).toMatchObject({ kind: 'declined', code: 'account_invalid', ofPreparation: true });
    stranger.close();
  });

  test('an attempt given up that is executed during the repeat: one invoice stays open, and it is the answer', async () => {
    const call = newCall();
    await control.fault('create', 'slow', { delayMs: 500 });
    await control.fault('create', 'slow', { delayMs: 600 });
    expect(await faultOf(create(call, 200))).toMatchObject({ execution: 'maybe_executed' });
    const number = paymentOf((await create(call)).answer).channelPaymentNo;
    const invoices = await invoicesOf(call);
    expect(invoices.map(({ status }) => status).sort()).toEqual(['Invalid', 'New']);
    expect(invoices.find(({ status }) => status === 'New')?.id).toBe(number);
    expect(paymentOf((await create(call)).answer).channelPaymentNo).toBe(number);
  });

  test('an attempt given up that is executed after the repeat is closed by the next look', async () => {
    const call = newCall();
    await control.fault('create', 'slow', { delayMs: 700 });
    await faultOf(create(call, 200));
    await create(call);
    await pause(900);
    expect(await invoicesOf(call)).toMatchObject([{ status: 'New' }, { status: 'New' }]);
    const number = paymentOf((await create(call)).answer).channelPaymentNo;
    const open = (await invoicesOf(call)).filter(({ status }) => status === 'New');
    expect(open.map(({ id }) => id)).toEqual([number]);
    const found = await adapter.findPayments(call, { fromUnixSeconds: 0, toUnixSeconds: 0 }, EXCHANGE);
    expect(found.map(({ snapshot }) => snapshot.channelPaymentNo)).toEqual([number]);
  });

  test('a second look that fails does not lose the answer', async () => {
    const call = newCall();
    await control.fault('create', 'slow', { delayMs: 400 });
    const answered = create(call);
    await pause(200);
    await control.fault('list', 'error_before');
    expect(paymentOf((await answered).answer).status).toBe('requires_action');
  });
});

describe('a refund', () => {
  test.each(['error_before', 'error_after', 'reset_after', 'timeout_after'])(
    '%s may have been executed, and the same call again makes it one pull payment',
    async (fault) => {
      const { id, call: payment } = await paid();
      const call = newCall('refund/1');
      await control.fault('refund', fault);
      expect(await faultOf(refund(id, call, 20_000, 600))).toMatchObject({ execution: 'maybe_executed' });
      const { channelRefundNo } = refundOf(await refund(id, call, 20_000));
      expect((await invoicesOf(payment))[0]?.refunds.map((row) => row.id)).toEqual([channelRefundNo]);
    },
  );

  test('an attempt given up that is executed during the repeat: one can be claimed, and it is the answer', async () => {
    const { id, call: payment } = await paid();
    const call = newCall('refund/1');
    await control.fault('refund', 'slow', { delayMs: 700 });
    await control.fault('refund', 'slow', { delayMs: 800 });
    expect(await faultOf(refund(id, call, 50_000, 400))).toMatchObject({ execution: 'maybe_executed' });
    const { channelRefundNo } = refundOf(await refund(id, call, 50_000));
    const refunds = (await invoicesOf(payment))[0]?.refunds ?? [];
    expect(refunds.filter(({ archived }) => !archived).map((row) => row.id)).toEqual([channelRefundNo]);
    expect(refunds).toHaveLength(2);
    // The archived one gives nothing back, so that the sum is what the customer can have.
    expect((await query(id))?.amountRefunded).toBe(50_000);
  });

  test('claimed, cancelled and claimed again is pending all the time; claimed in part and archived is unknown', async () => {
    const { id } = await paid();
    const { channelRefundNo: no } = refundOf(await refund(id, newCall('refund/1'), 20_000));
    const target = { kind: 'payment' as const, channelNo: id, ...MONEY };
    const status = async () => (await adapter.listRefunds(target, EXCHANGE)).map((row) => row.status);
    await control.post(`pull-payments/${no}/claim`);
    await control.post(`pull-payments/${no}/cancel-payout`);
    expect(await status()).toEqual(['pending']);
    await control.post(`pull-payments/${no}/claim`, { amount: '50.00' });
    await control.post(`pull-payments/${no}/complete`);
    expect(await status()).toEqual(['pending']);
    await control.post(`pull-payments/${no}/archive`);
    expect(await status()).toEqual(['unknown']);
  });
});

describe('what the payer decides', () => {
  test('too little is seen, and stays seen after the expiry', async () => {
    const { id } = await created();
    await control.post(`invoices/${id}/pay`, { amount: '200.00' });
    expect(await query(id)).toMatchObject({ status: 'requires_action', amountPaid: 0 });
    expect(await cancel(id)).toMatchObject({ kind: 'declined', code: 'invalid_state' });
    await control.post(`invoices/${id}/confirm`);
    await control.post(`invoices/${id}/expire`);
    const expired = { status: 'canceled', closeCause: 'deadline', amountPaid: 20_000, irregular: 'partial' };
    expect(await query(id)).toMatchObject(expired);
    expect(refundOf(await refund(id, newCall('refund/1'), 20_000)).status).toBe('pending');
  });

  test('too much', async () => {
    const { id } = await created();
    await control.post(`invoices/${id}/pay`, { amount: '600.00', lightning: true });
    expect(await query(id)).toMatchObject({ status: 'succeeded', amountPaid: 60_000, irregular: 'over' });
    expect(refundOf(await refund(id, newCall('refund/1'), 60_000)).amount).toBe(60_000);
  });

  test('too late', async () => {
    const { id } = await created();
    await control.post(`invoices/${id}/expire`);
    expect(await query(id)).toMatchObject({ status: 'canceled', closeCause: 'deadline', amountPaid: 0 });
    await control.post(`invoices/${id}/pay`, { confirmed: true });
    expect(await query(id)).toMatchObject({ status: 'canceled', amountPaid: 50_000, irregular: 'late' });
  });

  test('confirmed later: processing, and then it is there', async () => {
    const { id } = await created();
    await control.post(`invoices/${id}/pay`);
    expect(await query(id)).toMatchObject({ status: 'processing', amountPaid: 0 });
    await control.post(`invoices/${id}/confirm`);
    expect(await query(id)).toMatchObject({ status: 'succeeded', amountPaid: 50_000 });
  });

  test('never confirmed', async () => {
    const { id } = await created();
    await control.post(`invoices/${id}/pay`);
    await control.post(`invoices/${id}/double-spend`);
    expect(await query(id)).toMatchObject({ status: 'failed', amountPaid: 0 });
  });
});

describe('a cancel', () => {
  test('paid and final in the same instant: the payment wins', async () => {
    const { id } = await created();
    await control.fault('mark', 'slow', { delayMs: 400 });
    const answered = cancel(id);
    await pause(200);
    await control.post(`invoices/${id}/pay`, { confirmed: true });
    expect(await answered).toMatchObject({ kind: 'declined', code: 'invalid_state' });
    expect(await query(id)).toMatchObject({ status: 'succeeded', amountPaid: 50_000 });
  });

  test('paid and not yet final in the same instant: closed, and the money is late when it comes', async () => {
    const { id } = await created();
    await control.fault('mark', 'slow', { delayMs: 400 });
    const answered = cancel(id);
    await pause(200);
    await control.post(`invoices/${id}/pay`);
    expect(await answered).toMatchObject({ kind: 'done', snapshot: { status: 'canceled', amountPaid: 0 } });
    await control.post(`invoices/${id}/confirm`);
    expect(await query(id)).toMatchObject({ status: 'canceled', amountPaid: 50_000, irregular: 'late' });
  });

  test.each(['error_after', 'timeout_after'])(
    '%s may have been executed; again it is done',
    async (fault) => {
      const { id } = await created();
      await control.fault('mark', fault);
      const lost = adapter.cancelPayment({ channelPaymentNo: id, currency: 'USD' }, newCall('cancel/1'), {
        timeoutMs: 500,
      });
      expect(await faultOf(lost)).toMatchObject({ execution: 'maybe_executed' });
      expect(await cancel(id)).toMatchObject({ kind: 'done', snapshot: { status: 'canceled' } });
    },
  );
});
