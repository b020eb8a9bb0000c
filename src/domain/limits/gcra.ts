/**
 * The bucket: `burst` requests deep, refilled at `perSecond`. Kept as what is used of it, in whole numbers, so that nothing is lost to
 * rounding: a request is 1 000 000 units, and in a microsecond `perSecond` units drain. In any time T at most
 * burst + perSecond x T requests are let through.
 */
import type { TierLimits } from './tiers';

export const REQUEST_UNITS = 1_000_000;

type Bucket = Pick<TierLimits, 'perSecond' | 'burst'>;

/** The level after so many microseconds without a request. */
export function drained(level: number, elapsedUs: number, perSecond: number): number {
  return Math.max(0, level - elapsedUs * perSecond);
}

/** How many requests fit in at once. */
export function bucketLeft(level: number, burst: number): number {
  return Math.max(0, Math.floor(burst - level / REQUEST_UNITS));
}

/** Microseconds until one request more fits in than now; 0 when the bucket is empty. */
export function bucketWaitUs(level: number, { perSecond, burst }: Bucket): number {
  const target = (burst - bucketLeft(level, burst) - 1) * REQUEST_UNITS;
  return Math.max(0, Math.ceil((level - Math.max(0, target)) / perSecond));
}
