/** Whether the numbers of a tier or a merchant make sense together. Pure. */
import type { TierLimits } from './tiers';

export interface Contradiction {
  readonly name: keyof TierLimits;
  /** The limit that it must not be below. */
  readonly atLeast: keyof TierLimits;
}

// A limit below that of a shorter time makes the shorter one a promise that is never kept: the bucket holds at least what
// comes into it in a second, a minute lets a full bucket through, an hour a full minute. A limit so high that it never
// refuses is no contradiction: it is how one is switched off.
const NEVER_BELOW: readonly Contradiction[] = [
  { name: 'burst', atLeast: 'perSecond' },
  { name: 'perMinute', atLeast: 'burst' },
  { name: 'perHour', atLeast: 'perMinute' },
];

export function contradictionsIn(limits: TierLimits): readonly Contradiction[] {
  return NEVER_BELOW.filter(({ name, atLeast }) => limits[name] < limits[atLeast]);
}
