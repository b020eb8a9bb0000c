/**
 * Bench `limits`: one process that asks the tier limiter through one connection, against rate-limiter-flexible with three limiters and
 * against a script that does nothing, on the same Redis. See docs/performance.md for what the figures mean.
 */
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { loadConfig } from '../src/config/config';
import { DEFAULT_TIERS } from '../src/domain/limits/tiers';
import type { TierLimits } from '../src/domain/limits/tiers';
import { createRedis } from '../src/redis/client';
import { createTierLimiter } from '../src/redis/tier-limiter';
import { startStack } from '../dev/stack/stack';
import { note } from '../dev/terminal';
import { report } from './report';
import type { Series } from './report';

export const about =
  'the tier limiter against rate-limiter-flexible and an empty script; memory of a merchant';

interface Plan {
  readonly rounds: number;
  /** Of SLICE_MS, of one side in one round. */
  readonly slices: number;
  /** In the hour of which the memory is measured. */
  readonly requests: number;
}

const FULL: Plan = { rounds: 9, slices: 15, requests: DEFAULT_TIERS.premium.perHour };
const QUICK: Plan = { rounds: 3, slices: 6, requests: 50_000 };

const SLICE_MS = 200;
const IN_FLIGHT = 64;
const MERCHANTS = 100;
/** Leases of a merchant at any time; nothing is given back, a later request takes over the lease of an earlier one. */
const LEASES = 8;
/** Wide enough that everybody is let through, which is the dearer way: a refusal writes nothing. */
const WIDE: TierLimits = {
  ...{ perSecond: 10_000_000, perMinute: 10_000_000, perHour: 10_000_000 },
  ...{ burst: 10_000_000, concurrency: 10_000 },
};

/** Asks once more, for the n-th time. */
type Side = (n: number) => Promise<unknown>;

const merchantOf = (n: number) => `merchant-${n % MERCHANTS}`;
const leaseOf = (n: number) => `lease-${Math.floor(n / MERCHANTS) % LEASES}`;

function holdfast(redis: Redis): Side {
  const limiter = createTierLimiter(redis, 'bench:');
  return async (n) => {
    const { allowed } = await limiter.acquire(merchantOf(n), WIDE, leaseOf(n));
    if (!allowed) throw new Error('the tier limiter has refused');
  };
}

/** Three limiters, as its documentation has it for several windows; it knows neither bursts nor concurrency. */
function flexible(redis: Redis): Side {
  const limiters = [1, 60, 3_600].map(
    (duration) =>
      new RateLimiterRedis({
        storeClient: redis,
        keyPrefix: `bench:flexible:${duration}`,
        points: WIDE.perHour,
        duration,
      }),
  );
  return (n) => Promise.all(limiters.map((limiter) => limiter.consume(merchantOf(n))));
}

function empty(redis: Redis): Side {
  redis.defineCommand('benchEmpty', { lua: 'return 1', numberOfKeys: 0 });
  return (redis as unknown as { benchEmpty: () => Promise<unknown> }).benchEmpty.bind(redis);
}

interface Count {
  answered: number;
  tookMs: number;
}

async function ask(side: Side, count: Count): Promise<void> {
  const startedAt = performance.now();
  const caller = async () => {
    while (performance.now() < startedAt + SLICE_MS) {
      count.answered += 1;
      await side(count.answered);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
  count.tookMs += performance.now() - startedAt;
}

/** The sides take turns within the round, so that what else the machine does falls on all of them. @returns answers per second */
async function round(sides: readonly Side[], slices: number): Promise<number[]> {
  const counts = sides.map(() => ({ answered: 0, tookMs: 0 }));
  for (let slice = 0; slice < slices * sides.length; slice += 1) {
    // Each of them comes first, second and last.
    const at = (slice + Math.floor(slice / sides.length)) % sides.length;
    await ask(sides[at] as Side, counts[at] as Count);
  }
  return counts.map(({ answered, tookMs }) => (answered * 1_000) / tookMs);
}

async function rates(redis: Redis, { rounds, slices }: Plan): Promise<Series[]> {
  const sides = [holdfast(redis), flexible(redis), empty(redis)];
  await round(sides, slices);
  const measured: number[][] = [];
  for (let n = 0; n < rounds; n += 1) measured.push(await round(sides, slices));
  const [ours = [], other = [], nothing = []] = sides.map((_, at) => measured.map((rate) => rate[at] ?? NaN));
  const common = { unit: 'per second', ours } as const;
  return [
    { ...common, name: 'tier_check', reference: other, goal: { atLeast: 2.5 } },
    {
      ...common,
      ...{ name: 'tier_check_empty', reference: nothing, against: 'an empty EVALSHA' },
      goal: { atLeast: 0.6 },
    },
  ];
}

/** Bytes of all keys of a merchant that has asked for an hour up to the premium limit, with leases of requests at work. */
async function memoryOf(redis: Redis, { requests }: Plan): Promise<Series> {
  const startUs = Date.now() * 1_000;
  let nowUs = startUs;
  const limiter = createTierLimiter(redis, 'bench:hour:', () => nowUs);
  for (let n = 0; n < requests;) {
    const batch = Array.from({ length: 100 }, () => {
      n += 1;
      nowUs = startUs + Math.floor((n * 3_600_000_000) / requests);
      return limiter.acquire('premium', DEFAULT_TIERS.premium, leaseOf(n * MERCHANTS));
    });
    const refused = (await Promise.all(batch)).find(({ allowed }) => !allowed);
    if (refused !== undefined) throw new Error(`refused by ${refused.refusedBy ?? 'nobody'}`);
  }
  const keys = await redis.keys('bench:hour:*');
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key)));
  const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
  note(`memory of a merchant after ${requests} requests in an hour: ${bytes} bytes in ${keys.length} keys`);
  return { name: 'memory_bytes', unit: 'count', ours: [bytes], goal: { valueAtMost: 2_048 } };
}

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const plan = quick ? QUICK : FULL;
  const stack = await startStack({
    dataDir: join(tmpdir(), `holdfast-bench-${process.pid}`),
    ...{ ports: 'free', temporary: true, only: ['redis'] },
    report: (line) => note(line),
  });
  // As the API connects.
  const redis = createRedis(loadConfig({ ...process.env, ...stack.environment }), pino({ level: 'silent' }));
  try {
    await Promise.all([once(redis, 'ready'), redis.connect()]);
    const series = await rates(redis, plan);
    series.push(await memoryOf(redis, plan));
    report('limits', 'rate-limiter-flex.', series);
  } finally {
    redis.disconnect();
    await stack.stop();
  }
}
