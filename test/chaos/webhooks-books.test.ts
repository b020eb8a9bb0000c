/** The checker of the kill test finds what it is there to find: a right book passes, every wrong one is named. */
import { checkWebhooks, repeatsIn } from './webhook-books';
import type { NotificationBook, WebhookEvidence } from './webhook-books';
import type { Delivery } from './webhook-shop';

const delivery = (id: string, status: number | null, attempt = 1): Delivery => ({
  ...{ path: '/shop', id, event: 'payment.success', attempt, atMs: 1, open: 1, status },
});
const book = (event_id: string, change: Partial<NotificationBook> = {}): NotificationBook => ({
  ...{
    id: `row-${event_id}`,
    event_id,
    path: '/shop',
    status: 'success',
    attempts: 1,
    max_attempts: 2,
    failures: 0,
  },
  ...change,
});
const GIVEN_UP = book('b', { status: 'failed', attempts: 2, failures: 2 });

/** One arrived at the second attempt, one was given up after both. */
const RIGHT: WebhookEvidence = {
  owed: new Map([['/shop', ['a', 'b']]]),
  books: [book('a', { attempts: 2, failures: 1 }), GIVEN_UP],
  deliveries: [delivery('a', 500), delivery('a', 200, 2), delivery('b', 503), delivery('b', null, 2)],
};

it('finds nothing in a right book', () => {
  expect(checkWebhooks(RIGHT)).toEqual([]);
  expect(repeatsIn(RIGHT.deliveries)).toBe(0);
});

it.each<[string, Partial<WebhookEvidence>, RegExp]>([
  ['a notification that is gone', { books: [book('a')] }, /b was committed and is gone/],
  ['a row of nobody', { owed: new Map([['/shop', ['b']]]) }, /a has a row and nobody made it/],
  [
    'another webhook-id',
    { deliveries: [...RIGHT.deliveries, delivery('c', 200)] },
    /c was delivered under an id/,
  ],
  ['a success that never arrived', { deliveries: [delivery('a', 500)] }, /a: .*never arrived/],
  [
    'a delivery at another endpoint',
    { deliveries: RIGHT.deliveries.map((one) => ({ ...one, path: '/else' })) },
    /\/else a was delivered under an id/,
  ],
  [
    'given up although it arrived',
    { deliveries: [...RIGHT.deliveries, delivery('b', 204)] },
    /b: .*it had arrived/,
  ],
  [
    'given up too soon',
    { books: [book('a'), { ...GIVEN_UP, attempts: 1, failures: 1 }] },
    /1 failures on record/,
  ],
  [
    'given up without the attempts',
    { books: [book('a'), { ...GIVEN_UP, failures: 1 }] },
    /1 failures .* 2 counted/,
  ],
  ['one that was left', { books: [book('a'), book('b', { status: 'retrying' })] }, /b: it is still retrying/],
])('names %s', (_, change, sentence) => {
  expect(checkWebhooks({ ...RIGHT, ...change }).join('\n')).toMatch(sentence);
});

it('counts what was told twice, by path and id', () => {
  const again = [delivery('a', 200), delivery('a', 200), { ...delivery('a', 200), path: '/other' }];
  expect(repeatsIn([...RIGHT.deliveries, ...again])).toBe(2);
});
