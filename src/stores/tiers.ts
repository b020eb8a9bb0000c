/** tiers, merchant_limits and merchants.tier: what merchants may ask. Every change is noted in admin_audit. */
import type { LimitOverrides, TierLimits, TierName } from '../domain/limits/tiers';
import { appendAdminAudit } from './admin-audit';
import type { AskedBy } from './admin-audit';
import { withTransaction } from './postgres';
import type { Database, Queryable } from './postgres';

/** Limits by their names outside of the program. */
export interface LimitColumns {
  readonly per_second: number;
  readonly per_minute: number;
  readonly per_hour: number;
  readonly burst: number;
  readonly concurrency: number;
}
/** null: as the tier. */
export type OverrideColumns = { readonly [Name in keyof LimitColumns]: number | null };

export interface TierRow extends LimitColumns {
  readonly name: TierName;
  readonly updated_at: Date;
}

export interface MerchantLimitsRow extends OverrideColumns {
  readonly tier: TierName;
  /** null, both: the merchant never had any but its tier's. */
  readonly updated_by: string | null;
  readonly updated_at: Date | null;
}

const LIMITS = 'per_second, per_minute, per_hour, burst, concurrency';

export function limitsOfRow(row: LimitColumns): TierLimits {
  const { per_second: perSecond, per_minute: perMinute, per_hour: perHour, burst, concurrency } = row;
  return { perSecond, perMinute, perHour, burst, concurrency };
}

/** Only those that are set. */
export function overridesOfRow(row: OverrideColumns): LimitOverrides {
  const { per_second: perSecond, per_minute: perMinute, per_hour: perHour, burst, concurrency } = row;
  return {
    ...(perSecond !== null && { perSecond }),
    ...(perMinute !== null && { perMinute }),
    ...(perHour !== null && { perHour }),
    ...(burst !== null && { burst }),
    ...(concurrency !== null && { concurrency }),
  };
}

const valuesOf = (row: OverrideColumns) => [
  ...[row.per_second, row.per_minute, row.per_hour, row.burst, row.concurrency],
];

const columnsOf = ({ per_second, per_minute, per_hour, burst, concurrency }: OverrideColumns) => ({
  ...{ per_second, per_minute, per_hour, burst, concurrency },
});

const READ_TIERS = `SELECT name, ${LIMITS}, updated_at FROM tiers ORDER BY per_second, name`;

/** All of them, the smallest first. */
export async function readTiers(q: Queryable): Promise<TierRow[]> {
  return (await q.query<TierRow>(READ_TIERS, [])).rows;
}

const LOCK_TIER = `SELECT name, ${LIMITS}, updated_at FROM tiers WHERE name = $1 FOR NO KEY UPDATE`;
const SAVE_TIER = `
UPDATE tiers SET (${LIMITS}) = ($2, $3, $4, $5, $6), updated_at = now() WHERE name = $1
RETURNING name, ${LIMITS}, updated_at`;

/** Puts these numbers in the place of those of the tier. */
export function replaceTier(
  db: Database,
  by: AskedBy,
  name: TierName,
  limits: LimitColumns,
): Promise<TierRow> {
  return withTransaction(db, async (tx) => {
    const before = (await tx.query<TierRow>(LOCK_TIER, [name])).rows[0];
    const after = (await tx.query<TierRow>(SAVE_TIER, [name, ...valuesOf(limits)])).rows[0];
    if (before === undefined || after === undefined) throw new Error(`there is no tier ${name}`);
    const noted = { before: columnsOf(before), after: columnsOf(after) };
    await appendAdminAudit(tx, { ...by, action: 'tier.replace', entityId: name, ...noted });
    return after;
  });
}

const READ_MERCHANT = `
SELECT m.tier, ${LIMITS}, l.updated_by, l.updated_at
FROM merchants m LEFT JOIN merchant_limits l ON l.merchant_id = m.id WHERE m.id = $1`;

/** @returns undefined: there is no such merchant */
export async function readMerchantLimits(
  q: Queryable,
  merchantId: string,
): Promise<MerchantLimitsRow | undefined> {
  return (await q.query<MerchantLimitsRow>(READ_MERCHANT, [merchantId])).rows[0];
}

const LOCK_MERCHANT = `${READ_MERCHANT} FOR NO KEY UPDATE OF m`;
const SAVE_OVERRIDES = `
INSERT INTO merchant_limits (merchant_id, ${LIMITS}, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (merchant_id) DO UPDATE SET (${LIMITS}) = ($2, $3, $4, $5, $6), updated_by = $7, updated_at = now()`;
const SAVE_TIER_OF = 'UPDATE merchants SET tier = $2 WHERE id = $1';

/** What changes; absent: stays as it is. */
export interface MerchantLimitsChange {
  readonly tier?: TierName | undefined;
  readonly overrides?: OverrideColumns | undefined;
}

/** @returns what holds now; undefined: there is no such merchant */
export function changeMerchantLimits(
  db: Database,
  by: AskedBy,
  merchantId: string,
  { tier, overrides }: MerchantLimitsChange,
): Promise<MerchantLimitsRow | undefined> {
  return withTransaction(db, async (tx) => {
    const before = (await tx.query<MerchantLimitsRow>(LOCK_MERCHANT, [merchantId])).rows[0];
    if (before === undefined) return undefined;
    if (tier !== undefined && tier !== before.tier) await tx.query(SAVE_TIER_OF, [merchantId, tier]);
    if (overrides !== undefined)
      await tx.query(SAVE_OVERRIDES, [merchantId, ...valuesOf(overrides), by.actor]);
    const after = await readMerchantLimits(tx, merchantId);
    if (after === undefined)
      throw new Error(`the merchant ${merchantId} is gone although its row was locked`);
    await appendAdminAudit(tx, {
      ...{
        ...by,
        action: overrides === undefined ? 'merchant.tier' : 'merchant.limits',
        entityId: merchantId,
      },
      before: { tier: before.tier, ...columnsOf(before) },
      after: { tier: after.tier, ...columnsOf(after) },
    });
    return after;
  });
}
