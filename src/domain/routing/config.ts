/** A configuration made fast to ask: sets and maps instead of lists, what cannot matter left out. Done once per change. */
import type { AmountBounds } from '../channel-payment';
import { hashOf } from './hash';
import { countriesOf, isRegion } from './regions';
import { ROUTING_MODES, STRATEGIES, STRATEGY_PRIORITIES } from './types';
import type {
  ChannelId,
  ChannelSettings,
  FeeRule,
  MerchantRouting,
  RoutingAccount,
  RoutingConfig,
  RoutingMode,
  RoutingPolicy,
  RoutingRule,
  StrategyName,
} from './types';

/** What a configuration may hold at most: a decision is stored with every payment, and the whole is kept in memory. */
export const ROUTING_LIMITS = { channels: 20, rules: 500, feeRules: 5_000 } as const;

export interface CompiledFee {
  readonly basisPoints: number;
  readonly fixedMinor: number;
  readonly currency: string | undefined;
  readonly countries: ReadonlySet<string> | undefined;
}

/** The most specific first: the first that fits is the price. */
export interface CompiledFees {
  readonly general: readonly CompiledFee[];
  readonly byAccount: ReadonlyMap<string, readonly CompiledFee[]>;
}

export interface CompiledChannel {
  readonly id: ChannelId;
  readonly settings: ChannelSettings;
  readonly currencies: ReadonlySet<string> | undefined;
  readonly countries: ReadonlySet<string> | undefined;
  readonly amounts: ReadonlyMap<string, AmountBounds>;
  readonly home: ReadonlyMap<string, number>;
  readonly fees: CompiledFees;
  readonly hash: number;
}

export interface CompiledRule {
  readonly rule: RoutingRule;
  readonly countries: ReadonlySet<string> | undefined;
  readonly hash: number;
}

/** A merchant's accounts by channel, its own before the platform's. */
export type Accounts = ReadonlyMap<ChannelId, RoutingAccount>;

export interface CompiledConfig {
  readonly version: number;
  readonly policy: RoutingPolicy;
  /** In the order of their names, whatever order they came in. */
  readonly channels: readonly CompiledChannel[];
  readonly byId: ReadonlyMap<ChannelId, CompiledChannel>;
  /** Enabled ones, in the order in which they are asked. */
  readonly rules: readonly CompiledRule[];
  readonly merchants: ReadonlyMap<string, MerchantRouting>;
  /** undefined: accounts are not known. */
  readonly accountsOf: ((world: string, merchantId: string) => Accounts) | undefined;
  /** Ids of the accounts that many share; undefined: accounts are not known. */
  readonly platformAccounts: ReadonlySet<string> | undefined;
}

export function compileConfig(config: RoutingConfig, policy: RoutingPolicy): CompiledConfig {
  const channels = [...config.channels]
    .sort(byKey(({ id }) => id))
    .map((settings) => compileChannel(settings, config.fees));
  return {
    version: config.version,
    policy,
    channels,
    byId: new Map(channels.map((channel) => [channel.id, channel])),
    rules: compileRules(config.rules),
    merchants: new Map(config.merchants.map((merchant) => [merchant.merchantId, merchant])),
    accountsOf: config.accounts === undefined ? undefined : compileAccounts(config.accounts),
    platformAccounts: config.accounts && new Set(config.accounts.filter(isPlatform).map(({ id }) => id)),
  };
}

const ORDERS = Object.fromEntries(ROUTING_MODES.map((mode) => [mode, orderOf(mode)])) as Record<
  RoutingMode,
  readonly StrategyName[]
>;

/** The strategies in the order in which a mode asks them. */
export function strategyOrder(mode: RoutingMode): readonly StrategyName[] {
  return ORDERS[mode];
}

function orderOf(mode: RoutingMode): readonly StrategyName[] {
  const rank = (name: StrategyName) => (name === mode ? Infinity : STRATEGY_PRIORITIES[name]);
  return [...STRATEGIES].sort((a, b) => rank(b) - rank(a));
}

function compileChannel(settings: ChannelSettings, fees: readonly FeeRule[]): CompiledChannel {
  return {
    id: settings.id,
    settings,
    currencies: settings.currencies && new Set(settings.currencies),
    countries: settings.countries && expand(settings.countries),
    amounts: new Map(Object.entries(settings.amounts)),
    home: compileHome(settings.home),
    fees: compileFees(fees.filter(({ channel }) => channel === settings.id)),
    hash: hashOf(settings.id),
  };
}

function expand(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => [...countriesOf(name)]));
}

/** A country's own entry beats its regions', of which the highest counts. */
function compileHome(home: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const compiled = new Map<string, number>();
  const entries = Object.entries(home);
  for (const [region, preference] of entries.filter(([name]) => isRegion(name)))
    for (const country of countriesOf(region))
      compiled.set(country, Math.max(preference, compiled.get(country) ?? 0));
  for (const [country, preference] of entries.filter(([name]) => !isRegion(name)))
    compiled.set(country, preference);
  return compiled;
}

function compileFees(rules: readonly FeeRule[]): CompiledFees {
  const general: CompiledFee[] = [];
  const byAccount = new Map<string, CompiledFee[]>();
  const sorted = [...rules].sort(byKey(({ id }) => id)).sort((a, b) => specificity(b) - specificity(a));
  for (const { accountId, currency, country, basisPoints, fixedMinor } of sorted) {
    const countries = country === undefined ? undefined : expand([country]);
    const fee = { basisPoints, fixedMinor, currency, countries };
    if (accountId === undefined) general.push(fee);
    else byAccount.set(accountId, [...(byAccount.get(accountId) ?? []), fee]);
  }
  return { general, byAccount };
}

function specificity({ currency, country }: FeeRule): number {
  const place = country === undefined ? 0 : isRegion(country) ? 2 : 4;
  return place + (currency === undefined ? 0 : 1);
}

function compileRules(rules: readonly RoutingRule[]): readonly CompiledRule[] {
  return rules
    .filter(({ enabled }) => enabled)
    .sort(byKey(({ id }) => id))
    .sort((a, b) => a.order - b.order)
    .map((rule) => ({
      rule,
      countries: rule.country === undefined ? undefined : expand([rule.country]),
      hash: hashOf(rule.id),
    }));
}

function compileAccounts(
  accounts: readonly RoutingAccount[],
): (world: string, merchantId: string) => Accounts {
  const byOwner = new Map<string, Map<ChannelId, RoutingAccount>>();
  // The platform's first: a merchant's own account takes its place in the merchant's copy.
  for (const account of [...accounts.filter(isPlatform), ...accounts.filter((one) => !isPlatform(one))]) {
    const key = ownerKey(account.world, account.merchantId);
    const platform = byOwner.get(ownerKey(account.world, null));
    const own = byOwner.get(key) ?? new Map(platform ?? []);
    byOwner.set(key, own.set(account.channel, account));
  }
  const none: Accounts = new Map();
  return (world, merchantId) =>
    byOwner.get(ownerKey(world, merchantId)) ?? byOwner.get(ownerKey(world, null)) ?? none;
}

const isPlatform = ({ merchantId }: RoutingAccount) => merchantId === null;
const ownerKey = (world: string, merchantId: string | null) => `${world}/${merchantId ?? ''}`;

/** By code units and not by a locale, which is another on another machine. */
function byKey<T>(keyOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0);
}
