/** The checker of the chaos tests finds what it is there to find: a right book passes, every wrong one is named. */
import type { Books } from '../../dev/stripe-sandbox/books';
import { eventId } from '../../src/stores/outbox';
import { checkBooks } from './check-books';
import type { Evidence } from './check-books';

const MERCHANT = '11111111-1111-4111-8111-111111111111';
const HOLD = { merchantId: MERCHANT, objectKind: 'pre_auth', objectNo: 'PA1' } as const;
const HOLDFAST_ID = `pre-auth/${MERCHANT}/PA1`;

const call = (operation: string): Books['calls'][number] => ({
  operation,
  idempotency_key: `${HOLDFAST_ID}/${operation}/1`,
  payment_intent: 'pi_1',
  holdfast_id: HOLDFAST_ID,
  holdfast_call: `${operation}/1`,
  executed: true,
  replayed: false,
  status: 200,
  at: 1,
});

const intent: Books['payment_intents'][number] = {
  id: 'pi_1',
  amount: 50_000,
  currency: 'usd',
  amount_capturable: 0,
  amount_received: 32_000,
  status: 'succeeded',
  metadata: { holdfast_id: HOLDFAST_ID },
  created: 1,
  released: 18_000,
};

const row = {
  merchant_id: MERCHANT,
  pre_auth_no: 'PA1',
  order_no: 'O1',
  status: 'succeeded',
  channel_pre_auth_no: 'pi_1',
  amount: 50_000,
  amount_capturable: 0,
  amount_captured: 32_000,
  event_sequence: 2,
};

/** 500.00 USD held, 320.00 captured, the rest given back. */
const RIGHT: Evidence = {
  holds: [row],
  calls: [
    { object_no: 'PA1', operation: 'create', state: 'executed', amount: 50_000 },
    { object_no: 'PA1', operation: 'capture', state: 'executed', amount: 32_000 },
  ],
  events: [1, 2, -1].map((sequence) => ({ object_no: 'PA1', sequence })),
  notifications: [1, 2].map((sequence) => ({
    payment_no: 'PA1',
    event_id: eventId({ ...HOLD, sequence }),
    endpoint_id: 'E1',
  })),
  claims: [{ order_no: 'O1', number: 'PA1', state: 'paid' }],
  endpoints: ['E1'],
  books: {
    payment_intents: [intent],
    totals: { usd: { held: 0, captured: 32_000, released: 18_000 } },
    calls: [call('create'), { ...call('create'), executed: false, replayed: true }, call('capture')],
  },
  accepted: ['PA1'],
  confirmed: new Set(['PA1']),
  told: [{ preAuthNo: 'PA1', status: 'succeeded', amountCaptured: 32_000 }],
};

const withBooks = (books: Partial<Books>): Partial<Evidence> => ({ books: { ...RIGHT.books, ...books } });
const withRow = (change: Partial<typeof row>): Partial<Evidence> => ({ holds: [{ ...row, ...change }] });

it('finds nothing in a right book', () => {
  expect(checkBooks(RIGHT)).toEqual([]);
});

it.each<[string, Partial<Evidence>, RegExp]>([
  ['an accepted hold that is gone', { accepted: ['PA1', 'PA2'] }, /PA2 was accepted and is gone/],
  [
    'a PaymentIntent without a hold',
    withBooks({ payment_intents: [intent, { ...intent, id: 'pi_2', metadata: {} }] }),
    /pi_2 belongs to no hold/,
  ],
  [
    'two PaymentIntents of one hold',
    withBooks({ payment_intents: [intent, { ...intent, id: 'pi_2' }] }),
    /it has 2 PaymentIntents/,
  ],
  ['a hold without a PaymentIntent', withBooks({ payment_intents: [] }), /it has no PaymentIntent/],
  ['a cent too many in the row', withRow({ amount_captured: 32_001 }), /captures make 32000, not 32001/],
  [
    'a cent that nobody has',
    withBooks({ payment_intents: [{ ...intent, released: 17_999 }] }),
    /49999 is accounted for/,
  ],
  ['money held for nobody', { confirmed: new Set<string>() }, /50000 is accounted for at the channel, not 0/],
  ['a status the channel does not know', withRow({ status: 'canceled' }), /the row says .*canceled/],
  [
    'a capture done twice',
    withBooks({ calls: [...RIGHT.books.calls, call('capture')] }),
    /1 executed capture/,
  ],
  ['a create done twice', withBooks({ calls: [...RIGHT.books.calls, call('create')] }), /2 at the channel/],
  [
    'a call left open',
    { calls: [...RIGHT.calls, { object_no: 'PA1', operation: 'cancel', state: 'open', amount: 0 }] },
    /1 calls were left open/,
  ],
  ['a gap in the events', { events: [{ object_no: 'PA1', sequence: 2 }] }, /its events are 2, not 1,2/],
  ['a missing notification', { notifications: RIGHT.notifications.slice(1) }, /1 notifications were written/],
  [
    'a doubled notification',
    { notifications: [...RIGHT.notifications, ...RIGHT.notifications.slice(1)] },
    /3 notifications were written for 2/,
  ],
  [
    'an order left claimed',
    { claims: [{ order_no: 'O1', number: 'PA1', state: 'live' }] },
    /is live, not paid/,
  ],
  ['an order without its claim', { claims: [] }, /is none, not paid/],
  [
    'a claim of nobody',
    { claims: [...RIGHT.claims, { order_no: 'O2', number: 'PA2', state: 'live' }] },
    /PA2/,
  ],
  [
    'another total',
    withBooks({ totals: { usd: { held: 1, captured: 32_000, released: 18_000 } } }),
    /0 held and 32000 captured, but 1 and/,
  ],
  [
    'a promise that was not kept',
    { told: [{ preAuthNo: 'PA1', status: 'succeeded', amountCaptured: 30_000 }] },
    /told succeeded with 30000/,
  ],
])('names %s', (_, change, sentence) => {
  expect(checkBooks({ ...RIGHT, ...change }).join('\n')).toMatch(sentence);
});
