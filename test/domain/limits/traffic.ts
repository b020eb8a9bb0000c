/** Random traffic of one merchant, from a seed: floods, a steady flow, pauses up to more than an hour, leases forgotten. */
import * as fc from 'fast-check';
import { seededRandom } from '../../../dev/seeded-random';
import type { TierLimits } from '../../../src/domain/limits/tiers';

export type Step =
  | { readonly does: 'acquire'; readonly lease: string; readonly atUs: number }
  | { readonly does: 'renew'; readonly lease: string; readonly atUs: number }
  | { readonly does: 'release'; readonly lease: string; readonly atUs: number };

export interface Phase {
  readonly requests: number;
  /** At most so long after the one before. */
  readonly gapUs: number;
  /** How many of them are given back before the next, 0 to 1. */
  readonly released: number;
  readonly seed: number;
}

/** Short enough to be read when a property fails; `stepsOf` makes the requests of it. */
export interface Traffic {
  readonly limits: TierLimits;
  readonly phases: readonly Phase[];
  /** Whether the clock goes back now and then, by microseconds or by hours. */
  readonly stepsBack: boolean;
}

/** Somewhere within a second and a minute. */
const START_US = 1_795_000_123_456_789;

const limitsArbitrary: fc.Arbitrary<TierLimits> = fc.record({
  perSecond: fc.integer({ min: 1, max: 60 }),
  perMinute: fc.integer({ min: 1, max: 400 }),
  perHour: fc.integer({ min: 1, max: 1_500 }),
  burst: fc.integer({ min: 1, max: 80 }),
  concurrency: fc.integer({ min: 1, max: 200 }),
});

const GAPS_US = [0, 100, 20_000, 300_000, 2_000_000, 40_000_000, 130_000_000, 4_000_000_000];

const phaseArbitrary: fc.Arbitrary<Phase> = fc.record({
  requests: fc.integer({ min: 1, max: 150 }),
  gapUs: fc.constantFrom(...GAPS_US),
  released: fc.constantFrom(0, 0.5, 0.95, 1),
  seed: fc.integer(),
});

export const trafficArbitrary = (stepsBack: boolean): fc.Arbitrary<Traffic> =>
  fc.record({
    limits: limitsArbitrary,
    phases: fc.array(phaseArbitrary, { minLength: 1, maxLength: 16 }),
    stepsBack: fc.constant(stepsBack),
  });

export function stepsOf({ phases, stepsBack }: Traffic): readonly Step[] {
  const steps: Step[] = [];
  let atUs = START_US;
  for (const phase of phases) {
    const random = seededRandom(phase.seed);
    for (let n = 0; n < phase.requests; n += 1) {
      atUs += Math.floor(random() * phase.gapUs);
      if (stepsBack && random() < 0.05) atUs -= Math.floor(random() ** 8 * 7_200_000_000);
      const lease = `l${steps.length}`;
      steps.push({ does: 'acquire', lease, atUs });
      if (random() < 0.05) steps.push({ does: 'renew', lease: leaseBefore(steps, random), atUs });
      if (random() < phase.released) steps.push({ does: 'release', lease, atUs });
      else if (random() < 0.3) steps.push({ does: 'release', lease: leaseBefore(steps, random), atUs });
    }
  }
  return steps;
}

function leaseBefore(steps: readonly Step[], random: () => number): string {
  return steps[Math.floor(steps.length * random())]?.lease ?? '';
}

/** A time that stands still while the given one goes back: no clock-based limiter may think that more has passed. */
export function forwardOnly(): (atUs: number) => number {
  let last: number | undefined;
  let forwardUs = 0;
  return (atUs) => {
    forwardUs += Math.max(0, atUs - (last ?? atUs));
    last = atUs;
    return START_US + forwardUs;
  };
}
