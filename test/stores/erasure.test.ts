/** Whose data are to be erased, a few at a time: repeating it comes to an end, by every name of the customer. */
import { findCustomerObjects, eraseCustomerOf } from '../../src/stores/erasure';
import { withTransaction } from '../../src/stores/postgres';
import { openRefundRows } from './refund-rows';
import type { RefundRows } from './refund-rows';

const LIMIT = 2;
const ORDER = 'O-1';
const EMAIL = 'guest@example.com';

let rows: RefundRows;

beforeEach(async () => {
  rows = await openRefundRows();
});
afterEach(() => rows?.close());

/** Payments of one order and one customer. @returns their numbers */
async function paidTimes(times: number): Promise<string[]> {
  const numbers: string[] = [];
  for (let i = 0; i < times; i += 1) numbers.push((await rows.paid()).no);
  await rows.db.query('UPDATE payments SET order_no = $1, customer_email = $2, metadata = $3', [
    ...[ORDER, EMAIL, { guest: 'Ada' }],
  ]);
  return numbers;
}

const find = (customer: Parameters<typeof findCustomerObjects>[2]) =>
  findCustomerObjects(rows.db, rows.merchantId, customer, LIMIT);

/** What one request does. @returns whether it was the last */
async function eraseSome(customer: Parameters<typeof findCustomerObjects>[2], met: Set<string>) {
  const { objects, isLast } = await find(customer);
  expect(objects.length).toBeLessThanOrEqual(LIMIT);
  for (const object of objects) {
    met.add(object.no);
    await withTransaction(rows.db, (tx) => eraseCustomerOf(tx, rows.merchantId, object));
  }
  return isLast;
}

test.each([
  [4, 'order_no', ORDER],
  [5, 'order_no', ORDER],
  [4, 'customer_email', EMAIL],
  [5, 'customer_email', EMAIL],
] as const)('of %i payments, by %s, all are reached, and then it says so', async (count, name, value) => {
  const numbers = await paidTimes(count);
  const met = new Set<string>();
  const said: boolean[] = [];
  while (said.at(-1) !== true && said.length < 10) said.push(await eraseSome({ name, value }, met));
  expect([...met].sort()).toEqual(numbers.sort());
  expect(said).toEqual([false, false, true]);
  const left = await rows.db.query(
    `SELECT FROM payments WHERE customer_email IS NOT NULL OR metadata <> '{}'`,
  );
  expect(left.rowCount).toBe(0);
});

test('what was erased can be erased again, and comes after what was not', async () => {
  const [first = '', second = '', third = ''] = (await paidTimes(3)).sort();
  const erase = async (no: string) => {
    const { objects } = await find({ name: 'payment_no', value: no });
    for (const object of objects)
      await withTransaction(rows.db, (tx) => eraseCustomerOf(tx, rows.merchantId, object));
    return objects.map((object) => object.is_erased);
  };
  expect(await erase(first)).toEqual([false]);
  expect(await erase(first)).toEqual([true]);
  const numbers = (await find({ name: 'order_no', value: ORDER })).objects.map(({ no }) => no);
  expect(numbers.sort()).toEqual([second, third]);
});

test('what is open comes first, even where it was never erased and others were not either', async () => {
  const numbers = (await paidTimes(4)).sort();
  const last = numbers.at(-1) ?? '';
  await rows.db.query('UPDATE payments SET status = $2, closed_at = NULL WHERE payment_no = $1', [
    ...[last, 'pending'],
  ]);
  const { objects } = await find({ name: 'order_no', value: ORDER });
  expect(objects[0]?.no).toBe(last);
});
