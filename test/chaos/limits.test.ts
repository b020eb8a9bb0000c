/** The limits over four real processes: a burst of a thousand, processes that die, a Redis that dies and comes back. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../e2e/eventually';
import { API_COUNT, LEASE_SECONDS, startTown } from './limits-town';
import type { Reply, Town } from './limits-town';
import { SOAK } from './victims';

const AT_ONCE = 1_000;
const RATE = 10;
const BURST = 20;
const CONCURRENCY = 10;
const LEASE_MS = LEASE_SECONDS * 1000;
const OUTAGE_MS = SOAK ? 20_000 : 5_000;
const TEST_TIMEOUT_MS = 120_000;

let town: Town;
beforeAll(async () => {
  town = await startTown();
}, 180_000);
afterAll(() => town?.stop(), 30_000);

const isNumber = (wanted: number) => (found: number) => found === wanted;
const admitted = (replies: readonly Reply[]) => replies.filter(({ status }) => status === 404).length;
const statusesOf = (replies: readonly Reply[]) => [...new Set(replies.map(({ status }) => status))].sort();

it(
  `lets of ${AT_ONCE} at once over four processes the burst through, and what was refilled meanwhile`,
  async () => {
    const merchant = await town.newMerchant({ concurrency: 2_000 });
    const startedAt = await town.redisTime();
    const replies = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => town.read(n, merchant)));
    const elapsedSeconds = ((await town.redisTime()) - startedAt) / 1e6;
    expect(statusesOf(replies)).toEqual([404, 429]);
    expect(admitted(replies)).toBeGreaterThanOrEqual(BURST);
    expect(admitted(replies)).toBeLessThanOrEqual(BURST + RATE * elapsedSeconds);
    expect(await town.leases(merchant)).toBe(0);
  },
  TEST_TIMEOUT_MS,
);

it(
  'lends never more places than the tier has, and those of a killed process are free within the lease time',
  async () => {
    const merchant = await town.newMerchant({
      ...{ per_second: 5_000, burst: 5_000, per_minute: 100_000, per_hour: 500_000 },
    });
    const letGo = await town.holdUpReads();
    const waiting = Promise.all(Array.from({ length: AT_ONCE }, (_, n) => town.read(n, merchant)));
    await eventually('places', () => town.leases(merchant), isNumber(CONCURRENCY));
    // For longer than a place lasts that is not renewed.
    for (const endMs = Date.now() + LEASE_MS * 1.2; Date.now() < endMs; await sleep(100)) {
      expect(await town.leases(merchant)).toBe(CONCURRENCY);
    }
    const victims: (typeof town.stack.apis)[number][] = [];
    let left = CONCURRENCY;
    // On a busy machine one process may have been too late for any of the places.
    for (const victim of town.stack.apis.slice(0, 3)) {
      victims.push(victim);
      await victim.kill();
      await sleep(LEASE_MS + 300);
      left = await town.leases(merchant);
      if (left < CONCURRENCY) break;
    }
    expect(left).toBeLessThan(CONCURRENCY);
    await letGo();
    const replies = await waiting;
    expect(admitted(replies)).toBe(left);
    expect(replies.filter(({ window }) => window === 'concurrent').length).toBeGreaterThan(AT_ONCE / 2);
    await eventually('places', () => town.leases(merchant), isNumber(0));
    for (const victim of victims) await victim.restart();
  },
  TEST_TIMEOUT_MS,
);

it(
  'goes on limiting while Redis is away, by shares, and hands back when it is there again',
  async () => {
    const merchant = await town.newMerchant({ concurrency: 2_000 });
    await eventually(
      'heartbeats',
      () => town.redis.zcard('ratelimit:processes'),
      (count) => count >= API_COUNT,
    );
    await sleep(5_500); // everybody has heard of everybody
    const logsBefore = logs();
    const end = new AbortController();
    const startedAt = Date.now();
    const asking = town.keepAsking(merchant, 100, end.signal);
    await sleep(1_000);
    await town.stack.redis.kill();
    for (let at = 0; at < API_COUNT; at += 1)
      await eventually('fallback', () => town.metric(at, 'holdfast_limiter_fallback'), isNumber(1));
    await sleep(OUTAGE_MS);
    await town.stack.redis.restart();
    for (let at = 0; at < API_COUNT; at += 1)
      await eventually('hand back', () => town.metric(at, 'holdfast_limiter_fallback'), isNumber(0));
    await sleep(1_000);
    end.abort();
    const replies = await asking;
    const seconds = (Date.now() - startedAt) / 1000;
    expect(statusesOf(replies)).toEqual([404, 429]);
    // Each process has a bucket of its share: a burst more at the switch; and shares are rounded up, 3 for 2.5.
    const share = Math.ceil(RATE / API_COUNT) * API_COUNT;
    const most = 2 * Math.ceil(BURST / API_COUNT) * API_COUNT + BURST + share * seconds;
    expect(admitted(replies)).toBeLessThanOrEqual(most);
    expect(admitted(replies)).toBeGreaterThanOrEqual((RATE * seconds) / 2);
    const said = logs()
      .map((text, at) => text.slice(logsBefore[at]?.length))
      .join('');
    expect(said.split('Redis does not limit now').length - 1).toBe(API_COUNT);
    expect(said.split('Redis limits again').length - 1).toBe(API_COUNT);
  },
  TEST_TIMEOUT_MS,
);

it(
  'keeps nobody waiting for a Redis that is slow',
  async () => {
    const merchant = await town.newMerchant({ concurrency: 2_000 });
    await town.redis.call('CLIENT', 'PAUSE', '4000', 'ALL');
    const end = new AbortController();
    const asking = town.keepAsking(merchant, 50, end.signal);
    for (let at = 0; at < API_COUNT; at += 1)
      await eventually('fallback', () => town.metric(at, 'holdfast_limiter_fallback'), isNumber(1), 3_500);
    const startedAt = performance.now();
    expect([404, 429]).toContain((await town.read(0, merchant)).status);
    expect(performance.now() - startedAt).toBeLessThan(500);
    for (let at = 0; at < API_COUNT; at += 1)
      await eventually('hand back', () => town.metric(at, 'holdfast_limiter_fallback'), isNumber(0));
    end.abort();
    expect(statusesOf(await asking)).toEqual([404, 429]);
  },
  TEST_TIMEOUT_MS,
);

function logs(): string[] {
  return town.stack.apis.map(({ logFile }) => (logFile === undefined ? '' : readFileSync(logFile, 'utf8')));
}
