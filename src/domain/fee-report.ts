/** What channels have charged, against what the default channel would have, by merchant, month and currency. */
import type { ChannelName, World } from './channel';
import type { CompiledConfig } from './routing/config';
import { priceAt } from './routing/cost';
import type { PricedAmount } from './routing/cost';
import { DEFAULT_CHANNEL } from './routing/default-config';

/** So many payments and captures alike. Amounts and fees in minor units. */
export interface PaidLine {
  readonly merchantId: string;
  readonly merchantName: string;
  readonly world: World;
  /** YYYY-MM, of UTC. */
  readonly month: string;
  readonly currency: string;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  /** The caller named the channel: what the default would have cost is no saving of routing's, nor a loss. */
  readonly isExplicit: boolean;
  readonly count: number;
  /** Of all together. */
  readonly amount: bigint;
  /** As estimated when they were decided, of all together; absent: `each` is to be priced. */
  readonly estimated?: { readonly fee: bigint; readonly defaultFee: bigint };
  readonly each?: { readonly amount: number; readonly country?: string };
}

export interface FeeTotal {
  readonly world: World;
  readonly currency: string;
  readonly payments: number;
  /** Those of them whose channel the caller named. */
  readonly explicit: number;
  readonly amount: bigint;
  readonly fees: bigint;
  readonly defaultFees: bigint;
}
export interface FeeReportRow extends FeeTotal {
  readonly merchantId: string;
  readonly merchantName: string;
  readonly month: string;
}

/**
 * One row for each merchant, month and currency, in this order.
 * @param prices the present ones, for what was decided without an estimate or came to another amount than was decided on
 */
export function feeReportOf(lines: readonly PaidLine[], prices: CompiledConfig): FeeReportRow[] {
  const rows = new Map<string, FeeReportRow>();
  for (const line of lines) {
    const { merchantId, merchantName, world, month, currency } = line;
    const key = [month, merchantId, currency].join(' ');
    const sum = rows.get(key) ?? { merchantId, merchantName, month, ...nothing(world, currency) };
    rows.set(key, { ...sum, ...added(sum, totalOf(line, prices)) });
  }
  return sorted(rows);
}

/** By world and currency: neither is ever added to another. */
export function feeTotalsOf(rows: readonly FeeReportRow[]): FeeTotal[] {
  const totals = new Map<string, FeeTotal>();
  for (const row of rows) {
    const key = [row.world, row.currency].join(' ');
    totals.set(key, added(totals.get(key) ?? nothing(row.world, row.currency), row));
  }
  return sorted(totals);
}

function sorted<T>(byKey: ReadonlyMap<string, T>): T[] {
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function nothing(world: World, currency: string): FeeTotal {
  return { world, currency, payments: 0, explicit: 0, amount: 0n, fees: 0n, defaultFees: 0n };
}

function added({ world, currency, ...sum }: FeeTotal, other: FeeTotal): FeeTotal {
  return {
    world,
    currency,
    payments: sum.payments + other.payments,
    explicit: sum.explicit + other.explicit,
    amount: sum.amount + other.amount,
    fees: sum.fees + other.fees,
    defaultFees: sum.defaultFees + other.defaultFees,
  };
}

function totalOf(line: PaidLine, prices: CompiledConfig): FeeTotal {
  const { world, currency, count: payments, amount, isExplicit } = line;
  const { fee: fees, defaultFee: defaultFees } = line.estimated ?? priced(line, prices);
  return { world, currency, payments, explicit: isExplicit ? payments : 0, amount, fees, defaultFees };
}

function priced(line: PaidLine, prices: CompiledConfig): { fee: bigint; defaultFee: bigint } {
  const { merchantId, world, channel, channelAccountId, isExplicit, count, currency } = line;
  const { amount = 0, ...place } = line.each ?? {};
  const order = { merchantId, world, channel, channelAccountId, amount, currency, ...place };
  const each = feesOf(prices, order);
  const fee = BigInt(count) * BigInt(each.fee);
  return { fee, defaultFee: isExplicit ? fee : BigInt(count) * BigInt(each.defaultFee) };
}

/** Something that was paid, and where. */
export interface PaidOrder extends PricedAmount {
  readonly merchantId: string;
  readonly world: World;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
}

/** At present prices, in minor units of its currency: the fee of its channel, and that of the default one. */
export function feesOf(prices: CompiledConfig, order: PaidOrder): { fee: number; defaultFee: number } {
  const { merchantId, world, channel, channelAccountId } = order;
  const fee = priceAt(prices, channel, order, channelAccountId);
  if (channel === DEFAULT_CHANNEL) return { fee, defaultFee: fee };
  const account = prices.accountsOf?.(world, merchantId).get(DEFAULT_CHANNEL)?.id;
  return { fee, defaultFee: priceAt(prices, DEFAULT_CHANNEL, order, account) };
}
