/**
 * The words of smart routing. Everything here is plain data that survives JSON, but the two views: a configuration is cached
 * as JSON, a decision is stored as JSON with its payment or hold. Amounts and fees are minor units of the request's currency.
 */
import type { ChannelContract, World } from '../channel';
import type { AmountBounds } from '../channel-payment';
import type { Money } from '../money';

/** A channel as routing knows it: a name and nothing else, so that a decision is the same for 4 channels and for 20. */
export type ChannelId = string;

export const STRATEGIES = ['geographic', 'success', 'cost', 'load_balance'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

/** The higher is asked first, but for the one that the mode puts first. */
export const STRATEGY_PRIORITIES: Readonly<Record<StrategyName, number>> = {
  geographic: 90,
  success: 80,
  cost: 50,
  load_balance: 30,
};

export const ROUTING_MODES = ['balanced', 'cost', 'success', 'geographic'] as const;
/** `balanced`: all strategies in the order of their priorities; the others put the strategy of their name first. */
export type RoutingMode = (typeof ROUTING_MODES)[number];

export const LEARNING_MODES = ['off', 'thompson'] as const;
export type LearningMode = (typeof LEARNING_MODES)[number];

/** Where the country comes from, the best source first. */
export const COUNTRY_SOURCES = ['explicit', 'billing', 'card', 'ip'] as const;
export type CountrySource = (typeof COUNTRY_SOURCES)[number];

export interface RequestCountry {
  /** ISO 3166-1 alpha-2, upper case. */
  readonly code: string;
  readonly source: CountrySource;
}

/** What is to be routed. */
export interface RoutingRequest extends Money {
  readonly merchantId: string;
  readonly world: World;
  /** The payment's or hold's number: load balance hashes it, so that the same order always goes the same way. */
  readonly number: string;
  readonly operation: 'payment' | 'pre_auth';
  /** The hold is to be captured in parts (pre_auth only). */
  readonly needsMultipleCaptures?: boolean;
  readonly country?: RequestCountry;
  /** The caller named it: taken as it is, at level `explicit`. */
  readonly requestedChannel?: ChannelId;
  /** What the customer can pay by; absent: by every channel. */
  readonly allowedChannels?: readonly ChannelId[];
}

/** What is configured of one channel. Countries may also be names of regions (regions.ts). */
export interface ChannelSettings {
  readonly id: ChannelId;
  readonly enabled: boolean;
  /** false: never chosen on its own, only when the request or a rule names it (crypto: the customer must want it). */
  readonly automatic: boolean;
  /** ISO 4217; absent: all. An account's contract may add to it. */
  readonly currencies?: readonly string[];
  /** Countries or regions of the customer; absent: all, and a request without a country passes in any case. */
  readonly countries?: readonly string[];
  /** Bounds of one payment or hold by currency, both inclusive, in minor units. */
  readonly amounts: Readonly<Record<string, AmountBounds>>;
  /** Share of load balance relative to the others, 0 to 1000; 0: none. */
  readonly weight: number;
  readonly preAuth: boolean;
  readonly multipleCaptures: boolean;
  /** Country or region -> how much the channel is at home there, 1 to 100. Country beats region. Absent: not at home. */
  readonly home: Readonly<Record<string, number>>;
}

/**
 * A price. Of the rules that fit the most specific wins: one that names the account beats one that does not, then country,
 * region, currency, in this order; of two that are equally specific the one with the smaller id.
 */
export interface FeeRule {
  readonly id: string;
  readonly channel: ChannelId;
  /** Id of a channel account; absent: every account. */
  readonly accountId?: string;
  readonly currency?: string;
  /** Country or region of the customer. */
  readonly country?: string;
  /** Hundredths of a percent, 0 to 10 000: 290 is 2.9 %. */
  readonly basisPoints: number;
  /** Minor units of the payment's currency, charged besides. */
  readonly fixedMinor: number;
}

/** Second level: which channel takes what smart routing leaves undecided. What is absent fits everything. */
export interface RoutingRule {
  readonly id: string;
  /** The lowest order with a rule that fits and can be used decides; within it the weights share out. */
  readonly order: number;
  readonly enabled: boolean;
  readonly merchantId?: string;
  readonly currency?: string;
  /** Country or region; does not fit a request without a country. */
  readonly country?: string;
  /** Inclusive, minor units of the request's currency: meaningful with `currency`. */
  readonly minAmount?: number;
  readonly maxAmount?: number;
  readonly channel: ChannelId;
  /** Share among the rules of the same order, 1 to 1000. */
  readonly weight: number;
}

/** An enabled account at a channel, without its credentials. */
export interface RoutingAccount {
  readonly id: string;
  readonly channel: ChannelId;
  readonly world: World;
  /** null: the platform's, for every merchant without one of its own at this channel. */
  readonly merchantId: string | null;
  readonly contract: ChannelContract;
  /** It takes nothing new, and nothing takes its place. */
  readonly switchedOff?: boolean;
}

/** What is set for one merchant; absent: as for all. */
export interface MerchantRouting {
  readonly merchantId: string;
  readonly mode?: RoutingMode;
  /** false: smart routing is switched off, the rules decide. */
  readonly smart?: boolean;
}

/** One immutable snapshot. `compileConfig` (config.ts) makes it fast to ask. */
export interface RoutingConfig {
  /** Grows with every change; 0: the built-in one. */
  readonly version: number;
  readonly channels: readonly ChannelSettings[];
  readonly fees: readonly FeeRule[];
  readonly rules: readonly RoutingRule[];
  readonly merchants: readonly MerchantRouting[];
  /** Absent: not known (built-in configuration), every channel is taken to have one. */
  readonly accounts?: readonly RoutingAccount[];
}

/** What the process was started with; the same for all merchants that have no setting of their own. */
export interface RoutingPolicy {
  readonly mode: RoutingMode;
  readonly learning: LearningMode;
  /** 0 to 1: share of the decisions that try another eligible channel, to keep scores fresh. */
  readonly explorationShare: number;
}

/** From where the configuration of a decision came. */
export const CONFIG_SOURCES = ['memory', 'redis', 'database', 'built_in'] as const;
export type ConfigSource = (typeof CONFIG_SOURCES)[number];

/** What became of the recent calls of one cell (channel x currency x country). */
export interface ScoreCell {
  /** Done, or handed to the customer. */
  readonly successes: number;
  /** Only the channel's own: no answer, 5xx, an answer nobody understands. */
  readonly faults: number;
  /** The customer's: never counted against a channel. */
  readonly declines: number;
  /** Mean of the answered calls; absent: none was. */
  readonly latencyMs?: number;
}

/** A look into memory: no I/O, and cheap, for it is asked for every channel of every decision. */
export interface ScoreView {
  /** With both: that cell. Without a country: the sum over all countries. Without a currency: the channel's whole sum. */
  cellOf(channel: ChannelId, currency?: string, country?: string): ScoreCell | undefined;
}

/** `out`: takes nothing but explicit requests. `probe`: out, and the next request that it could take shall try it. */
export type HealthState = 'in' | 'out' | 'probe';

/** A look into memory, as ScoreView. It changes nothing: who uses a decision with `probe: true` tells the health book. */
export interface HealthView {
  stateOf(channel: ChannelId): HealthState;
}

/** Everything of a decision that is neither the request nor the configuration. */
export interface RoutingContext {
  readonly scores: ScoreView;
  readonly health: HealthView;
  readonly source: ConfigSource;
  /** Uniform in [0, 1); asked once for exploration, more often by Thompson sampling. */
  readonly random: () => number;
  /** Whether a channel can say this amount exactly (checkAmount of the channels); absent: all can. */
  readonly canExpress?: (channel: ChannelId, money: Money, contract: ChannelContract) => boolean;
}

/** Why a channel cannot take a request: the closed list, in the order in which it is checked. */
export const EXCLUSION_CODES = [
  'disabled',
  'not_automatic',
  'not_allowed',
  'no_account',
  'account_switched_off',
  'pre_auth_not_supported',
  'multiple_captures_not_supported',
  'currency_not_supported',
  'country_not_supported',
  'amount_below_minimum',
  'amount_above_maximum',
  'amount_not_expressible',
  'out_of_service',
] as const;
export type ExclusionCode = (typeof EXCLUSION_CODES)[number];

export interface Exclusion {
  readonly code: ExclusionCode;
  readonly reason: string;
}

/** What a strategy says of a channel, the better the higher, but for `cost`: the fee in minor units. Absent or undefined: no opinion. */
export type StrategyScores = Readonly<Partial<Record<StrategyName, number | undefined>>>;

export interface RoutingCandidate {
  readonly channel: ChannelId;
  readonly eligible: boolean;
  /** The first reason found; absent when eligible. */
  readonly excluded?: Exclusion;
  /** Of eligible candidates of level `smart`. */
  readonly scores?: StrategyScores;
  /** Estimate of the channel's fee for the whole amount; absent: no price is known. */
  readonly feeMinor?: number;
  /** Channel-side faults per counted call, of the finest cell with enough samples; absent: too few. */
  readonly faultRate?: number;
}

export const ROUTING_LEVELS = ['explicit', 'smart', 'rules', 'default'] as const;
export type RoutingLevel = (typeof ROUTING_LEVELS)[number];

export interface SkippedLevel {
  readonly level: RoutingLevel;
  readonly reason: string;
}

/** Which channel takes a request, and why. JSON of less than 8 KiB with 20 channels. */
export interface RoutingDecision {
  readonly channel: ChannelId;
  readonly level: RoutingLevel;
  /** One sentence for people. */
  readonly reason: string;
  /** The strategy that made the difference; absent where none did: one candidate, exploration, probe, another level. */
  readonly decidedBy?: StrategyName;
  /** Of level `rules`. */
  readonly ruleId?: string;
  readonly mode: RoutingMode;
  /** All configured channels in the order of their names (level `explicit`: the named one, when it is configured). */
  readonly candidates: readonly RoutingCandidate[];
  /** Levels that were asked before and had no answer. */
  readonly skipped: readonly SkippedLevel[];
  /** Where the request may go, the best first: `channel`, then the channels of failover. */
  readonly ranked: readonly ChannelId[];
  readonly config: { readonly source: ConfigSource; readonly version: number };
  /** The account that the fee was estimated for, where accounts are known. */
  readonly accountId?: string;
  readonly country?: RequestCountry;
  /** A channel other than the best was tried on purpose, to keep scores fresh. */
  readonly explored?: true;
  /** The channel is out of service and this request tries whether it is back. */
  readonly probe?: true;
  /** Every channel that could take it is out of service; the best of them is used. */
  readonly allOut?: true;
}
