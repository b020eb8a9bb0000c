/**
 * Between ISO 4217 minor units and PayPal's decimal strings. HUF, JPY and TWD take no decimals there
 * (DECIMALS_NOT_SUPPORTED); everything else takes two, so HUF and TWD are the two that differ from ISO.
 */
import { refuse } from '../../domain/errors';
import type { Refusal } from '../../domain/errors';
import { currencyExponent, formatMoney, isAmount } from '../../domain/money';
import type { Money } from '../../domain/money';

/** PayPal's list of payment currencies; BRL, CNY and MYR are for accounts of those countries. */
export const PAYPAL_CURRENCIES: ReadonlySet<string> = new Set(
  'AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD'.split(
    ' ',
  ),
);

const WITHOUT_DECIMALS: ReadonlySet<string> = new Set(['HUF', 'JPY', 'TWD']);

/** Seven digits before the point: what one transaction may be, in every currency. */
const MAX_WHOLE_UNITS = 9_999_999;

/** An amount object of PayPal's API. */
export interface PayPalMoney {
  readonly currency_code: string;
  readonly value: string;
}

export type PayPalAmount = { readonly amount: PayPalMoney } | { readonly refusal: Refusal };

/** How many decimals PayPal takes for a currency, or undefined for one that it does not take. */
function paypalDecimals(currency: string): number | undefined {
  if (!PAYPAL_CURRENCIES.has(currency)) return undefined;
  return WITHOUT_DECIMALS.has(currency) ? 0 : 2;
}

/** The amount as PayPal's API takes it, or why it cannot be said there exactly. Nothing is ever rounded. */
export function toPayPalAmount(money: Money): PayPalAmount {
  const { amount, currency } = money;
  const decimals = paypalDecimals(currency);
  const exponent = currencyExponent(currency);
  if (decimals === undefined || exponent === undefined) {
    return { refusal: refuse('CURRENCY_NOT_SUPPORTED', { channel: 'paypal', currency }) };
  }
  if (!isAmount(amount)) return { refusal: notSupported(money, 'an amount is a positive integer') };
  const divisor = 10 ** (exponent - decimals);
  if (amount % divisor !== 0) {
    return { refusal: notSupported(money, 'PayPal takes no decimals in this currency') };
  }
  if (amount / 10 ** exponent > MAX_WHOLE_UNITS + 1 - 10 ** -decimals) {
    return { refusal: notSupported(money, 'it is more than PayPal takes at once') };
  }
  return { amount: { currency_code: currency, value: decimalString(amount / divisor, decimals) } };
}

function decimalString(units: number, decimals: number): string {
  if (decimals === 0) return String(units);
  const digits = String(units).padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

function notSupported(money: Money, reason: string): Refusal {
  return refuse(
    'AMOUNT_NOT_SUPPORTED',
    { channel: 'paypal', amount: money.amount, currency: money.currency },
    `This channel does not take ${formatMoney(money)}: ${reason}.`,
  );
}

/** Why PayPal could not take this, or undefined when it can. Pure: asked before anything is written. */
export function checkAmount(money: Money): Refusal | undefined {
  const converted = toPayPalAmount(money);
  return 'refusal' in converted ? converted.refusal : undefined;
}

const VALUE = /^([0-9]{1,10})(?:\.([0-9]{1,3}))?$/;

/**
 * PayPal's amount in ISO minor units; undefined for a currency that is not ours or a value with more decimals than the
 * currency has. Zero is an amount here: nothing captured. PayPal writes `12` and `12.00` for the same.
 */
export function fromPayPalAmount(money: PayPalMoney): number | undefined {
  const exponent = currencyExponent(money.currency_code);
  const match = VALUE.exec(money.value);
  if (exponent === undefined || match === null) return undefined;
  const [, whole = '', decimals = ''] = match;
  const significant = decimals.replace(/0+$/, '');
  if (significant.length > exponent) return undefined;
  return Number(whole) * 10 ** exponent + Number(significant.padEnd(exponent, '0') || '0');
}
