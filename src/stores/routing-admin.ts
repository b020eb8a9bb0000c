/**
 * Changes of routing's configuration. Each is one transaction, or part of its caller's: it locks the version row, so that changes happen one after
 * the other, is noted in the audit, and raises the version. Whoever runs routers is told after the commit, by the caller.
 */
import { randomUUID } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { ChannelName } from '../domain/channel';
import { ROUTING_LIMITS } from '../domain/routing/config';
import { withinTransaction } from './postgres';
import type { Database, Queryable } from './postgres';
import { appendAudit } from './routing-audit';
import type { AuditedEntity } from './routing-audit';
import type { StoredSettings } from './routing-config';
import { CHANNEL_COLUMNS, FEE_COLUMNS, FEE_FIELDS, MERCHANT_COLUMNS, RULE_COLUMNS } from './routing-rows';
import type {
  ChannelRow,
  FeeFields,
  FeeRow,
  MerchantFields,
  MerchantRow,
  RuleFields,
  RuleRow,
  Versioned,
} from './routing-rows';

/** The whole configuration is kept in memory. */
export const MAX_MERCHANT_SETTINGS = 10_000;

/** On whose word something is changed. */
export interface ChangedBy {
  readonly actor: string;
  readonly requestId: string;
  /** The row's version as the caller knows it, 0 for none; absent: whatever it is. */
  readonly version?: number | undefined;
}

/** Why nothing was changed. */
export type Refused =
  | { readonly refused: 'not_found' }
  /** The row has another version than the caller knows. */
  | { readonly refused: 'changed'; readonly version: number }
  | { readonly refused: 'limit'; readonly limit: number }
  /** Another row says exactly this already. */
  | { readonly refused: 'exists'; readonly id: string }
  /** What the field refers to does not exist, or is another channel's. */
  | { readonly refused: 'unknown'; readonly field: 'account_id' | 'merchant_id' };

export type Changed<Row> = { readonly row: Row } | Refused;

interface Kept {
  readonly entity: AuditedEntity;
  /** SQL: the row with the key $1. */
  readonly find: string;
  /** SQL: $1 the key, $2 the version, then the fields. */
  readonly save: string;
  readonly remove: string;
  /** SQL: how many there are. */
  readonly count: string;
  readonly limit: number;
}

function kept(entity: AuditedEntity, limit: number, table: KeptTable): Kept {
  const { name, key, columns, fields } = table;
  const places = fields.map((_, index) => `$${index + 3}`).join(', ');
  const updates = fields.map((field) => `${field} = EXCLUDED.${field}`).join(', ');
  return {
    entity,
    limit,
    find: `SELECT ${columns} FROM ${name} WHERE ${key} = $1`,
    save: `
INSERT INTO ${name} (${key}, version, ${fields.join(', ')}) VALUES ($1, $2, ${places})
ON CONFLICT (${key}) DO UPDATE SET version = EXCLUDED.version, updated_at = now(), ${updates} RETURNING ${columns}`,
    remove: `DELETE FROM ${name} WHERE ${key} = $1`,
    count: `SELECT count(*) AS count FROM ${name}`,
  };
}

interface KeptTable {
  readonly name: string;
  readonly key: string;
  readonly columns: string;
  readonly fields: readonly string[];
}

const CHANNELS_KEPT = kept('channel', ROUTING_LIMITS.channels, {
  ...{ name: 'routing_channels', key: 'channel', columns: CHANNEL_COLUMNS, fields: ['settings'] },
});

const FEES_KEPT = kept('fee', ROUTING_LIMITS.feeRules, {
  ...{ name: 'channel_fees', key: 'id', columns: FEE_COLUMNS, fields: FEE_FIELDS },
});

const RULES_KEPT = kept('rule', ROUTING_LIMITS.rules, {
  ...{ name: 'routing_rules', key: 'id', columns: RULE_COLUMNS },
  fields: [
    ...['rule_order', 'enabled', 'merchant_id', 'currency', 'country', 'min_amount', 'max_amount', 'channel'],
    'weight',
  ],
});

const MERCHANTS_KEPT = kept('merchant', MAX_MERCHANT_SETTINGS, {
  ...{ name: 'merchant_routing', key: 'merchant_id', columns: MERCHANT_COLUMNS, fields: ['mode', 'smart'] },
});

const KEPT: Readonly<Record<AuditedEntity, Kept>> = {
  ...{ channel: CHANNELS_KEPT, fee: FEES_KEPT, rule: RULES_KEPT, merchant: MERCHANTS_KEPT },
};

const LOCK_VERSION = 'SELECT version FROM routing_version FOR UPDATE';
const RAISE_VERSION = 'UPDATE routing_version SET version = $1';

interface Change<Row> {
  readonly key: string;
  /** There must be such a row already. */
  readonly mustExist: boolean;
  /** Why the new row may not be; absent: the row is removed. */
  readonly check?: (tx: Queryable) => Promise<Refused | undefined>;
  readonly write: (tx: Queryable, version: number) => Promise<Row | undefined>;
}

