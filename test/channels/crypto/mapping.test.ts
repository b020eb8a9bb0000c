import {
  arrivedOf,
  mapRefund,
  mapStatus,
  PAYOUT_TABLE,
  STATUS_TABLE,
  toAnswer,
  toCustomerStep,
  toRefundSnapshot,
  toSnapshot,
} from '../../../src/channels/crypto/mapping';
import { describeRefund } from '../../../src/channels/crypto/identity';
import type { Invoice, PaymentMethods, PullPayment } from '../../../src/channels/crypto/wire';

const invoice = (status: string, additionalStatus = 'None', more: Partial<Invoice> = {}): Invoice => ({
  id: 'inv',
  amount: '500.00',
  currency: 'USD',
  status,
  additionalStatus,
  checkoutLink: 'https://btcpay.example/i/inv',
  createdTime: 1,
  metadata: { holdfast_id: 'payment/m/1', holdfast_call: 'create/1' },
  ...more,
});

/** Payments on chain at 50 000 USD, so that 0.01 BTC is the 500.00 asked for. */
const paid = (...payments: (readonly [value: string, status: string, fee?: string])[]): PaymentMethods => [
  {
    currency: 'BTC',
    rate: '50000',
    payments: payments.map(([value, status, fee = '0']) => ({ value, status, fee })),
  },
];

const SETTLED = paid(['0.01', 'Settled']);

describe('the status of an invoice', () => {
  test.each([
    ['New None', 'requires_action', undefined],
    ['New PaidPartial', 'requires_action', undefined],
    ['Processing None', 'processing', undefined],
    ['Processing PaidOver', 'processing', undefined],
    ['Processing PaidPartial', 'processing', undefined],
    ['Processing PaidLate', 'processing', undefined],
    ['Settled None', 'succeeded', undefined],
    ['Settled PaidOver', 'succeeded', undefined],
    ['Settled PaidPartial', 'succeeded', undefined],
    ['Settled PaidLate', 'succeeded', undefined],
    ['Settled Marked', 'succeeded', undefined],
    ['Expired None', 'canceled', 'deadline'],
    ['Expired PaidPartial', 'canceled', 'deadline'],
    ['Expired PaidLate', 'canceled', 'deadline'],
    ['Expired PaidOver', 'canceled', 'deadline'],
    ['Invalid None', 'failed', undefined],
    ['Invalid Invalid', 'failed', undefined],
    ['Invalid PaidPartial', 'failed', undefined],
    ['Invalid PaidOver', 'failed', undefined],
    ['Invalid PaidLate', 'failed', undefined],
    ['Invalid Marked', 'canceled', 'requested'],
  ])('%s is %s', (pair, status, closeCause) => {
    const [first = '', second = ''] = pair.split(' ');
    expect(mapStatus(first, second)).toEqual({ status, ...(closeCause === undefined ? {} : { closeCause }) });
  });

  test('the table has no row that is not tested above', () => {
    expect(Object.keys(STATUS_TABLE)).toHaveLength(21);
  });

  test.each([
    ['Complete', 'None'],
    ['New', 'Marked'],
    ['Settled', 'Whatever'],
    ['constructor', 'None'],
  ])('%s %s is unknown, never a guess', (status, additional) => {
    expect(mapStatus(status, additional).status).toBe('unknown');
    expect(toAnswer(toSnapshot(invoice(status, additional), [], [])).kind).toBe('pending');
  });
});

