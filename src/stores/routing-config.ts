/** The whole of routing's configuration as one snapshot, and the number that tells whether it is the present one. */
import type { ChannelName } from '../domain/channel';
import { CHANNELS } from '../domain/channel';
import { DEFAULT_FEES } from '../domain/fees';
import type { FeeTable } from '../domain/fees';
import { feeRulesOf } from '../domain/routing/cost';
import { DEFAULT_CHANNELS } from '../domain/routing/default-config';
import type {
  ChannelSettings,
  FeeRule,
  MerchantRouting,
  RoutingAccount,
  RoutingConfig,
  RoutingRule,
} from '../domain/routing/types';
import type { Queryable } from './postgres';

/** Settings of a channel as they are stored: in the names of the API. */
export type StoredSettings = Omit<ChannelSettings, 'id' | 'preAuth' | 'multipleCaptures'> & {
  readonly pre_auth: boolean;
  readonly multiple_captures: boolean;
};

/** In the domain's words. */
export function settingsOf(id: ChannelName, stored: StoredSettings): ChannelSettings {
  const { pre_auth: preAuth, multiple_captures: multipleCaptures, ...rest } = stored;
  return { id, ...rest, preAuth, multipleCaptures };
}

/** The inverse of `settingsOf`. */
export function storedSettingsOf({ id: _, ...settings }: ChannelSettings): StoredSettings {
  const { preAuth: pre_auth, multipleCaptures: multiple_captures, ...rest } = settings;
  return { ...rest, pre_auth, multiple_captures };
}

const listOf = (select: string, from: string, order: string) =>
  `(SELECT coalesce(json_agg(${select} ORDER BY ${order}), '[]') FROM ${from})`;

const FEE = `json_strip_nulls(json_build_object('id', id, 'channel', channel, 'accountId', account_id,
  'currency', currency, 'country', country, 'basisPoints', basis_points, 'fixedMinor', fixed_minor))`;
const RULE = `json_strip_nulls(json_build_object('id', id, 'order', rule_order, 'enabled', enabled,
  'merchantId', merchant_id, 'currency', currency, 'country', country, 'minAmount', min_amount, 'maxAmount', max_amount,
  'channel', channel, 'weight', weight))`;
const MERCHANT = `json_strip_nulls(json_build_object('merchantId', merchant_id, 'mode', mode, 'smart', smart))`;
const ACCOUNT = `json_build_object('id', id, 'channel', channel, 'world', world, 'merchantId', merchant_id,
  'contract', contract, 'fees', fees, 'enabled', enabled,
  'switchedOff', switched_off_at IS NOT NULL)`;

// One statement has one snapshot: a change is in it whole, with its version, or not at all. Its JSON is the domain's words,
// and in a fixed order, so that two processes with the same version have the same bytes.
const LOAD = `
SELECT (SELECT version FROM routing_version) AS version,
  ${listOf(`json_build_object('channel', channel, 'settings', settings)`, 'routing_channels', 'channel')} AS channels,
  ${listOf(FEE, 'channel_fees', 'id')} AS fees,
  ${listOf(RULE, 'routing_rules', 'id')} AS rules,
  ${listOf(MERCHANT, 'merchant_routing', 'merchant_id')} AS merchants,
  ${listOf(ACCOUNT, 'channel_accounts', 'id')} AS accounts`;

interface Loaded {
  version: number | null;
  channels: { channel: ChannelName; settings: StoredSettings }[];
  fees: FeeRule[];
  rules: RoutingRule[];
  merchants: MerchantRouting[];
  accounts: LoadedAccount[];
}

interface LoadedAccount extends RoutingAccount {
  enabled: boolean;
  fees: { basis_points: number; fixed_minor_by_currency: Record<string, number> } | null;
}

/** Everything routing goes by at one moment, with the version of that moment; what is not configured is as built in. */
export async function loadRoutingConfig(q: Queryable): Promise<RoutingConfig> {
  const [row] = (await q.query<Loaded>(LOAD, [])).rows;
  if (row === undefined) throw new Error('the routing configuration was read without a row');
  return {
    version: versionOf(row),
    channels: channelsOf(row),
    fees: feesOf(row),
    rules: row.rules,
    merchants: row.merchants,
    accounts: row.accounts
      .filter(({ enabled }) => enabled)
      .map(({ fees: _, enabled: __, ...account }) => account),
  };
}

function channelsOf({ channels }: Loaded): readonly ChannelSettings[] {
  const own = new Map(channels.map(({ channel, settings }) => [channel, settingsOf(channel, settings)]));
  return CHANNELS.map((channel) => own.get(channel) ?? DEFAULT_CHANNELS[channel]);
}

/**
 * List prices give way to the channel's own rows, an account's fee table to the rows that name it. Rows that name an
 * account leave the list price to the others. What was paid at an account that is switched off now has cost what it costs.
 */
function feesOf({ fees, accounts }: Loaded): readonly FeeRule[] {
  const priced = new Set(
    fees.filter(({ accountId }) => accountId === undefined).map(({ channel }) => channel),
  );
  const pricedAccounts = new Set(fees.map(({ accountId }) => accountId));
  const lists = CHANNELS.filter((channel) => !priced.has(channel));
  return [
    ...fees,
    ...lists.flatMap((channel) => feeRulesOf(channel, DEFAULT_FEES[channel])),
    ...accounts.flatMap(({ id, channel, fees: table }) =>
      table === null || pricedAccounts.has(id) ? [] : feeRulesOf(channel, tableOf(table), id),
    ),
  ];
}

function tableOf(table: NonNullable<LoadedAccount['fees']>): FeeTable {
  return { basisPoints: table.basis_points, fixedMinorByCurrency: table.fixed_minor_by_currency };
}

const VERSION = 'SELECT (SELECT version FROM routing_version) AS version';

/** One number, raised by every change of what `loadRoutingConfig` reads: cheap enough to be asked every second. */
export async function readRoutingVersion(q: Queryable): Promise<number> {
  const [row] = (await q.query<{ version: number | null }>(VERSION, [])).rows;
  return versionOf(row);
}

function versionOf(row: { readonly version: number | null } | undefined): number {
  if (typeof row?.version !== 'number') throw new Error('routing_version has no row');
  return row.version;
}
