/**
 * Between ISO 4217 minor units and the amounts Stripe's API takes. Most currencies are the same in both; this file is
 * the list of those that are not, and what Stripe takes at all (docs.stripe.com/currencies).
 */
import { refuse } from '../../domain/errors';
import type { Refusal } from '../../domain/errors';
import { currencyExponent, formatMoney, isAmount } from '../../domain/money';
import type { Money } from '../../domain/money';

const PRESENTMENT_CURRENCIES =
  'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP ' +
  'CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ' +
  'ISK JMD JOD JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN ' +
  'MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE ' +
  'SOS SRD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW';

/**
 * What Stripe takes of the currencies that Holdfast knows. IQD and LYD are not among Stripe's five three-decimal
 * currencies, so they are refused instead of guessed.
 */
export const STRIPE_CURRENCIES: ReadonlySet<string> = new Set(
  PRESENTMENT_CURRENCIES.split(' ').filter((currency) => currencyExponent(currency) !== undefined),
);

/** Where Stripe counts other decimals than ISO: ISK and UGX stay two-decimal there, MGA is zero-decimal. */
const STRIPE_DECIMALS: ReadonlyMap<string, number> = new Map([
  ['ISK', 2],
  ['UGX', 2],
  ['MGA', 0],
]);

/** Three decimals are taken, but the last digit must be 0. */
const TEN_STEP: ReadonlySet<string> = new Set(['BHD', 'JOD', 'KWD', 'OMR', 'TND']);

/** The documented limit of a PaymentIntent's amount: eight digits, in Stripe's own unit. */
export const MAX_STRIPE_AMOUNT = 99_999_999;

export type StripeAmount = { readonly amount: number } | { readonly refusal: Refusal };

/** Stripe decimals minus ISO decimals: how many zeros are added (or, negative, must be there to be taken away). */
function shift(currency: string): number | undefined {
  const iso = currencyExponent(currency);
  if (iso === undefined || !STRIPE_CURRENCIES.has(currency)) return undefined;
  return (STRIPE_DECIMALS.get(currency) ?? iso) - iso;
}

/** The amount as Stripe's API takes it, or why it cannot be said there exactly. Nothing is ever rounded. */
export function toStripeAmount(money: Money): StripeAmount {
  const { amount, currency } = money;
  const zeros = shift(currency);
  if (zeros === undefined)
    return { refusal: refuse('CURRENCY_NOT_SUPPORTED', { channel: 'stripe', currency }) };
  if (!isAmount(amount)) return { refusal: notSupported(money, 'an amount is a positive integer') };
  const divisor = zeros < 0 ? 10 ** -zeros : 1;
  if (amount % divisor !== 0)
    return { refusal: notSupported(money, `it must be a multiple of ${divisor} minor units`) };
  if (TEN_STEP.has(currency) && amount % 10 !== 0) {
    return { refusal: notSupported(money, 'the last of its three decimals must be 0') };
  }
  const converted = zeros < 0 ? amount / divisor : amount * 10 ** zeros;
  if (converted > MAX_STRIPE_AMOUNT)
    return { refusal: notSupported(money, 'it is more than Stripe takes at once') };
  return { amount: converted };
}

function notSupported(money: Money, reason: string): Refusal {
  return refuse(
    'AMOUNT_NOT_SUPPORTED',
    { channel: 'stripe', amount: money.amount, currency: money.currency },
    `This channel does not take ${formatMoney(money)}: ${reason}.`,
  );
}

/** Why Stripe could not hold this, or undefined when it can. Pure: asked before anything is written. */
export function checkAmount(money: Money): Refusal | undefined {
  const converted = toStripeAmount(money);
  return 'refusal' in converted ? converted.refusal : undefined;
}

/**
 * Stripe's amount in ISO minor units; undefined when it is not a whole number of them (a third of a króna cannot
 * be told) or the currency is not one of ours. Zero is an amount here: nothing captured.
 */
export function fromStripeAmount(amount: number, currency: string): number | undefined {
  const zeros = shift(currency);
  if (zeros === undefined) return undefined;
  if (zeros < 0) return amount * 10 ** -zeros;
  return amount % 10 ** zeros === 0 ? amount / 10 ** zeros : undefined;
}

/** The smallest charges that Stripe documents, in its own unit. Other currencies are judged after conversion, there. */
const MINIMUM: Readonly<Record<string, number>> = {
  AED: 200, AUD: 50, BGN: 100, BRL: 50, CAD: 50, CHF: 50, CZK: 1_500, DKK: 250, EUR: 50, GBP: 30, HKD: 400, HUF: 17_500,
  INR: 50, JPY: 50, MXN: 1_000, MYR: 200, NOK: 300, NZD: 50, PLN: 200, RON: 200, SEK: 300, SGD: 50, THB: 1_000, USD: 50,
}; // prettier-ignore

/** Bounds of one payment by currency, in ISO minor units. */
export const STRIPE_AMOUNT_BOUNDS: Readonly<
  Record<string, { readonly min?: number; readonly max?: number }>
> = Object.fromEntries([...STRIPE_CURRENCIES].map((currency) => [currency, boundsOf(currency)]));

function boundsOf(currency: string): { readonly min?: number; readonly max?: number } {
  const zeros = shift(currency) ?? 0;
  const step = TEN_STEP.has(currency) ? 10 : 1;
  const max =
    Math.floor(MAX_STRIPE_AMOUNT / 10 ** Math.max(zeros, 0) / step) * step * 10 ** Math.max(-zeros, 0);
  const min = fromStripeAmount(MINIMUM[currency] ?? 0, currency);
  return min === undefined || min === 0 ? { max } : { min, max };
}
