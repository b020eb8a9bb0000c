/** Limits as operators read and write them. */
import { z } from 'zod';
import { contradictionsIn } from '../../domain/limits/consistency';
import { DEFAULT_TIERS, MAX_LIMIT, TIER_NAMES } from '../../domain/limits/tiers';
import type { TierLimits } from '../../domain/limits/tiers';
import type { LimitColumns, OverrideColumns } from '../../stores/tiers';
import type { Issue } from '../errors';

/** Each request at work is an entry in Redis. */
const MAX_CONCURRENCY = 10_000;

const rate = z.int().min(1).max(MAX_LIMIT);
const concurrency = z.int().min(1).max(MAX_CONCURRENCY);

const limitFields = {
  per_second: rate.describe('The rate at which the bucket is refilled'),
  per_minute: rate.describe('In any trailing minute'),
  per_hour: rate.describe('In any trailing hour'),
  burst: rate.describe('The size of the bucket: so many at once after a pause'),
  concurrency: concurrency.describe('Requests at work at the same time'),
};
const tierName = z.enum(TIER_NAMES);
const timestamp = z.iso.datetime();

export const limitsBody = z.strictObject(limitFields);
const limitsView = z.object(limitFields);
const overridesView = z.object({
  per_second: rate.nullable(),
  per_minute: rate.nullable(),
  per_hour: rate.nullable(),
  burst: rate.nullable(),
  concurrency: concurrency.nullable(),
});
const overridesBody = z.strictObject({
  per_second: rate.nullish(),
  per_minute: rate.nullish(),
  per_hour: rate.nullish(),
  burst: rate.nullish(),
  concurrency: concurrency.nullish(),
});

export const tierParams = z.strictObject({ name: tierName });
export const merchantParams = z.strictObject({ merchant_id: z.uuid() });
export const tierBody = z.strictObject({ tier: tierName });
export const merchantLimitsBody = z.strictObject({
  tier: tierName.optional().describe('Absent: the tier stays'),
  overrides: overridesBody.describe('Taken whole; null or absent: as the tier'),
});

export const tierView = limitsView.extend({ name: tierName, updated_at: timestamp });
export const merchantLimitsView = z.object({
  merchant_id: z.uuid(),
  tier: tierName,
  overrides: overridesView.describe('null: as the tier'),
  limits: limitsView.describe('In effect: those of the tier with the overrides in their place'),
  updated_by: z.string().nullable().describe('Who set the overrides last; null: nobody ever did'),
  updated_at: timestamp.nullable(),
});

const used = z.object({ used: z.int().min(0), limit: z.int().min(1) });
export const usageView = z.object({
  merchant_id: z.uuid(),
  tier: tierName,
  second: used.describe('Of the bucket: what is not refilled yet, of its size'),
  minute: used,
  hour: used,
  concurrent: used.describe('Requests at work now'),
  today: z.object({
    date: z.iso.date().describe('UTC'),
    allowed: z.int().min(0),
    refused: z
      .object({ second: z.int(), minute: z.int(), hour: z.int(), concurrent: z.int() })
      .describe('By the limit that was reached'),
  }),
});

export function showLimits(limits: TierLimits): LimitColumns {
  const {
    perSecond: per_second,
    perMinute: per_minute,
    perHour: per_hour,
    burst,
    concurrency: most,
  } = limits;
  return { per_second, per_minute, per_hour, burst, concurrency: most };
}

export function overridesOfBody(body: z.infer<typeof overridesBody>): OverrideColumns {
  return {
    per_second: body.per_second ?? null,
    per_minute: body.per_minute ?? null,
    per_hour: body.per_hour ?? null,
    burst: body.burst ?? null,
    concurrency: body.concurrency ?? null,
  };
}

export const NO_OVERRIDES: OverrideColumns = overridesOfBody({});

const NAMES: Readonly<Record<keyof TierLimits, keyof LimitColumns>> = {
  perSecond: 'per_second',
  perMinute: 'per_minute',
  perHour: 'per_hour',
  burst: 'burst',
  concurrency: 'concurrency',
};

/** What is wrong with these limits taken together. @param pathOf names the field to look at */
export function contradictionIssues(limits: TierLimits, pathOf: (name: string) => string): Issue[] {
  return contradictionsIn(limits).map(({ name, atLeast }) => ({
    path: pathOf(NAMES[name]),
    message: `${NAMES[name]} would be ${limits[name]}, below ${NAMES[atLeast]}, which is ${limits[atLeast]}`,
  }));
}

const MERCHANT_ID = '0d3f5f1e-6c0b-4b7e-9a5c-2f1f6b0c9e11';

export const TIER_EXAMPLE = {
  ...{ name: 'business', ...showLimits(DEFAULT_TIERS.business), updated_at: '2026-03-01T09:30:00.000Z' },
};
export const MERCHANT_LIMITS_EXAMPLE = {
  ...{ merchant_id: MERCHANT_ID, tier: 'business', overrides: { ...NO_OVERRIDES, per_hour: 80_000 } },
  limits: { ...showLimits(DEFAULT_TIERS.business), per_hour: 80_000 },
  ...{ updated_by: 'ann', updated_at: '2026-03-01T09:30:00.000Z' },
};
export const USAGE_EXAMPLE = {
  ...{ merchant_id: MERCHANT_ID, tier: 'business' },
  ...{
    second: { used: 3, limit: 100 },
    minute: { used: 410, limit: 2_500 },
    hour: { used: 9_120, limit: 50_000 },
  },
  ...{ concurrent: { used: 2, limit: 50 } },
  today: {
    ...{ date: '2026-03-01', allowed: 61_204 },
    refused: { second: 12, minute: 0, hour: 0, concurrent: 3 },
  },
};