describe('what arrived', () => {
  test.each([
    ['nothing', invoice('New'), paid(), 0, undefined],
    ['exactly', invoice('Settled'), SETTLED, 50_000, undefined],
    ['unconfirmed money is not there yet', invoice('Processing'), paid(['0.01', 'Processing']), 0, undefined],
    ['double spent money never was', invoice('Invalid'), paid(['0.01', 'Invalid']), 0, undefined],
    ['in two parts', invoice('Settled'), paid(['0.004', 'Settled'], ['0.006', 'Settled']), 50_000, undefined],
    ['the fee on top is not for the invoice', invoice('Settled'), paid(['0.0101', 'Settled', '0.0001']), 50_000, undefined],
    ['less than its fee', invoice('New', 'PaidPartial'), paid(['0.0001', 'Settled', '0.0002']), 0, undefined],
    ['part of it while open', invoice('New', 'PaidPartial'), paid(['0.004', 'Settled']), 20_000, undefined],
    ['part of it at expiry', invoice('Expired', 'PaidPartial'), paid(['0.004', 'Settled']), 20_000, 'partial'],
    ['part of it, unconfirmed', invoice('Expired', 'PaidPartial'), paid(['0.004', 'Processing']), 0, undefined],
    ['late', invoice('Expired', 'PaidLate'), SETTLED, 50_000, 'late'],
    ['late, unconfirmed', invoice('Expired', 'PaidLate'), paid(['0.01', 'Processing']), 0, undefined],
    ['after our cancel', invoice('Invalid', 'Marked'), SETTLED, 50_000, 'late'],
    ['a part after our cancel', invoice('Invalid', 'Marked'), paid(['0.001', 'Settled']), 5_000, 'partial'],
    ['too much', invoice('Settled', 'PaidOver'), paid(['0.012', 'Settled']), 60_000, 'over'],
    ['twice, after it was settled', invoice('Settled'), paid(['0.01', 'Settled'], ['0.01', 'Settled']), 100_000, 'over'],
    ['too much, the rest unconfirmed', invoice('Settled', 'PaidOver'), paid(['0.01', 'Settled'], ['0.002', 'Processing']), 50_000, undefined],
    ['settled late', invoice('Settled', 'PaidLate'), SETTLED, 50_000, 'late'],
    ['settled by hand without a payment', invoice('Settled', 'Marked'), paid(), 50_000, undefined],
    ['settled by hand with a part', invoice('Settled', 'Marked'), paid(['0.004', 'Settled']), 20_000, 'partial'],
    ['a satoshi too much is less than a cent', invoice('Settled', 'PaidOver'), paid(['0.01000001', 'Settled']), 50_000, undefined],
  ] as const)('%s', (_name, shown, methods, amountPaid, irregular) => {
    const snapshot = toSnapshot(shown, methods, []);
    expect(snapshot).toMatchObject({ amount: 50_000, amountPaid, currency: 'USD', holdfastCall: 'create/1' });
    expect(snapshot.irregular).toBe(irregular);
  }); // prettier-ignore

  test('one satoshi that is worth several of the smallest unit is rounding, two are too much', () => {
    const rupees = invoice('Settled', 'PaidOver', { amount: '100.00', currency: 'INR' });
    const at = (value: string): PaymentMethods => [
      { currency: 'BTC', rate: '42000000', payments: [{ value, fee: '0', status: 'Settled' }] },
    ];
    // 239 satoshis are 100.38: the least that is not below 100.00.
    expect(toSnapshot(rupees, at('0.00000239'), [])).toMatchObject({ amountPaid: 10_000 });
    expect(toSnapshot(rupees, at('0.00000241'), [])).toMatchObject({ amountPaid: 10_122, irregular: 'over' });
  });

  test('each method counts with its own rate, and the sum is rounded once', () => {
    const methods: PaymentMethods = [
      { currency: 'BTC', rate: '50000.5', payments: [{ value: '0.00000001', fee: null, status: 'Settled' }] },
      { cryptoCode: 'LTC', rate: '80.123', payments: [{ value: '0.0001', status: 'Settled' }] },
    ];
    // 0.000500005 + 0.0080123
    expect(arrivedOf(methods, 'USD')).toMatchObject({ settled: 0, isTouched: true });
    const twice = methods.map((row) => ({ ...row, payments: [...row.payments, ...row.payments] }));
    expect(arrivedOf(twice, 'USD').settled).toBe(1);
  });

  test('an amount that is none of the currency is a fault', () => {
    const odd = invoice('New', 'None', { amount: '5.001' });
    expect(() => toSnapshot(odd, [], [])).toThrow('maybe_executed: amount_not_representable');
  });
});

