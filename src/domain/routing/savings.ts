/** What a mix of orders would cost under a mode of routing, against the default channel alone. */
import { compileConfig } from './config';
import type { CompiledConfig } from './config';
import { estimateFee } from './cost';
import { decide } from './decide';
import { DEFAULT_CHANNEL } from './default-config';
import { ALL_IN_SERVICE } from './health-book';
import { NO_SCORES } from './scores';
import type {
  ChannelId,
  RequestCountry,
  RoutingConfig,
  RoutingContext,
  RoutingDecision,
  RoutingMode,
  RoutingRequest,
  ScoreView,
} from './types';

/** So many equal orders. */
export interface SavingsOrder {
  readonly count: number;
  /** Minor units, of one order. */
  readonly amount: number;
  readonly currency: string;
  readonly country?: RequestCountry;
  /** What the customer can pay by; absent: by every channel. */
  readonly allowedChannels?: readonly ChannelId[];
}

export interface ChannelSavings {
  readonly channel: ChannelId;
  readonly count: number;
  readonly amount: bigint;
  readonly fee: bigint;
}

/** Of one currency: fees in different currencies are not added. Minor units. */
export interface Savings {
  readonly mode: RoutingMode;
  readonly currency: string;
  readonly count: number;
  readonly amount: bigint;
  /** On the default channel alone. */
  readonly feeAlone: bigint;
  readonly feeRouted: bigint;
  readonly saved: bigint;
  /** Hundredths of a percent of `feeAlone`, rounded half up: 5250 is 52.5 %. */
  readonly savedBasisPoints: number;
  /** In the order of their names. */
  readonly channels: readonly ChannelSavings[];
  /** Orders with no price, on the channel they are routed to or on the default one; in none of the sums. */
  readonly unpriced: number;
}

/** What there is besides orders and configuration; absent: the fixed merchant of the comparison, nothing known of success. */
export interface SavingsOptions {
  readonly merchantId?: string;
  readonly scores?: ScoreView;
}

/**
 * Routes every order by `decide` itself, without exploration: one decision for equal orders whose channel does not hang on
 * the number, one for each of those that load balance shares out.
 * @returns one entry per currency, in the order of their codes
 */
export function savingsOf(
  orders: readonly SavingsOrder[],
  config: RoutingConfig,
  mode: RoutingMode,
  options: SavingsOptions = {},
): readonly Savings[] {
  // The merchant's own mode would answer another question than the one asked.
  const merchants = config.merchants.filter(({ merchantId }) => merchantId !== options.merchantId);
  const compiled = compileConfig({ ...config, merchants }, { mode, learning: 'off', explorationShare: 0 });
  const context: RoutingContext = {
    ...{ scores: options.scores ?? NO_SCORES, health: ALL_IN_SERVICE, source: 'memory', random: () => 0 },
  };
  const sums = new Map<string, Sums>();
  let serial = 0;
  for (const order of orders) {
    const sum = sums.get(order.currency) ?? emptySums();
    sums.set(order.currency, sum);
    for (let left = order.count; left > 0;) {
      const request = requestOf(order, options.merchantId ?? 'savings', `savings-${serial++}`);
      const decision = decide(compiled, request, context);
      const many = hangsOnNumber(decision) ? 1 : left;
      addOrders(sum, compiled, request, decision, many);
      left -= many;
    }
  }
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, sum]) => savings(mode, currency, sum));
}

function requestOf(order: SavingsOrder, merchantId: string, number: string): RoutingRequest {
  const { count: _, ...rest } = order;
  return { ...rest, merchantId, world: 'live', number, operation: 'payment' };
}

function hangsOnNumber({ level, decidedBy }: RoutingDecision): boolean {
  return level === 'rules' || decidedBy === 'load_balance';
}

interface Sums {
  count: number;
  amount: bigint;
  feeAlone: bigint;
  unpriced: number;
  readonly channels: Map<ChannelId, { count: number; amount: bigint; fee: bigint }>;
}

const emptySums = (): Sums => ({ count: 0, amount: 0n, feeAlone: 0n, unpriced: 0, channels: new Map() });

function addOrders(
  sum: Sums,
  config: CompiledConfig,
  request: RoutingRequest,
  { channel }: RoutingDecision,
  many: number,
): void {
  const alone = feeAtChannel(config, request, DEFAULT_CHANNEL);
  const routed = feeAtChannel(config, request, channel);
  if (alone === undefined || routed === undefined) {
    sum.unpriced += many;
    return;
  }
  const times = BigInt(many);
  const amount = times * BigInt(request.amount);
  sum.count += many;
  sum.amount += amount;
  sum.feeAlone += times * BigInt(alone);
  const line = sum.channels.get(channel) ?? { count: 0, amount: 0n, fee: 0n };
  line.count += many;
  line.amount += amount;
  line.fee += times * BigInt(routed);
  sum.channels.set(channel, line);
}

function feeAtChannel(
  { byId, accountsOf }: CompiledConfig,
  request: RoutingRequest,
  id: ChannelId,
): number | undefined {
  const channel = byId.get(id);
  const accountId = accountsOf?.(request.world, request.merchantId).get(id)?.id;
  return channel && estimateFee(channel.fees, request, accountId);
}

function savings(mode: RoutingMode, currency: string, sum: Sums): Savings {
  const { count, amount, feeAlone, unpriced } = sum;
  const channels = [...sum.channels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([channel, line]) => ({ channel, ...line }));
  const feeRouted = channels.reduce((total, { fee }) => total + fee, 0n);
  const saved = feeAlone - feeRouted;
  const savedBasisPoints = feeAlone === 0n ? 0 : Number(halfUp(saved * 10_000n, feeAlone));
  return { mode, currency, count, amount, feeAlone, feeRouted, saved, savedBasisPoints, channels, unpriced };
}

/** Rounded to the nearest, a half up; `divisor` is positive, `value` may be negative (routing may cost more). */
function halfUp(value: bigint, divisor: bigint): bigint {
  const doubled = 2n * value + divisor;
  const quotient = doubled / (2n * divisor);
  return doubled < 0n && doubled % (2n * divisor) !== 0n ? quotient - 1n : quotient;
}
