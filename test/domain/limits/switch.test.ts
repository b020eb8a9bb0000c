/** How far limits can be exceeded when Redis goes away and comes back: what docs/tiers.md computes, tried. */
import * as fc from 'fast-check';
import { createLocalLimiter } from '../../../src/domain/limits/local-limiter';
import { shareOf } from '../../../src/domain/limits/tiers';
import type { TierLimits } from '../../../src/domain/limits/tiers';
import { seededRandom } from '../../../dev/seeded-random';

const SEED = 20_261_126;
const NOW_MS = 1_795_000_020_000;

/** Floods all processes while Redis comes and goes. @returns the times of what was let through */
function flood(limits: TierLimits, processes: number, seed: number): number[] {
  const random = seededRandom(seed);
  const redis = createLocalLimiter();
  const own = Array.from({ length: processes }, () => createLocalLimiter());
  const admittedMs: number[] = [];
  let isAway = false;
  let nowMs = NOW_MS;
  for (let n = 0; n < 1_500; n += 1) {
    nowMs += random() < 0.3 ? Math.floor(random() * 2_500) : 0;
    if (random() < 0.01) isAway = !isAway;
    const process = own[Math.floor(random() * processes)];
    const answer = isAway
      ? process?.acquire('m', shareOf(limits, processes), `l${n}`, nowMs)
      : redis.acquire('m', limits, `l${n}`, nowMs);
    for (const limiter of [redis, ...own]) limiter.release('m', `l${n}`);
    if (answer?.allowed === true) admittedMs.push(nowMs);
  }
  return admittedMs;
}

function mostWithin(timesMs: readonly number[], lengthMs: number): number {
  let [most, from] = [0, 0];
  timesMs.forEach((timeMs, at) => {
    while ((timesMs[from] ?? 0) < timeMs - lengthMs) from += 1;
    most = Math.max(most, at - from + 1);
  });
  return most;
}

test('never more than L + P x ceil(L / P) in any window, and more than L now and then', () => {
  let exceeded = 0;
  fc.assert(
    fc.property(
      fc.record({
        perMinute: fc.integer({ min: 5, max: 200 }),
        processes: fc.integer({ min: 1, max: 6 }),
        seed: fc.nat(),
      }),
      ({ perMinute, processes, seed }) => {
        const limits = { perSecond: 1_000, burst: 1_000, perMinute, perHour: perMinute * 4, concurrency: 1 };
        const share = shareOf(limits, processes);
        const admittedMs = flood(limits, processes, seed);
        const most = mostWithin(admittedMs, 60_000);
        expect(most).toBeLessThanOrEqual(perMinute + processes * share.perMinute);
        expect(mostWithin(admittedMs, 3_600_000)).toBeLessThanOrEqual(
          limits.perHour + processes * share.perHour,
        );
        if (most > perMinute) exceeded += 1;
      },
    ),
    { seed: SEED, numRuns: 30 },
  );
  expect(exceeded).toBeGreaterThan(10);
});
