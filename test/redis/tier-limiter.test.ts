/** The tier limiter on real Redis: what it writes and does not, and many callers at once by the clock of Redis itself. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_TIERS } from '../../src/domain/limits/tiers';
import type { TierLimits } from '../../src/domain/limits/tiers';
import { createTierLimiter } from '../../src/redis/tier-limiter';
import type { TierLimiter } from '../../src/redis/tier-limiter';
import { connectRedis } from './rig';
import type { RedisRig } from './rig';

const START_US = 1_795_000_020_000_000;
const SECOND_US = 1_000_000;
const HOUR_MS = 3_600_000;
const { starter, premium } = DEFAULT_TIERS;

let rig: RedisRig;
let nowUs: number;
/** By the clock of the test. */
let limiter: TierLimiter;
/** By the clock of Redis. */
let timed: TierLimiter;

beforeEach(async () => {
  rig = await connectRedis();
  nowUs = START_US;
  timed = createTierLimiter(rig.redis, rig.prefix);
  limiter = createTierLimiter(rig.redis, rig.prefix, () => nowUs);
});
afterEach(() => rig.close());

const keyOf = (name: 'windows' | 'concurrent', merchant = 'm') =>
  `${rig.prefix}ratelimit:{${merchant}}:${name}`;
const ask = (limits: Partial<TierLimits> = {}, by = limiter) =>
  by.acquire('m', { ...premium, ...limits }, randomUUID());

async function redisNowUs(): Promise<number> {
  const [seconds, micros] = (await rig.redis.time()) as unknown as [number, number];
  return Number(seconds) * SECOND_US + Number(micros);
}

test('a refused request writes nothing at all, whichever check refuses', async () => {
  const refusals: readonly Partial<TierLimits>[] = [
    { burst: 3 },
    { perMinute: 3 },
    { perHour: 3 },
    { concurrency: 3 },
  ];
  for (const limits of refusals) {
    for (let n = 0; n < 3; n += 1) expect(await ask(limits)).toMatchObject({ allowed: true });
    const dump = () =>
      Promise.all(
        [keyOf('windows'), keyOf('concurrent')].map(async (key) => [
          await rig.redis.dumpBuffer(key),
          await rig.redis.pexpiretime(key),
        ]),
      );
    const before = await dump();
    for (let n = 0; n < 5; n += 1) {
      nowUs += 100;
      expect(await ask(limits)).toMatchObject({ allowed: false, remaining: 0 });
    }
    expect(await dump()).toEqual(before);
    await rig.redis.del(keyOf('windows'), keyOf('concurrent'));
  }
});

test('the two keys of a merchant are on one slot, and go away when nobody comes any more', async () => {
  await ask({}, timed);
  const names = (await rig.redis.keys(`${rig.prefix}*`)).sort();
  expect(names).toEqual([keyOf('concurrent'), keyOf('windows')]);
  // With braces only what is between them counts, whatever the prefix.
  for (const name of names) expect(name).toContain('ratelimit:{m}:');
  expect(await rig.redis.pttl(keyOf('windows'))).toBeGreaterThan(HOUR_MS + 61_000);
  expect(await rig.redis.pttl(keyOf('windows'))).toBeLessThanOrEqual(HOUR_MS + 180_000);
  expect(await rig.redis.pttl(keyOf('concurrent'))).toBeGreaterThan(60_000);
  expect(await rig.redis.pttl(keyOf('concurrent'))).toBeLessThanOrEqual(65_000);
});

test('leases are free after 60 s without anybody giving them back, and are swept', async () => {
  const limits = { concurrency: 3 };
  for (let n = 0; n < 3; n += 1) await ask(limits);
  nowUs += 59_999_999;
  expect(await ask(limits)).toMatchObject({ allowed: false, refusedBy: 'concurrent', retryAfterMs: 1_000 });
  nowUs += 1;
  expect(await limiter.usage('m', starter)).toMatchObject({ concurrent: { used: 0 } });
  expect(await ask(limits)).toMatchObject({ allowed: true });
  expect(await rig.redis.zcard(keyOf('concurrent'))).toBe(1);
});

test('a lease is renewed while it lasts, given back once, and never lent again by a renewal', async () => {
  await limiter.acquire('m', premium, 'a');
  nowUs += 50 * SECOND_US;
  expect(await limiter.renew('m', 'a')).toBe(true);
  nowUs += 50 * SECOND_US;
  expect(await limiter.usage('m', premium)).toMatchObject({ concurrent: { used: 1, limit: 500 } });
  await limiter.release('m', 'a');
  await limiter.release('m', 'a');
  expect(await limiter.renew('m', 'a')).toBe(false);
  await limiter.acquire('m', premium, 'b');
  nowUs += 60 * SECOND_US;
  expect(await limiter.renew('m', 'b')).toBe(false);
  expect(await limiter.usage('m', premium)).toMatchObject({ concurrent: { used: 0 } });
});