/** @returns the row as it is now, or, when it is removed, as it was */
async function change<Row extends Versioned>(
  db: Database | PoolClient,
  by: ChangedBy,
  { entity, find, count, limit }: Kept,
  { key, mustExist, check, write }: Change<Row>,
): Promise<Changed<Row>> {
  return withinTransaction(db, async (tx) => {
    const present = (await tx.query<{ version: number }>(LOCK_VERSION, [])).rows[0]?.version;
    if (present === undefined) throw new Error('routing_version has no row');
    const before = (await tx.query<Row>(find, [key])).rows[0];
    if (mustExist && before === undefined) return { refused: 'not_found' };
    const known = before?.version ?? 0;
    if (by.version !== undefined && by.version !== known) return { refused: 'changed', version: known };
    const refused = await check?.(tx);
    if (refused !== undefined) return refused;
    if (before === undefined) {
      const there = (await tx.query<{ count: number }>(count, [])).rows[0]?.count ?? 0;
      if (there >= limit) return { refused: 'limit', limit };
    }
    const version = present + 1;
    const after = await write(tx, version);
    await tx.query(RAISE_VERSION, [version]);
    const { actor, requestId } = by;
    await appendAudit(tx, { version, actor, requestId, entity, entityId: key, before, after });
    const row = after ?? before;
    if (row === undefined) throw new Error(`the ${entity} ${key} was written without a row`);
    return { row };
  });
}

function save<Row extends Versioned>(
  db: Database | PoolClient,
  by: ChangedBy,
  to: Kept,
  what: { key: string; mustExist: boolean; fields: unknown[]; check?: NonNullable<Change<Row>['check']> },
): Promise<Changed<Row>> {
  const { fields, ...rest } = what;
  const write = async (tx: Queryable, version: number) =>
    (await tx.query<Row>(to.save, [what.key, version, ...fields])).rows[0];
  return change<Row>(db, by, to, { ...rest, write });
}

/** @returns the row that is no more; `not_found` when there was none: nothing is changed then */
export function removeSetting<Row extends Versioned>(
  db: Database,
  by: ChangedBy,
  entity: AuditedEntity,
  key: string,
): Promise<Changed<Row>> {
  const from = KEPT[entity];
  const write = async (tx: Queryable) => {
    await tx.query(from.remove, [key]);
    return undefined;
  };
  return change<Row>(db, by, from, { key, mustExist: true, write });
}

/** Puts the whole settings of a channel in the place of those it has, or of the built-in ones. */
export function saveChannel(
  db: Database,
  by: ChangedBy,
  channel: ChannelName,
  settings: StoredSettings,
): Promise<Changed<ChannelRow>> {
  return save(db, by, CHANNELS_KEPT, { key: channel, mustExist: false, fields: [settings] });
}

const ACCOUNT_OF_CHANNEL = 'SELECT 1 FROM channel_accounts WHERE id = $1 AND channel = $2';
const SAME_FEE = `
SELECT id FROM channel_fees WHERE channel = $1 AND account_id IS NOT DISTINCT FROM $2 AND currency IS NOT DISTINCT FROM $3
  AND country IS NOT DISTINCT FROM $4 AND id <> $5`;

/** @param id undefined: a new one */
export function saveFee(
  db: Database | PoolClient,
  by: ChangedBy,
  id: string | undefined,
  fee: FeeFields,
): Promise<Changed<FeeRow>> {
  const key = id ?? randomUUID();
  const { channel, account_id, currency, country, basis_points, fixed_minor } = fee;
  const check = async (tx: Queryable): Promise<Refused | undefined> => {
    if (account_id !== null && (await tx.query(ACCOUNT_OF_CHANNEL, [account_id, channel])).rows.length === 0)
      return { refused: 'unknown', field: 'account_id' };
    const same = await tx.query<{ id: string }>(SAME_FEE, [channel, account_id, currency, country, key]);
    return same.rows[0] && { refused: 'exists', id: same.rows[0].id };
  };
  const fields = [channel, account_id, currency, country, basis_points, fixed_minor];
  return save(db, by, FEES_KEPT, { key, mustExist: id !== undefined, fields, check });
}

const MERCHANT = 'SELECT 1 FROM merchants WHERE id = $1';

async function isMerchant(tx: Queryable, id: string): Promise<boolean> {
  return (await tx.query(MERCHANT, [id])).rows.length > 0;
}

/** @param id undefined: a new one. A rule keeps its id when it is replaced, and with it its share of the orders. */
export function saveRule(
  db: Database | PoolClient,
  by: ChangedBy,
  id: string | undefined,
  rule: RuleFields,
): Promise<Changed<RuleRow>> {
  const { order, enabled, merchant_id, currency, country, min_amount, max_amount, channel, weight } = rule;
  const fields = [order, enabled, merchant_id, currency, country, min_amount, max_amount, channel, weight];
  const check = async (tx: Queryable): Promise<Refused | undefined> =>
    merchant_id === null || (await isMerchant(tx, merchant_id))
      ? undefined
      : { refused: 'unknown', field: 'merchant_id' };
  const key = id ?? randomUUID();
  return save(db, by, RULES_KEPT, { key, mustExist: id !== undefined, fields, check });
}

export function saveMerchantRouting(
  db: Database,
  by: ChangedBy,
  merchantId: string,
  { mode, smart }: MerchantFields,
): Promise<Changed<MerchantRow>> {
  const check = async (tx: Queryable): Promise<Refused | undefined> =>
    (await isMerchant(tx, merchantId)) ? undefined : { refused: 'not_found' };
  return save(db, by, MERCHANTS_KEPT, { key: merchantId, mustExist: false, fields: [mode, smart], check });
}
