/**
 * The tier limiter: bucket, minute, hour and concurrency of a merchant in one round trip, by the clock of Redis. Both keys of a
 * merchant, `ratelimit:{merchant_id}:windows` and `ratelimit:{merchant_id}:concurrent`, are on one slot of a Redis Cluster.
 */
import type { Redis } from 'ioredis';
import { answerOf, usageOf } from '../domain/limits/decision';
import type { CountedWindow, LimitAnswer, LimitUsage } from '../domain/limits/decision';
import { LEASE_MS } from '../domain/limits/local-limiter';
import type { TierLimits } from '../domain/limits/tiers';
import { acquireScript, renewScript, UNBLOCK, USAGE } from './tier-limiter-script';

/** All of it rejects when Redis is away. */
export interface TierLimiter {
  /**
   * Counts a request and lends it a lease, or refuses it and counts nothing. Whoever gets no answer must release the
   * lease all the same: it may have been lent.
   * @param leaseId of this request alone
   */
  acquire(merchantId: string, limits: TierLimits, leaseId: string): Promise<LimitAnswer>;
  /** Of one merchant, as many as there are. Once more than once does no harm. */
  release(merchantId: string, ...leaseIds: readonly string[]): Promise<void>;
  /** From now for as long as a new one. @returns false for a lease that has run out or was given back */
  renew(merchantId: string, leaseId: string): Promise<boolean>;
  /** What is used now; changes nothing. */
  usage(merchantId: string, limits: TierLimits): Promise<LimitUsage>;
  /** Empties bucket and windows; the leases of requests at work stay. */
  unblock(merchantId: string): Promise<void>;
}

type Call<T> = (...values: readonly (string | number)[]) => Promise<T>;

/** What `defineCommand` adds: EVALSHA, and the text again where Redis does not have it. */
interface Scripts {
  readonly holdfastLimitAcquire: Call<readonly number[]>;
  readonly holdfastLimitRenew: Call<number>;
  readonly holdfastLimitUsage: Call<readonly number[]>;
  readonly holdfastLimitUnblock: Call<null>;
}

/**
 * @param prefix before the names of keys, where several installations share a Redis; else empty
 * @param nowUs for tests: another clock than that of Redis, Unix microseconds
 * @param leaseMs how long a lease lasts unless it is renewed
 */
export function createTierLimiter(
  redis: Redis,
  prefix: string,
  nowUs?: () => number,
  leaseMs = LEASE_MS,
): TierLimiter {
  redis.defineCommand('holdfastLimitAcquire', { lua: acquireScript(leaseMs), numberOfKeys: 2 });
  redis.defineCommand('holdfastLimitRenew', { lua: renewScript(leaseMs), numberOfKeys: 2 });
  redis.defineCommand('holdfastLimitUsage', { lua: USAGE, numberOfKeys: 2 });
  redis.defineCommand('holdfastLimitUnblock', { lua: UNBLOCK, numberOfKeys: 1 });
  const scripts = redis as unknown as Scripts;
  const windowsKey = (merchantId: string) => `${prefix}ratelimit:{${merchantId}}:windows`;
  const leasesKey = (merchantId: string) => `${prefix}ratelimit:{${merchantId}}:concurrent`;
  const time = () => (nowUs === undefined ? [] : [nowUs()]);
  return {
    acquire(merchantId, limits, leaseId) {
      const { perSecond, perMinute, perHour, burst, concurrency } = limits;
      const asked = scripts.holdfastLimitAcquire(
        ...[windowsKey(merchantId), leasesKey(merchantId)],
        ...[`${perSecond} ${perMinute} ${perHour} ${burst} ${concurrency}`, leaseId, ...time()],
      );
      return asked.then((found) => answerOf(limits, factsOf(found)));
    },
    async release(merchantId, ...leaseIds) {
      await redis.zrem(leasesKey(merchantId), ...leaseIds);
    },
    async renew(merchantId, leaseId) {
      const keys = [windowsKey(merchantId), leasesKey(merchantId)];
      return (await scripts.holdfastLimitRenew(...keys, leaseId, ...time())) === 1;
    },
    async usage(merchantId, limits) {
      const keys = [windowsKey(merchantId), leasesKey(merchantId)];
      const found = await scripts.holdfastLimitUsage(...keys, limits.perSecond, ...time());
      const [level = 0, minute = 0, hour = 0, concurrent = 0] = found;
      return usageOf(limits, level, { minute, hour, concurrent });
    },
    async unblock(merchantId) {
      await scripts.holdfastLimitUnblock(windowsKey(merchantId));
    },
  };
}

const NO_WARNINGS: readonly CountedWindow[] = [];

function factsOf(found: readonly number[]) {
  const [
    bits = 0,
    nowUs = 0,
    level = 0,
    minute = 0,
    hour = 0,
    concurrent = 0,
    minuteWaitUs = 0,
    hourWaitUs = 0,
  ] = found;
  const warnings = bits < 2 ? NO_WARNINGS : warningsOf(bits);
  return {
    allowed: (bits & 1) === 1,
    nowUs,
    level,
    minute,
    hour,
    concurrent,
    minuteWaitUs,
    hourWaitUs,
    warnings,
  };
}

function warningsOf(bits: number): CountedWindow[] {
  return [
    ...((bits & 2) === 0 ? [] : (['minute'] as const)),
    ...((bits & 4) === 0 ? [] : (['hour'] as const)),
  ];
}
