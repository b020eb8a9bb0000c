/** The settlement report of a day against the sandbox's own books, to the cent. */
import type { BooksWithRefunds } from '../../dev/stripe-sandbox/books';
import { DEFAULT_FEES, feeOf } from '../../src/domain/fees';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { RefundClient } from './refund-client';
import type { PaidObject } from './refund-client';
import { seededRandom } from '../../dev/seeded-random';

const OBJECTS = 8;

let system: System;
let refunds: RefundClient;

beforeAll(async () => {
  system = await startSystem();
  refunds = new RefundClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

interface Report {
  readonly is_complete: boolean;
  readonly items: {
    readonly merchant_id: string;
    readonly currency: string;
    readonly captures: { readonly count: number; readonly amount: number };
    readonly late: { readonly amount: number };
    readonly refunds: { readonly count: number; readonly amount: number };
    readonly disputes_lost: { readonly amount: number };
    readonly fees: number;
    readonly net: number;
  }[];
  readonly totals: object[];
}

const dayOf = (at: Date) => at.toISOString().slice(0, 10);

async function seedDay(): Promise<void> {
  const random = seededRandom(20_260_131);
  const objects: PaidObject[] = [];
  for (let n = 0; n < OBJECTS; n++) objects.push(await refunds.paid(n % 2 === 0 ? 'payment' : 'pre_auth'));
  // The customer never comes, and the hold is released: neither is money.
  await system.client().open();
  const released = await system.client().held(system.sandbox.url);
  expect((await system.client().cancel(released.pre_auth_no)).status).toBe(200);
  const partly = await system.client().held(system.sandbox.url);
  expect((await system.client().capture(partly.pre_auth_no, { amount: 12_345 })).status).toBe(200);
  for (const object of objects.slice(0, 5)) {
    const amount = 1 + Math.floor(random() * 20_000);
    expect((await refunds.refund(object, { amount })).data.status).toBe('success');
  }
  await refundByHand(objects[5]);
  await loseDispute(objects[6]);
}

async function refundByHand(object: PaidObject | undefined): Promise<void> {
  await system.sandbox.post(`payment_intents/${object?.channelNo}/refund-by-dashboard`, { amount: 4_321 });
  await eventually(
    'the refund is imported',
    () =>
      system.rows(`SELECT 1 FROM imported_refunds WHERE object_no = $1 AND status = 'success'`, [object?.no]),
    (rows) => rows.length === 1,
  );
}

async function loseDispute(object: PaidObject | undefined): Promise<void> {
  await system.sandbox.post(`payment_intents/${object?.channelNo}/dispute`, { amount: 9_999 });
  await system.sandbox.post(`payment_intents/${object?.channelNo}/close-dispute`, { outcome: 'lost' });
  await eventually(
    'the dispute is lost',
    () => system.rows(`SELECT 1 FROM disputes WHERE object_no = $1 AND status = 'lost'`, [object?.no]),
    (rows) => rows.length === 1,
  );
}

it('says what the books say', async () => {
  const date = dayOf(new Date());
  await seedDay();
  // A day that ended meanwhile would have both its halves in two reports.
  expect(dayOf(new Date())).toBe(date);
  const books = (await system.sandbox.books()) as BooksWithRefunds;
  const taken = books.payment_intents.filter(({ amount_received: received }) => received > 0);
  const captured = taken.reduce((sum, { amount_received: received }) => sum + received, 0);
  const fees = taken.reduce(
    (sum, { amount_received: amount }) => sum + feeOf({ amount, currency: 'USD' }, DEFAULT_FEES.stripe),
    0,
  );
  const lost = books.disputes.filter(({ status }) => status === 'lost');
  const expected = {
    merchant_id: system.merchant.merchantId,
    channel: 'stripe',
    channel_account_id: system.accountId,
    currency: 'USD',
    captures: { count: OBJECTS + 1, amount: captured },
    late: { count: 0, amount: 0 },
    refunds: { count: 6, amount: books.refunded['usd'] },
    disputes_lost: { count: 1, amount: lost[0]?.amount },
    fees,
    net: captured - (books.refunded['usd'] ?? NaN) - (lost[0]?.amount ?? NaN) - fees,
  };
  const own = await system.client().call<Report>(`/api/v1/settlement?date=${date}`);
  expect(own.data).toMatchObject({ is_complete: false, items: [expected] });
  const all = await system.admin<Report>(`settlement?date=${date}`);
  expect(all.data.items).toMatchObject([{ ...expected, merchant_name: 'Grand Hotel' }]);
  expect(all.data.totals).toEqual([
    {
      currency: 'USD',
      captured,
      late_received: 0,
      refunded: books.refunded['usd'],
      disputes_lost: 9_999,
      fees,
      net: expected.net,
    },
  ]);
  const before = await system.client().call<Report>('/api/v1/settlement?date=2020-02-29');
  expect(before.data).toMatchObject({ is_complete: true, items: [], totals: [] });
});
