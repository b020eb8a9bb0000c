/** What a channel charges. Integer minor units, one rounding (fees.ts); the most specific price that fits. */
import type { ChannelName } from '../channel';
import { DEFAULT_FEES, feeAt, feeOf } from '../fees';
import type { FeeTable } from '../fees';
import type { CompiledConfig, CompiledFee, CompiledFees } from './config';
import type { ChannelId, FeeRule, RoutingRequest } from './types';

/**
 * @param accountId the account that would be charged, where it is known
 * @returns minor units of the request's currency, or undefined when no price fits
 */
export function estimateFee(
  fees: CompiledFees,
  request: Pick<RoutingRequest, 'amount' | 'currency' | 'country'>,
  accountId: string | undefined,
): number | undefined {
  const own = accountId === undefined ? undefined : fees.byAccount.get(accountId);
  const fee = (own && firstFit(own, request)) ?? firstFit(fees.general, request);
  return fee && feeAt(request.amount, fee.basisPoints, fee.fixedMinor);
}

/** What is charged for, without the routing that led to it. */
export interface PricedAmount {
  readonly amount: number;
  readonly currency: string;
  /** ISO 3166-1 alpha-2; absent: not known. */
  readonly country?: string;
}

/**
 * What something that was paid costs at present prices: for every report. Where none that is configured fits, the list price.
 * @param accountId the account that was charged, where it is known
 * @returns minor units of its currency
 */
export function priceAt(
  { byId }: CompiledConfig,
  channel: ChannelName,
  { amount, currency, country: code }: PricedAmount,
  accountId: string | undefined,
): number {
  const country = code === undefined ? {} : { country: { code, source: 'explicit' as const } };
  const fees = byId.get(channel)?.fees;
  const configured = fees && estimateFee(fees, { amount, currency, ...country }, accountId);
  return configured ?? feeOf({ amount, currency }, DEFAULT_FEES[channel]);
}

function firstFit(
  fees: readonly CompiledFee[],
  { currency, country }: Pick<RoutingRequest, 'currency' | 'country'>,
): CompiledFee | undefined {
  for (const fee of fees) {
    if (fee.currency !== undefined && fee.currency !== currency) continue;
    if (fee.countries === undefined || (country !== undefined && fee.countries.has(country.code))) return fee;
  }
  return undefined;
}

/** A fee table (an account's, or list prices) as rules: one for every currency, one more for each with a fixed part. */
export function feeRulesOf(channel: ChannelId, table: FeeTable, accountId?: string): readonly FeeRule[] {
  const { basisPoints, fixedMinorByCurrency } = table;
  const owner = accountId === undefined ? {} : { accountId };
  const prefix = accountId === undefined ? channel : `${channel}/${accountId}`;
  const fixed = Object.entries(fixedMinorByCurrency);
  return [
    { id: `${prefix}/*`, channel, ...owner, basisPoints, fixedMinor: 0 },
    ...fixed.map(([currency, fixedMinor]) => ({
      ...{ id: `${prefix}/${currency}`, channel, ...owner, currency, basisPoints, fixedMinor },
    })),
  ];
}
