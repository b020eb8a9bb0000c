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

const BASIS = 10_000n;

/** The fee of one payment in minor units of its currency, rounded once, half up. */
export function feeOf({ amount, currency }: Money, { basisPoints, fixedMinorByCurrency }: FeeTable): number {
  const share = (BigInt(amount) * BigInt(basisPoints) + BASIS / 2n) / BASIS;
  const fixed = Object.hasOwn(fixedMinorByCurrency, currency) ? (fixedMinorByCurrency[currency] ?? 0) : 0;
  return Number(share) + fixed;
}
