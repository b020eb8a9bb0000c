/** The limits of one API process, from their parts. */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../../config/config';
import { createLocalLimiter } from '../../domain/limits/local-limiter';
import { multipliedBy } from '../../domain/limits/tiers';
import { createApiMetrics } from '../../observability/metrics';
import type { ApiMetrics } from '../../observability/metrics';
import type { Logger } from '../../observability/logger';
import { createAddressCounter } from '../../redis/address-counter';
import { createLimitStats } from '../../redis/limit-stats';
import type { LimitStats } from '../../redis/limit-stats';
import { createMerchantTierCache } from '../../redis/merchant-tier';
import { createSubscriber } from '../../redis/subscriber';
import { createTierLimiter } from '../../redis/tier-limiter';
import type { TierLimiter } from '../../redis/tier-limiter';
import type { Database } from '../../stores/postgres';
import type { RequestObserver } from '../request-context';
import { createAddressOf } from './client-address';
import { createConnectionLimit } from './connection-limit';
import type { AdmitConnection } from './connection-limit';
import { createGuardedLimiter } from './guarded-limiter';
import { createIpLimit } from './ip-limit';
import type { IpLimit } from './ip-limit';
import { createLeaseBook } from './leases';
import { createLoadMonitor } from './load-monitor';
import type { LoadMonitor } from './load-monitor';
import { createProcessShare } from './process-share';
import type { ProcessShare } from './process-share';
import { createRateLimit } from './rate-limit';
import type { RateLimit } from './rate-limit';
import { createStatsBook } from './stats';
import { createTierDirectory } from './tier-directory';
import type { MerchantTier, TierDirectory } from './tier-directory';
import { createWarningWriter } from './warnings';

const BREAKER = { opensAfter: 3, closesAfter: 2 } as const;
const STATS_FLUSH_MS = 1_000;
const PROCESS_ID_BYTES = 6;

export interface Limits {
  readonly rateLimit: RateLimit;
  readonly observer: RequestObserver;
  /** What the server asks of each connection. */
  readonly admitConnection: AdmitConnection;
  readonly metrics: ApiMetrics;
  /** What the admin API shows and changes. */
  readonly tiers: TierDirectory;
  readonly limiter: TierLimiter;
  readonly stats: LimitStats;
  start(): void;
  /** After the last answer: what is still to be written is written. */
  stop(): Promise<void>;
}

export interface LimitsDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly db: Database;
  readonly redis: Redis;
  readonly ringOutbox: () => void;
}

export function createLimits(deps: LimitsDeps): Limits {
  const { config, redis } = deps;
  const { limiter, tierLimiter, share, leases } = createLimiters(deps);
  const stats = createLimitStats(redis, config.REDIS_KEY_PREFIX);
  const book = createStatsBook(stats, () => redis.status === 'ready', unixMs);
  const load = createLoad(deps);
  const metrics = createApiMetrics({
    isFallback: () => limiter.mode() === 'local',
    scalePercent: () => load.state().scalePercent,
    inFlight: () => load.inFlight(),
  });
  const warnings = createWarningWriter({ ...deps, defaultMaxRetries: config.WEBHOOK_MAX_RETRIES });
  const tiers = createTiers(deps);
  const rateLimit = createRateLimit({
    ...{ limiter, tiers, load, leases, stats: book, warnings, metrics },
    ipLimit: createIpLimitOf(deps, share),
    ipLimitPerMinute: config.IP_LIMIT_PER_MINUTE,
  });
  const admitConnection = createConnectionLimit(
    createAddressOf(config.TRUSTED_PROXIES),
    config.IP_MAX_CONNECTIONS,
    () => metrics.connectionRefused(),
  );
  const observer: RequestObserver = {
    works: () => load.entered(),
    rests: () => load.left(),
    left: (method, route, status, seconds) => metrics.request(method, route, status, seconds),
  };
  let flushing: NodeJS.Timeout | undefined;
  return {
    ...{ rateLimit, observer, admitConnection, metrics, tiers, stats, limiter: tierLimiter },
    start() {
      for (const part of [limiter, load, tiers, leases]) part.start();
      flushing = setInterval(() => void book.flush(), STATS_FLUSH_MS).unref();
    },
    async stop() {
      clearInterval(flushing);
      leases.stop();
      load.stop();
      await Promise.all([tiers.stop(), limiter.stop(), book.flush(), warnings.settle()]);
    },
  };
}

const unixMs = () => Date.now();
const monotonicMs = () => performance.now();

function createLimiters({ config, redis, log }: LimitsDeps) {
  const prefix = config.REDIS_KEY_PREFIX;
  const leaseMs = config.RATE_LIMIT_LEASE_SECONDS * 1000;
  const processId = randomBytes(PROCESS_ID_BYTES).toString('base64url');
  const share = createProcessShare(redis, prefix, processId, config.RATE_LIMIT_PROCESSES);
  const tierLimiter = createTierLimiter(redis, prefix, undefined, leaseMs);
  const limiter = createGuardedLimiter({
    ...{ redis: tierLimiter, share, policy: BREAKER, log, nowMs: unixMs },
    inProcess: createLocalLimiter(leaseMs),
    timeoutMs: config.RATE_LIMIT_TIMEOUT * 1000,
  });
  return { limiter, tierLimiter, share, leases: createLeaseBook(limiter, processId, leaseMs) };
}

function createLoad({ config, log }: LimitsDeps): LoadMonitor {
  return createLoadMonitor(
    { loopDelayMs: config.LOAD_LOOP_DELAY * 1000, inFlight: config.LOAD_IN_FLIGHT },
    ({ shed, pressure }) => log.warn({ shed, pressure }, 'what is refused under load has changed'),
  );
}

function createIpLimitOf({ config, redis }: LimitsDeps, share: ProcessShare): IpLimit {
  return createIpLimit({
    counter: createAddressCounter(redis, config.REDIS_KEY_PREFIX),
    addressOf: createAddressOf(config.TRUSTED_PROXIES),
    perMinute: config.IP_LIMIT_PER_MINUTE,
    processes: () => share.count(),
    nowMs: monotonicMs,
  });
}

function createTiers({ config, redis, db, log }: LimitsDeps): TierDirectory {
  const cache = createMerchantTierCache(redis, config.REDIS_KEY_PREFIX);
  const subscriber = createSubscriber(redis);
  const directory = createTierDirectory({ db, log, cache, subscriber, now: monotonicMs });
  return multiplied(directory, config.RATE_LIMIT_MULTIPLIER);
}

/** The same directory with every number so many times as large. */
function multiplied(tiers: TierDirectory, factor: number): TierDirectory {
  if (factor === 1) return tiers;
  const larger = new WeakMap<MerchantTier, MerchantTier>();
  const times = (merchant: MerchantTier): MerchantTier => {
    const known = larger.get(merchant);
    if (known !== undefined) return known;
    const answer = { ...merchant, limits: multipliedBy(merchant.limits, factor) };
    larger.set(merchant, answer);
    return answer;
  };
  return {
    ...tiers,
    known(merchantId) {
      const merchant = tiers.known(merchantId);
      return merchant && times(merchant);
    },
    limitsOf: async (merchantId) => times(await tiers.limitsOf(merchantId)),
  };
}
