/** The check itself: right books are found right, and each thing that can be wrong is found. */
import { checkPaymentBooks } from './payment-books';
import type { PaymentEvidence } from './payment-books';

const PAID = {
  ...{ merchant_id: 'm', payment_no: 'PY1', order_no: 'O1', status: 'success' },
  ...{ amount: 500, amount_paid: 500, refund_reserved: 200, refunded_external: 0 },
  ...{ event_sequence: 1, needs_attention: null },
};
const EXPIRED = {
  ...PAID,
  ...{ payment_no: 'PY2', status: 'expired', amount_paid: 0, refund_reserved: 0, event_sequence: 2 },
};
const REFUND = {
  ...{ refund_no: 'RF1', object_no: 'PY1', late_payment_id: null, channel_refund_no: 're_1' },
  ...{ amount: 200, status: 'success', event_sequence: 1, needs_attention: null },
};
const event = (kind: string, no: string, sequence: number, type: string, data = {}) => ({
  ...{ object_kind: kind, object_no: no, sequence, type, data },
});

/** A payment, a part of which went back, and an earlier one of the same order that was paid too late. */
const RIGHT: PaymentEvidence = {
  payments: [PAID, EXPIRED],
  refunds: [REFUND],
  late: [{ id: 'L1', object_no: 'PY2', kind: 'late', amount: 500 }],
  claims: [{ order_no: 'O1', number: 'PY1', state: 'paid' }],
  events: [
    event('payment', 'PY1', 1, 'payment.success'),
    event('payment', 'PY2', -1, 'channel.late_event'),
    event('payment', 'PY2', 1, 'payment.expired'),
    event('payment', 'PY2', 2, 'payment.late_paid', { late_payment_id: 'L1' }),
    event('refund', 'RF1', 1, 'refund.success'),
  ],
  openCalls: [],
  books: [
    {
      channel: 'stripe',
      holdfastId: 'payment/m/PY1',
      paid: 500,
      refunds: [{ id: 're_1', amount: 200 }],
    },
    { channel: 'crypto', holdfastId: 'payment/m/PY2', paid: 500, refunds: [] },
  ],
  accepted: ['PY1', 'PY2'],
};
const [STRIPE, CRYPTO] = RIGHT.books as [PaymentEvidence['books'][number], PaymentEvidence['books'][number]];

it('finds nothing wrong with right books', () => {
  expect(checkPaymentBooks(RIGHT)).toEqual([]);
});

const WRONG: Readonly<Record<string, readonly [Partial<PaymentEvidence>, string]>> = {
  'a payment that is gone': [{ accepted: ['PY1', 'PY2', 'PY3'] }, 'PY3 was accepted and is gone'],
  'money of nobody': [{ books: [...RIGHT.books, { ...CRYPTO, holdfastId: 'payment/m/PY9' }] }, 'which is no payment'],
  'a call left open': [{ openCalls: ['PY1 create'] }, 'a call was left open: PY1 create'],
  'a payment left open': [{ payments: [{ ...PAID, status: 'processing' }, EXPIRED] }, 'it is still processing'],
  'a question to a person': [{ payments: [{ ...PAID, needs_attention: 'look' }, EXPIRED] }, 'it needs attention'],
  'one cent less': [{ books: [{ ...STRIPE, paid: 499 }, CRYPTO] }, 'but 499 at the channel'],
  'paid twice at the channel': [{ books: [...RIGHT.books, STRIPE] }, 'it was paid 2 times'],
  'late money without a row': [{ late: [] }, 'expired with 0 and 0 late, but 500 at the channel'],
  'late money nobody was told of': [{ events: RIGHT.events.slice(0, 3) }, 'told 0 times of 500'],
  'a refund we know nothing of': [{ books: [{ ...STRIPE, refunds: [{ id: 're_1', amount: 200 }, { id: 're_2', amount: 1 }] }, CRYPTO] }, 'its refunds are re_1 200, at the channel re_1 200,re_2 1'],
  'more refunded than paid': [{ books: [{ ...STRIPE, refunds: [{ id: 're_1', amount: 501 }] }, CRYPTO] }, '501 went back of 500'],
  'a wrong reservation': [{ payments: [{ ...PAID, refund_reserved: 300 }, EXPIRED] }, '300 is reserved for 200'],
  'a refund left open': [{ refunds: [{ ...REFUND, status: 'pending' }] }, 'refund RF1 is still pending'],
  'an event that is missing': [{ payments: [{ ...PAID, event_sequence: 2 }, EXPIRED] }, 'events of PY1 are 1, not 1,2'],
  'an end told twice': [{ payments: [{ ...PAID, event_sequence: 2 }, EXPIRED], events: [...RIGHT.events, event('payment', 'PY1', 2, 'payment.failed')] }, 'told 2 times'],
  'an order nobody holds': [{ claims: [] }, 'its claim on the order is none, not paid O1'],
  'an order paid twice': [{ payments: [PAID, EXPIRED, { ...PAID, payment_no: 'PY3' }] }, 'order O1 is paid by PY1 and PY3'],
}; // prettier-ignore

it.each(Object.keys(WRONG))('finds %s', (what) => {
  const [change, sentence] = WRONG[what] ?? [{}, ''];
  expect(checkPaymentBooks({ ...RIGHT, ...change }).join('; ')).toContain(sentence);
});
