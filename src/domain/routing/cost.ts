/** What a channel would charge. Integer minor units, one rounding (fees.ts); the most specific price that fits. */
import { feeAt } from '../fees';
import type { FeeTable } from '../fees';
import type { CompiledFee, CompiledFees } from './config';
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
