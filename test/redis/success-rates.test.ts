/** What all processes have seen, in Redis: the same sums as the domain's, each batch once, within bounds. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EMPTY_WINDOW, HEALTH_BUCKETS, mergeWindows, observe } from '../../src/domain/routing/health';
import type { HealthOutcome, HealthWindow } from '../../src/domain/routing/health';
import type { ScoreRow } from '../../src/domain/routing/scores';
import { createSuccessRates, MAX_CELLS, RATE_BUCKETS, RATE_BUCKET_MS } from '../../src/redis/success-rates';
import type { ObservationBatch, SuccessRates } from '../../src/redis/success-rates';
import { createSubscriber } from '../../src/redis/subscriber';
import { seededRandom } from '../../dev/seeded-random';
import { connectRedis } from './rig';
import type { RedisRig } from './rig';

let rig: RedisRig;
let rates: SuccessRates;

beforeEach(async () => {
  rig = await connectRedis();
  rates = createSuccessRates(rig.redis, rig.prefix);
});
afterEach(() => rig.close());

const NOW_MS = 1_764_000_000_000 - (1_764_000_000_000 % RATE_BUCKET_MS);

const batchOf = (given: Partial<ObservationBatch>): ObservationBatch => ({
  ...{ id: randomUUID(), isNews: true, health: new Map(), rates: [] },
  ...given,
});
const rowOf = (given: Partial<ScoreRow> = {}): ScoreRow => ({
  ...{ channel: 'stripe', currency: 'USD', country: 'DE' },
  ...{ successes: 3, faults: 1, declines: 2, latencySumMs: 500, answered: 5 },
  ...given,
});
const stripe = (window: HealthWindow) => new Map([['stripe', window]]);

test('windows are merged as the domain merges them, whatever was seen', async () => {
  const random = seededRandom(20_261_123);
  const outcomes: readonly HealthOutcome[] = ['success', 'fault', 'decline'];
  let expected = EMPTY_WINDOW;
  let nowMs = NOW_MS;
  for (let n = 0; n < 150; n += 1) {
    let later = EMPTY_WINDOW;
    for (let calls = Math.floor(random() * 4); calls >= 0; calls -= 1) {
      const outcome = outcomes[Math.floor(random() * 3)] ?? 'success';
      later = observe(later, outcome, Math.floor(random() * 900), nowMs);
      nowMs += Math.floor(random() * 1_500);
    }
    expected = mergeWindows(expected, later);
    const written = await rates.write(batchOf({ health: stripe(later) }));
    expect(written.get('stripe')).toEqual(expected);
  }
  expect(expected.buckets).toHaveLength(HEALTH_BUCKETS);
  expect((await rates.readHealth()).get('stripe')).toEqual(expected);
});

test('a batch that is sent again counts once', async () => {
  const health = stripe(observe(EMPTY_WINDOW, 'fault', 0, NOW_MS));
  const batch = batchOf({ health, rates: [{ atMs: NOW_MS, rows: [rowOf()] }] });
  await rates.write(batch);
  expect((await rates.write(batch)).get('stripe')?.faultsInRow).toBe(1);
  expect(await rates.readRates(NOW_MS)).toEqual([rowOf()]);
});

test('everybody is told of news, and of nothing else', async () => {
  const subscriber = createSubscriber(rig.redis);
  let heard = 0;
  rates.listen(subscriber, () => (heard += 1));
  await new Promise<void>((resolve) => subscriber.start(resolve));
  const health = stripe(observe(EMPTY_WINDOW, 'success', 20, NOW_MS));
  await rates.write(batchOf({ health, isNews: false }));
  await rates.write(batchOf({ health }));
  await sleep(200);
  expect(heard).toBe(1);
  subscriber.stop();
});

test('rows of a cell are added up; a bucket of an hour ago is no longer read; a country may be unknown', async () => {
  const { country: _, ...unknown } = rowOf();
  const old = NOW_MS - RATE_BUCKETS * RATE_BUCKET_MS;
  await rates.write(batchOf({ rates: [{ atMs: NOW_MS, rows: [rowOf(), unknown] }] }));
  await rates.write(batchOf({ rates: [{ atMs: NOW_MS, rows: [rowOf({ faults: 4 })] }] }));
  await rates.write(batchOf({ rates: [{ atMs: old, rows: [rowOf({ channel: 'paypal' })] }] }));
  const rows = await rates.readRates(NOW_MS + RATE_BUCKET_MS - 1);
  expect(rows).toHaveLength(2);
  expect(rows).toContainEqual(unknown);
  const doubled = { successes: 6, faults: 5, declines: 4, latencySumMs: 1_000, answered: 10 };
  expect(rows).toContainEqual(rowOf(doubled));
});

test('beyond the bound of cells a country is counted without its name, and nothing is lost', async () => {
  const codes = Array.from({ length: MAX_CELLS + 500 }, (_, at) => `X${at}`);
  const rows = codes.map((country) => rowOf({ country }));
  await rates.write(batchOf({ rates: [{ atMs: NOW_MS, rows }] }));
  const read = await rates.readRates(NOW_MS);
  expect(read.length).toBeLessThanOrEqual(MAX_CELLS + 1);
  expect(read.reduce((sum, { answered }) => sum + answered, 0)).toBe(5 * rows.length);
});

test('everything it writes goes away by itself', async () => {
  const health = stripe(observe(EMPTY_WINDOW, 'success', 20, NOW_MS));
  await rates.write(batchOf({ health, rates: [{ atMs: NOW_MS, rows: [rowOf()] }] }));
  const keys = await rig.redis.keys(`${rig.prefix}*`);
  expect(keys).toHaveLength(3);
  for (const key of keys) expect(await rig.redis.ttl(key)).toBeGreaterThan(0);
});

test('what cannot be read as a window is as good as nothing', async () => {
  await rig.redis.hset(`${rig.prefix}payment:router:health`, 'stripe', 'half a {', 'paypal', '{"buckets":3}');
  expect((await rates.readHealth()).size).toBe(0);
  const window = observe(EMPTY_WINDOW, 'fault', 0, NOW_MS);
  expect((await rates.write(batchOf({ health: stripe(window) }))).get('stripe')).toEqual(window);
});
