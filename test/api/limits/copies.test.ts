/** Copies of what is kept elsewhere: no servers, the clock is in the test's hands. */
import { createCopies } from '../../../src/api/limits/copies';
import type { Copies } from '../../../src/api/limits/copies';

let nowMs: number;
let loads: { key: string; resolve: (value: string) => void; reject: (error: Error) => void }[];
let failures: unknown[];
let copies: Copies<string>;

beforeEach(() => {
  [nowMs, loads, failures] = [0, [], []];
  copies = createCopies<string>({
    load: (key) => new Promise((resolve, reject) => loads.push({ key, resolve, reject })),
    ...{ fallback: 'fallback', freshMs: 300_000, retryMs: 1_000, maxEntries: 3 },
    onFailure: (error) => failures.push(error),
    now: () => nowMs,
  });
});

async function known(key: string, value: string): Promise<void> {
  const getting = copies.get(key);
  loads.at(-1)?.resolve(value);
  await getting;
}

test('many who ask at once cost one load, and later ones none until it is old', async () => {
  const asked = Array.from({ length: 50 }, () => copies.get('a'));
  expect(loads).toHaveLength(1);
  expect(copies.fresh('a')).toBeUndefined();
  loads[0]?.resolve('one');
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['one']));
  nowMs = 299_999;
  expect([copies.fresh('a'), await copies.get('a'), loads.length]).toEqual(['one', 'one', 1]);
  nowMs = 300_000;
  expect(copies.fresh('a')).toBeUndefined();
  await known('a', 'two');
  expect([copies.fresh('a'), loads.length]).toEqual(['two', 2]);
});

test('what was being loaded when it was said to be out of date is not kept', async () => {
  const early = copies.get('a');
  copies.expire('a');
  const late = copies.get('a');
  expect(loads).toHaveLength(2);
  loads[1]?.resolve('new');
  expect(await late).toBe('new');
  loads[0]?.resolve('old');
  expect(await early).toBe('old');
  expect(copies.fresh('a')).toBe('new');
});

test('the same for all of them, and in the other order', async () => {
  await known('b', 'kept before');
  const early = copies.get('a');
  copies.expireAll();
  expect(copies.fresh('b')).toBeUndefined();
  loads.at(-1)?.resolve('old');
  await early;
  expect(copies.fresh('a')).toBeUndefined();
});

test('what was said to be out of date before it was loaded stands in all the same when nothing newer can be loaded', async () => {
  const early = copies.get('a');
  copies.expire('a');
  loads[0]?.resolve('old');
  await early;
  expect(copies.fresh('a')).toBeUndefined();
  const late = copies.get('a');
  loads[1]?.reject(new Error('away'));
  expect(await late).toBe('old');
});

test('what cannot be loaded is what was last known, for a second; else the fallback', async () => {
  await known('a', 'one');
  copies.expire('a');
  const again = copies.get('a');
  const never = copies.get('b');
  for (const { reject } of loads.slice(1)) reject(new Error('away'));
  expect([await again, await never]).toEqual(['one', 'fallback']);
  expect(failures).toHaveLength(2);
  nowMs = 999;
  expect([copies.fresh('a'), copies.fresh('b')]).toEqual(['one', 'fallback']);
  nowMs = 1_000;
  expect([copies.fresh('a'), copies.fresh('b')]).toEqual([undefined, undefined]);
  await known('b', 'is back');
  expect(copies.fresh('b')).toBe('is back');
});

test('there are never more than so many: the one loaded longest ago makes room', async () => {
  for (const key of ['a', 'b', 'c']) await known(key, key);
  copies.expire('a');
  await known('a', 'again');
  await known('d', 'd');
  expect(['a', 'b', 'c', 'd'].map((key) => copies.fresh(key))).toEqual(['again', undefined, 'c', 'd']);
});