test('the customer gets the checkout page only while there is something to pay, and only on the web', () => {
  const url = 'https://btcpay.example/i/inv';
  expect(toCustomerStep(invoice('New'))).toEqual({ nextAction: { type: 'redirect', url } });
  expect(toCustomerStep(invoice('Settled'))).toEqual({});
  expect(toCustomerStep(invoice('New', 'None', { checkoutLink: 'javascript:alert(1)' }))).toEqual({});
});

describe('refunds', () => {
  const identity = {
    invoiceId: 'inv',
    refundNo: 'RF1',
    holdfastId: 'refund/m/RF1',
    holdfastCall: 'refund/1',
  };
  const pull = (more: Partial<PullPayment> = {}): PullPayment => ({
    id: 'pp',
    name: 'HF-x',
    description: describeRefund(identity),
    currency: 'USD',
    amount: '100.00',
    archived: false,
    viewLink: 'https://btcpay.example/pull-payments/pp',
    startsAt: 1,
    ...more,
  });
  const payout = (state: string, originalAmount = '100.00') => ({ state, originalAmount });

  test.each([
    ['nobody has claimed it', false, [], 'pending'],
    ['claimed', false, [payout('AwaitingApproval')], 'pending'],
    ['approved', false, [payout('AwaitingPayment')], 'pending'],
    ['being sent', false, [payout('InProgress')], 'pending'],
    ['sent', false, [payout('Completed')], 'succeeded'],
    ['sent in two parts', false, [payout('Completed', '40'), payout('Completed', '60.00')], 'succeeded'],
    ['sent in part', false, [payout('Completed', '40')], 'pending'],
    ['the claim was cancelled: it can be claimed again', false, [payout('Cancelled')], 'pending'],
    ['archived', true, [], 'failed'],
    ['archived with its claim', true, [payout('Cancelled')], 'failed'],
    ['archived while being sent', true, [payout('InProgress')], 'pending'],
    ['archived after it was sent', true, [payout('Completed')], 'succeeded'],
    ['archived after a part was sent', true, [payout('Completed', '40')], 'unknown'],
    ['a state nobody knows', false, [payout('Frozen')], 'unknown'],
    ['a state that is a name of JavaScript', true, [payout('constructor')], 'unknown'],
  ] as const)('%s', (_name, archived, payouts, status) => {
    expect(mapRefund(pull({ archived }), [...payouts]).status).toBe(status);
  });

  test('the table has every state of a payout', () => {
    const states = ['AwaitingApproval', 'AwaitingPayment', 'Cancelled', 'Completed', 'InProgress'];
    expect(Object.keys(PAYOUT_TABLE).sort()).toEqual(states);
  });

  const measure = { currency: 'USD', ceiling: 50_000, methods: SETTLED };

  test('ours carries its number, identity and claim page', () => {
    expect(toRefundSnapshot(pull(), [], measure)).toEqual({
      channelRefundNo: 'pp',
      status: 'pending',
      currency: 'USD',
      amount: 10_000,
      refundNo: 'RF1',
      holdfastId: 'refund/m/RF1',
      holdfastCall: 'refund/1',
      claimUrl: 'https://btcpay.example/pull-payments/pp',
    });
    expect(toRefundSnapshot(pull({ archived: true }), [], measure)).not.toHaveProperty('claimUrl');
  });

  test.each([
    ['0.004', 20_000],
    ['0.00400001', 20_001],
    ['0.02', 50_000],
  ])('one made by hand of %s BTC counts as %d cents, and never more than was paid', (amount, expected) => {
    const byHand = pull({ name: 'Refund inv', description: null, currency: 'BTC', amount });
    const snapshot = toRefundSnapshot(byHand, [], measure);
    expect(snapshot).toMatchObject({ currency: 'USD', amount: expected, status: 'pending' });
    expect(snapshot.refundNo).toBeUndefined();
  });

  test('one in a currency without a rate is unknown', () => {
    const strange = pull({ currency: 'XMR' });
    expect(toRefundSnapshot(strange, [], measure)).toMatchObject({
      status: 'unknown',
      failureCode: 'currency',
    });
  });
});
