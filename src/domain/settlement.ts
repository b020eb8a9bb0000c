/** The settlement report: what the money of one day adds up to, by merchant, channel account and currency. */
import type { ChannelName } from './channel';
import type { CompiledConfig } from './routing/config';
import { priceAt } from './routing/cost';

/**
 * What moved: `capture` = a hold was captured or a payment succeeded, `late` = money that a closed object does not account
 * for, `refund_failed` = a refund that had succeeded came back.
 */
export type MoneyKind = 'capture' | 'late' | 'refund' | 'refund_failed' | 'dispute_lost';

/** So many movements of the same amount. */
export interface MoneyLine {
  readonly merchantId: string;
  readonly merchantName: string;
  readonly channel: ChannelName;
  readonly channelAccountId: string;
  readonly accountName: string;
  readonly currency: string;
  /** Of the customer, ISO 3166-1 alpha-2; absent: not known, or of what costs nothing. */
  readonly country?: string;
  readonly kind: MoneyKind;
  /** Minor units of one of them. */
  readonly amount: number;
  readonly count: number;
}

export interface Sum {
  readonly count: number;
  /** Minor units. */
  readonly amount: number;
}

/** One line of the report; amounts in minor units. */
export interface SettlementRow extends Pick<
  MoneyLine,
  'merchantId' | 'merchantName' | 'channel' | 'channelAccountId' | 'accountName' | 'currency'
> {
  readonly captures: Sum;
  readonly late: Sum;
  /** Without those that came back: negative on a day on which more came back than was given. */
  readonly refunds: Sum;
  readonly disputesLost: Sum;
  readonly fees: number;
  /** captures + late - refunds - disputesLost - fees */
  readonly net: number;
}

interface Running {
  readonly count: bigint;
  readonly amount: bigint;
}
interface Group {
  readonly line: MoneyLine;
  readonly sums: Record<'captures' | 'late' | 'refunds' | 'disputesLost', Running>;
  fees: bigint;
}

const NOTHING: Running = { count: 0n, amount: 0n };

const COLUMN = {
  capture: { sum: 'captures', sign: 1n, costs: true },
  late: { sum: 'late', sign: 1n, costs: true },
  refund: { sum: 'refunds', sign: 1n, costs: false },
  refund_failed: { sum: 'refunds', sign: -1n, costs: false },
  dispute_lost: { sum: 'disputesLost', sign: 1n, costs: false },
} as const satisfies Record<MoneyKind, { sum: keyof Group['sums']; sign: bigint; costs: boolean }>;

/**
 * Exact: each fee is rounded by itself, everything else is added in whole numbers. A refund gives no fee back.
 * @param prices the present ones, by which routing estimates too
 * @throws RangeError when a sum is beyond the safe integers
 */
export function settlementOf(lines: readonly MoneyLine[], prices: CompiledConfig): SettlementRow[] {
  const groups = new Map<string, Group>();
  for (const line of lines) {
    const key = [line.merchantId, line.channelAccountId, line.currency].join(' ');
    let group = groups.get(key);
    if (group === undefined) {
      const sums = { captures: NOTHING, late: NOTHING, refunds: NOTHING, disputesLost: NOTHING };
      groups.set(key, (group = { line, sums, fees: 0n }));
    }
    addLine(group, line, prices);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => rowOf(group));
}

function addLine(group: Group, line: MoneyLine, prices: CompiledConfig): void {
  const { sum, sign, costs } = COLUMN[line.kind];
  const before = group.sums[sum];
  const count = BigInt(line.count);
  group.sums[sum] = {
    count: before.count + sign * count,
    amount: before.amount + sign * count * BigInt(line.amount),
  };
  if (costs) group.fees += count * BigInt(priceAt(prices, line.channel, line, line.channelAccountId));
}

function rowOf({ line, sums, fees }: Group): SettlementRow {
  const { merchantId, merchantName, channel, channelAccountId, accountName, currency } = line;
  const { captures, late, refunds, disputesLost } = sums;
  return {
    ...{ merchantId, merchantName, channel, channelAccountId, accountName, currency },
    captures: sumOf(captures),
    late: sumOf(late),
    refunds: sumOf(refunds),
    disputesLost: sumOf(disputesLost),
    fees: safe(fees),
    net: safe(captures.amount + late.amount - refunds.amount - disputesLost.amount - fees),
  };
}

function sumOf({ count, amount }: Running): Sum {
  return { count: safe(count), amount: safe(amount) };
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`a sum is beyond the safe integers: ${value}`);
  return number;
}

/** What a report comes to in each currency, in alphabetic order; amounts in minor units. */
export interface SettlementTotal {
  readonly currency: string;
  readonly captured: number;
  readonly lateReceived: number;
  readonly refunded: number;
  readonly disputesLost: number;
  readonly fees: number;
  readonly net: number;
}

/** @throws RangeError when a sum is beyond the safe integers */
export function totalsOf(rows: readonly SettlementRow[]): SettlementTotal[] {
  const currencies = [...new Set(rows.map(({ currency }) => currency))].sort();
  return currencies.map((currency) => {
    const own = rows.filter((row) => row.currency === currency);
    const total = (read: (row: SettlementRow) => number) =>
      safe(own.reduce((sum, row) => sum + BigInt(read(row)), 0n));
    return {
      currency,
      captured: total((row) => row.captures.amount),
      lateReceived: total((row) => row.late.amount),
      refunded: total((row) => row.refunds.amount),
      disputesLost: total((row) => row.disputesLost.amount),
      fees: total((row) => row.fees),
      net: total((row) => row.net),
    };
  });
}
