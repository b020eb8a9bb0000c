/** What channels charge: list prices as data, and the one place that rounds a fee. */
import type { ChannelName } from './channel';
import type { Money } from './money';

export interface FeeTable {
  /** Hundredths of a percent of the amount: 290 is 2.9 %. */
  readonly basisPoints: number;
  /** Charged for every payment, in minor units; a currency without an entry has no fixed part. */
  readonly fixedMinorByCurrency: Readonly<Record<string, number>>;
}

/** List prices, for accounts without a table of their own. A BTCPay Server is the operator's own and takes nothing. */
export const DEFAULT_FEES: Readonly<Record<ChannelName, FeeTable>> = {
  stripe: { basisPoints: 290, fixedMinorByCurrency: { USD: 30, EUR: 25, GBP: 20, CAD: 30, AUD: 30 } },
  paypal: { basisPoints: 349, fixedMinorByCurrency: { USD: 49, EUR: 39, GBP: 30, CAD: 59, AUD: 59 } },
  alipay: { basisPoints: 60, fixedMinorByCurrency: {} },
  crypto: { basisPoints: 0, fixedMinorByCurrency: {} },
};

const BASIS = 10_000;
const EXACT_BELOW = 2 ** 50;

/**
 * The one place that rounds a fee: a share of the amount, rounded half up, and a fixed part.
 * @param basisPoints hundredths of a percent, 0 or more
 * @returns minor units of the amount's currency
 */
export function feeAt(amount: number, basisPoints: number, fixedMinor: number): number {
  const product = amount * basisPoints + BASIS / 2;
  // BigInt costs a decision among many channels more than all the rest; below this bound a double's quotient is too exact
  // to cross a whole number, for its error stays under a tenth of one product's step.
  if (product < EXACT_BELOW) return Math.floor(product / BASIS) + fixedMinor;
  const share = (BigInt(amount) * BigInt(basisPoints) + BigInt(BASIS) / 2n) / BigInt(BASIS);
  return Number(share) + fixedMinor;
}

/** The fee of one payment in minor units of its currency, rounded once, half up. */
export function feeOf({ amount, currency }: Money, { basisPoints, fixedMinorByCurrency }: FeeTable): number {
  const fixed = Object.hasOwn(fixedMinorByCurrency, currency) ? (fixedMinorByCurrency[currency] ?? 0) : 0;
  return feeAt(amount, basisPoints, fixed);
}