test('usage only reads; unblocking empties bucket and windows, and leaves the leases and the clock', async () => {
  expect(await limiter.usage('m', starter)).toMatchObject({ hour: { used: 0, limit: 10_000 } });
  await limiter.unblock('m');
  expect(await rig.redis.exists(keyOf('windows'))).toBe(0);
  for (let n = 0; n < 10; n += 1) await limiter.acquire('m', starter, `l${n}`);
  const before = await rig.redis.dumpBuffer(keyOf('windows'));
  expect(await limiter.usage('m', starter)).toEqual({
    second: { used: 10, limit: 20 },
    minute: { used: 10, limit: 500 },
    hour: { used: 10, limit: 10_000 },
    concurrent: { used: 10, limit: 10 },
  });
  expect(await rig.redis.dumpBuffer(keyOf('windows'))).toEqual(before);
  await limiter.unblock('m');
  expect(await limiter.usage('m', starter)).toMatchObject({
    ...{ second: { used: 0 }, minute: { used: 0 }, hour: { used: 0 }, concurrent: { used: 10 } },
  });
  expect(await ask({ perHour: 1 })).toMatchObject({ allowed: true });
  expect(await ask({ perHour: 1 })).toMatchObject({ refusedBy: 'hour' });
});

test('a warning at 80 % of minute and hour, once each', async () => {
  const limits = { perMinute: 10, perHour: 15 };
  const warned: string[][] = [];
  for (let n = 0; n < 10; n += 1) warned.push([...(await ask(limits)).warnings]);
  nowUs += 61 * SECOND_US;
  for (let n = 0; n < 5; n += 1) warned.push([...(await ask(limits)).warnings]);
  expect(warned.flatMap((windows, n) => windows.map((window) => `${n + 1} ${window}`))).toEqual([
    '8 minute',
    '12 hour',
  ]);
});

test('it rejects when Redis is away', async () => {
  await rig.cut();
  await expect(ask()).rejects.toThrow();
  await expect(limiter.release('m', 'a')).rejects.toThrow();
  await rig.redis.connect();
});

test('a clock of Redis that goes back by an hour stops nobody for longer than it takes to refill', async () => {
  const limits = { burst: 5, perSecond: 1 };
  for (let n = 0; n < 5; n += 1) await ask(limits);
  nowUs -= 3_600 * SECOND_US;
  expect(await ask(limits)).toMatchObject({ allowed: false, nowMs: nowUs / 1_000, retryAfterMs: 1_000 });
  nowUs += SECOND_US;
  expect(await ask(limits)).toMatchObject({ allowed: true });
  expect(await ask(limits)).toMatchObject({ allowed: false });
});

test('an hour at the premium limit takes at most 2 KiB, at most in each second and with 30 requests at work', async () => {
  let admitted = 0;
  for (let second = 0; second < 3_600; second += 1) {
    nowUs = START_US + second * SECOND_US;
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, n) => limiter.acquire('m', premium, `lease ${(second * 4 + n) % 30}`)),
    );
    admitted += answers.filter(({ allowed }) => allowed).length;
  }
  expect(admitted).toBe(14_400);
  const [windows = 0, concurrent = 0] = await Promise.all(
    [keyOf('windows'), keyOf('concurrent')].map((key) => rig.redis.memory('USAGE', key)),
  );
  console.log(`windows ${windows} bytes, leases ${concurrent} bytes`);
  expect((windows ?? Infinity) + (concurrent ?? Infinity)).toBeLessThanOrEqual(2_048);
});

describe('1 000 at once over eight connections, by the clock of Redis', () => {
  let rigs: RedisRig[];
  let limiters: TierLimiter[];
  beforeEach(async () => {
    rigs = await Promise.all(Array.from({ length: 8 }, () => connectRedis()));
    limiters = rigs.map(({ redis }) => createTierLimiter(redis, rig.prefix));
  });
  afterEach(() => Promise.all(rigs.map((one) => one.close())));
  const one = (n: number) => limiters[n % limiters.length] as TierLimiter;

  test('admitted are between the burst and the burst and what is refilled meanwhile', async () => {
    for (const tier of [starter, premium]) {
      const merchant = randomUUID();
      const limits = { ...tier, concurrency: 2_000 };
      const beforeUs = await redisNowUs();
      const answers = await Promise.all(
        Array.from({ length: 1_000 }, (_, n) => one(n).acquire(merchant, limits, randomUUID())),
      );
      const elapsedUs = (await redisNowUs()) - beforeUs;
      const admitted = answers.filter(({ allowed }) => allowed).length;
      const most = Math.min(limits.perMinute, limits.burst + (limits.perSecond * elapsedUs) / SECOND_US);
      expect(admitted).toBeGreaterThanOrEqual(Math.min(1_000, limits.burst));
      expect(admitted).toBeLessThanOrEqual(most);
      for (const answer of answers.filter(({ allowed }) => !allowed)) expect(answer.refusedBy).toBe('second');
    }
  });

  test('never more are at work than may be, and each place is used again', async () => {
    const limits = { ...premium, burst: 10_000, perSecond: 10_000, concurrency: 20 };
    const merchant = randomUUID();
    let [atWork, most, served] = [0, 0, 0];
    const caller = async (_: unknown, n: number) => {
      for (;;) {
        const lease = randomUUID();
        if (!(await one(n).acquire(merchant, limits, lease)).allowed) {
          await sleep(5);
          continue;
        }
        atWork += 1;
        most = Math.max(most, atWork);
        await sleep(1);
        atWork -= 1;
        served += 1;
        return one(n + 1).release(merchant, lease);
      }
    };
    await Promise.all(Array.from({ length: 1_000 }, caller));
    expect(served).toBe(1_000);
    expect(most).toBeLessThanOrEqual(20);
    expect(most).toBeGreaterThan(10);
    expect(await one(0).usage(merchant, limits)).toMatchObject({ concurrent: { used: 0 } });
  });
});
