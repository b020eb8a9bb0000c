/** What merchants may ask of the gateway, by tier. Pure; the tables in the database start as `DEFAULT_TIERS`. */

/** Whole numbers from 1 to MAX_LIMIT. */
export interface TierLimits {
  /** The rate at which the bucket is refilled. */
  readonly perSecond: number;
  /** In any trailing minute. */
  readonly perMinute: number;
  /** In any trailing hour. */
  readonly perHour: number;
  /** The size of the bucket: so many at once after a pause. */
  readonly burst: number;
  /** Requests at work at the same time. */
  readonly concurrency: number;
}

/** The counters of a window and the arithmetic of the bucket stay exact up to here. */
export const MAX_LIMIT = 10_000_000;

export const TIER_NAMES = ['starter', 'business', 'enterprise', 'premium'] as const;
export type TierName = (typeof TIER_NAMES)[number];

export const DEFAULT_TIERS: Readonly<Record<TierName, TierLimits>> = {
  starter: { perSecond: 10, perMinute: 500, perHour: 10_000, burst: 20, concurrency: 10 },
  business: { perSecond: 50, perMinute: 2_500, perHour: 50_000, burst: 100, concurrency: 50 },
  enterprise: { perSecond: 200, perMinute: 10_000, perHour: 200_000, burst: 400, concurrency: 200 },
  premium: { perSecond: 500, perMinute: 25_000, perHour: 500_000, burst: 1_000, concurrency: 500 },
};

/** Those that are given take the place of the tier's own. */
export type LimitOverrides = { readonly [Name in keyof TierLimits]?: number | null | undefined };

export const LIMIT_NAMES = ['perSecond', 'perMinute', 'perHour', 'burst', 'concurrency'] as const;

function mapLimits(valueOf: (name: keyof TierLimits) => number): TierLimits {
  return {
    perSecond: valueOf('perSecond'),
    perMinute: valueOf('perMinute'),
    perHour: valueOf('perHour'),
    burst: valueOf('burst'),
    concurrency: valueOf('concurrency'),
  };
}

/** @param percent 1 to 100. @returns so much of every limit, rounded down, but never less than 1 */
export function scaled(limits: TierLimits, percent: number): TierLimits {
  return mapLimits((name) => Math.max(1, Math.floor((limits[name] * percent) / 100)));
}

/** @param processes at least 1. @returns the share of one process, rounded up: nobody is left without any */
export function shareOf(limits: TierLimits, processes: number): TierLimits {
  return mapLimits((name) => Math.ceil(limits[name] / processes));
}

/** @returns every limit so many times as large, up to MAX_LIMIT */
export function multipliedBy(limits: TierLimits, factor: number): TierLimits {
  return mapLimits((name) => Math.min(limits[name] * factor, MAX_LIMIT));
}

/** A number that is null or missing stays the tier's. */
export function mergeOverrides(limits: TierLimits, overrides: LimitOverrides): TierLimits {
  return mapLimits((name) => overrides[name] ?? limits[name]);
}
