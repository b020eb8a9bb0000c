/**
 * The script on real Redis, against an exact log of what it admitted and against the limiter of one process, which must give the
 * same answers at the same times. The time is given, so that hours pass in milliseconds.
 */
import * as fc from 'fast-check';
import type { LimitAnswer } from '../../src/domain/limits/decision';
import { createLocalLimiter } from '../../src/domain/limits/local-limiter';
import type { LocalLimiter } from '../../src/domain/limits/local-limiter';
import type { TierLimits } from '../../src/domain/limits/tiers';
import { createTierLimiter } from '../../src/redis/tier-limiter';
import type { TierLimiter } from '../../src/redis/tier-limiter';
import { ExactLog } from '../domain/limits/exact-log';
import { forwardOnly, stepsOf, trafficArbitrary } from '../domain/limits/traffic';
import type { Step } from '../domain/limits/traffic';
import { connectRedis } from './rig';
import type { RedisRig } from './rig';

const SEED = 20_261_125;
const SOAK = process.env['HOLDFAST_SOAK'] === '1';
/** Of both properties together. */
const REQUESTS = SOAK ? 1_000_000 : 20_000;
const LIMIT_MS = SOAK ? 600_000 : 60_000;

let rig: RedisRig;
let limiter: TierLimiter;
let nowUs = 0;
let merchants = 0;

beforeEach(async () => {
  rig = await connectRedis();
  limiter = createTierLimiter(rig.redis, rig.prefix, () => nowUs);
});
afterEach(() => rig.close());

type Told = LimitAnswer | boolean | undefined;

/** One connection keeps the order, so that nobody has to wait for an answer before the next question. */
async function playOnRedis(limits: TierLimits, steps: readonly Step[], merchant: string): Promise<Told[]> {
  const told = await Promise.all(
    steps.map((step): Promise<Told | void> => {
      nowUs = step.atUs;
      if (step.does === 'acquire') return limiter.acquire(merchant, limits, step.lease);
      if (step.does === 'renew') return limiter.renew(merchant, step.lease);
      return limiter.release(merchant, step.lease);
    }),
  );
  return told as Told[];
}

function playHere(limits: TierLimits, steps: readonly Step[], merchant: string): Told[] {
  const local: LocalLimiter = createLocalLimiter();
  return steps.map(({ does, lease, atUs }) => {
    if (does === 'acquire') return local.acquire(merchant, limits, lease, atUs / 1000);
    if (does === 'renew') return local.renew(merchant, lease, atUs / 1000);
    return local.release(merchant, lease) as undefined;
  });
}

interface Played {
  readonly limits: TierLimits;
  readonly steps: readonly Step[];
  readonly told: readonly Told[];
  /** The clock never went back. */
  readonly isExact: boolean;
}

/** @returns how many were admitted */
function judge({ limits, steps, told, isExact }: Played): number {
  const log = new ExactLog(limits, isExact);
  const timeOf = isExact ? (atUs: number) => atUs : forwardOnly();
  steps.forEach(({ does, lease, atUs }, n) => {
    const seenUs = timeOf(atUs);
    if (does === 'acquire') log.judge(told[n] as LimitAnswer, lease, seenUs);
    else if (does === 'release') log.release(lease);
    else if (log.renew(lease, seenUs) !== told[n] && isExact)
      throw new Error(`${lease} was ${told[n] === true ? '' : 'not '}renewed`);
  });
  return log.admitted;
}

/**
 * The script looks for leases that have run out once a second or when there is no place left, the process always: until then the
 * script may say that fewer are left. Everything else is the same.
 */
function expectSame(one: Told, other: Told): void {
  if (typeof one !== 'object' || typeof other !== 'object') return expect(one).toBe(other);
  if (!one.allowed || one.tightest !== 'concurrent') return expect(one).toEqual(other);
  const { tightest: _, remaining: left, resetAtMs: __, ...rest } = one;
  expect(other).toMatchObject(rest);
  expect(left).toBeLessThanOrEqual(other.remaining);
}

async function check(stepsBack: boolean): Promise<{ requests: number; admitted: number }> {
  let [requests, admitted] = [0, 0];
  const property = fc.asyncProperty(trafficArbitrary(stepsBack), async (traffic) => {
    merchants += 1;
    const merchant = `m${merchants}`;
    const [{ limits }, steps] = [traffic, stepsOf(traffic)];
    const told = await playOnRedis(limits, steps, merchant);
    requests += steps.filter(({ does }) => does === 'acquire').length;
    admitted += judge({ limits, steps, told, isExact: !stepsBack });
    const here = playHere(limits, steps, merchant);
    expect(told.length).toBe(here.length);
    told.forEach((answer, n) => expectSame(answer, here[n]));
    await rig.redis.del(`${rig.prefix}ratelimit:{${merchant}}:windows`);
  });
  for (let round = 0; requests < REQUESTS / 2; round += 1)
    await fc.assert(property, { seed: SEED + round, numRuns: 20 });
  return { requests, admitted };
}

describe('against an exact log, and against the limiter of one process', () => {
  test(
    'it admits up to each limit and never more, refuses for no other reason, and gives the same answers',
    async () => {
      const { requests, admitted } = await check(false);
      console.log(`${requests} requests, ${admitted} admitted`);
      expect(admitted).toBeGreaterThan(requests / 20);
      expect(admitted).toBeLessThan((requests * 19) / 20);
    },
    LIMIT_MS,
  );

  test(
    'a clock of Redis that goes back never lets it admit more',
    async () => {
      const { requests, admitted } = await check(true);
      console.log(`${requests} requests while the clock goes back, ${admitted} admitted`);
      expect(admitted).toBeGreaterThan(requests / 20);
    },
    LIMIT_MS,
  );
});

// Here, because it is for all who use this Redis at the same moment, and the order of requests is lost.
test('a Redis that has forgotten the script is given it again, with requests under way', async () => {
  const limits = { perSecond: 100, perMinute: 1_000, perHour: 1_000, burst: 100, concurrency: 100 };
  const timed = createTierLimiter(rig.redis, rig.prefix);
  await timed.acquire('m', limits, 'first');
  await rig.redis.script('FLUSH');
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => timed.acquire('m', limits, `l${n}`)),
  );
  expect(answers.every(({ allowed }) => allowed)).toBe(true);
  expect(await timed.usage('m', limits)).toMatchObject({ minute: { used: 51 }, concurrent: { used: 51 } });
});
