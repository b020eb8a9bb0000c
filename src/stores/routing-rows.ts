/** Rows of routing's configuration as operators see and change them (routing-admin.ts); the routers read routing-config.ts. */
import type { ChannelName } from '../domain/channel';
import type { RoutingMode } from '../domain/routing/types';
import { pageSql, pageValues } from './page';
import type { Listed, Page } from './page';
import type { Queryable } from './postgres';
import type { StoredSettings } from './routing-config';

export interface Versioned {
  /** The routing version of the row's last change. */
  version: number;
  updated_at: Date;
}
export interface ChannelRow extends Versioned {
  channel: ChannelName;
  settings: StoredSettings;
}
export interface FeeFields {
  channel: ChannelName;
  /** null, here and below: any. */
  account_id: string | null;
  currency: string | null;
  country: string | null;
  basis_points: number;
  fixed_minor: number;
}
export interface FeeRow extends FeeFields, Versioned {
  id: string;
  created_at: Date;
}
export interface RuleFields {
  order: number;
  enabled: boolean;
  merchant_id: string | null;
  currency: string | null;
  country: string | null;
  min_amount: number | null;
  max_amount: number | null;
  channel: ChannelName;
  weight: number;
}
export interface RuleRow extends RuleFields, Versioned {
  id: string;
  created_at: Date;
}
export interface MerchantFields {
  /** null: as for all. */
  mode: RoutingMode | null;
  smart: boolean | null;
}
export interface MerchantRow extends MerchantFields, Versioned {
  merchant_id: string;
}

export const CHANNEL_COLUMNS = 'channel, settings, version, updated_at';
export const FEE_FIELDS = ['channel', 'account_id', 'currency', 'country', 'basis_points', 'fixed_minor'];
export const FEE_COLUMNS = `id, ${FEE_FIELDS.join(', ')}, version, created_at, updated_at`;
export const RULE_COLUMNS = `id, rule_order AS "order", enabled, merchant_id, currency, country, min_amount, max_amount, channel, weight,
  version, created_at, updated_at`;
export const MERCHANT_COLUMNS = 'merchant_id, mode, smart, version, updated_at';

const CHANNELS = `SELECT ${CHANNEL_COLUMNS} FROM routing_channels`;

/** Those with settings of their own. */
export async function readChannels(q: Queryable): Promise<ChannelRow[]> {
  return (await q.query<ChannelRow>(CHANNELS, [])).rows;
}

const FEES = pageSql(
  { table: 'channel_fees', columns: FEE_COLUMNS, id: 'id' },
  '($1::text IS NULL OR channel = $1)',
  1,
);

/** Newest first. */
export async function listFees(
  q: Queryable,
  channel: ChannelName | undefined,
  page: Page,
): Promise<Listed<FeeRow>[]> {
  return (await q.query<Listed<FeeRow>>(FEES, [channel ?? null, ...pageValues(page)])).rows;
}

const RULES = `SELECT ${RULE_COLUMNS} FROM routing_rules ORDER BY rule_order, id`;

/** All of them, in the order in which they are asked. */
export async function readRules(q: Queryable): Promise<RuleRow[]> {
  return (await q.query<RuleRow>(RULES, [])).rows;
}

const MERCHANT = `SELECT ${MERCHANT_COLUMNS} FROM merchant_routing WHERE merchant_id = $1`;

/** @returns undefined: nothing is set for this merchant */
export async function readMerchantRouting(
  q: Queryable,
  merchantId: string,
): Promise<MerchantRow | undefined> {
  return (await q.query<MerchantRow>(MERCHANT, [merchantId])).rows[0];
}
