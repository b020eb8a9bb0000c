/**
 * Between minor units and BTCPay's decimal strings, in exact arithmetic: rates have many decimals, Lightning counts
 * thousandths of a satoshi, and a double would lose a cent somewhere.
 */
import { refuse } from '../../domain/errors';
import type { Refusal } from '../../domain/errors';
import { currencyExponent, isAmount } from '../../domain/money';
import type { Money } from '../../domain/money';

/** A decimal number: units / 10^scale. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

/** Not in ISO 4217: its minor unit is the satoshi. */
const CRYPTO_EXPONENTS: ReadonlyMap<string, number> = new Map([['BTC', 8]]);

const FIAT =
  'AED ARS AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS INR JPY KES KRW MXN NGN NOK NZD PLN RON SEK SGD THB TRY USD ZAR';

/** What invoices are made out in: currencies for which rate sources quote bitcoin, and bitcoin itself. */
export const CRYPTO_CURRENCIES: ReadonlySet<string> = new Set([
  ...FIAT.split(' '),
  ...CRYPTO_EXPONENTS.keys(),
]);

/** Decimals of the minor unit, or undefined for a currency this channel does not take. */
export function cryptoExponent(currency: string): number | undefined {
  if (!CRYPTO_CURRENCIES.has(currency)) return undefined;
  return CRYPTO_EXPONENTS.get(currency) ?? currencyExponent(currency);
}

export type CryptoAmount = { readonly amount: string } | { readonly refusal: Refusal };

/** The amount as BTCPay takes it (`12.34`, `0.00015530`), or why it cannot be said there. */
export function toCryptoAmount({ amount, currency }: Money): CryptoAmount {
  const exponent = cryptoExponent(currency);
  if (exponent === undefined) {
    return { refusal: refuse('CURRENCY_NOT_SUPPORTED', { channel: 'crypto', currency }) };
  }
  if (!isAmount(amount)) {
    const message = 'This channel does not take this amount: an amount is a positive integer.';
    return { refusal: refuse('AMOUNT_NOT_SUPPORTED', { channel: 'crypto', amount, currency }, message) };
  }
  return { amount: formatMinor(amount, exponent) };
}

/** Why this could not be asked for, or undefined when it can. Pure: asked before anything is written. */
export function checkAmount(money: Money): Refusal | undefined {
  const converted = toCryptoAmount(money);
  return 'refusal' in converted ? converted.refusal : undefined;
}

function formatMinor(amount: number, exponent: number): string {
  if (exponent === 0) return String(amount);
  const digits = String(amount).padStart(exponent + 1, '0');
  return `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

const DECIMAL = /^(-?)(\d{1,40})(?:\.(\d{1,40}))?$/;

/** Reads `-12.340`; undefined for anything that is no plain decimal number. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = ''] = match;
  const units = BigInt(whole + fraction);
  return { units: sign === '-' ? -units : units, scale: fraction.length };
}

export const ZERO: Decimal = { units: 0n, scale: 0 };

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { units: rescale(a, scale) + rescale(b, scale), scale };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, { units: -b.units, scale: b.scale });
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { units: a.units * b.units, scale: a.scale + b.scale };
}

function rescale(value: Decimal, scale: number): bigint {
  return value.units * 10n ** BigInt(scale - value.scale);
}

/**
 * In the currency's minor units. `exact`: undefined when it is not a whole number of them. Always undefined for a
 * currency that is not ours, a negative number, and what is beyond the safe integers.
 */
export function toMinorUnits(
  value: Decimal,
  currency: string,
  rounding: 'exact' | 'down' | 'up',
): number | undefined {
  const exponent = cryptoExponent(currency);
  if (exponent === undefined || value.units < 0n) return undefined;
  if (value.scale <= exponent) return safe(rescale(value, exponent));
  const divisor = 10n ** BigInt(value.scale - exponent);
  const whole = value.units / divisor;
  if (value.units % divisor === 0n) return safe(whole);
  if (rounding === 'exact') return undefined;
  return safe(rounding === 'up' ? whole + 1n : whole);
}

function safe(value: bigint): number | undefined {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}
