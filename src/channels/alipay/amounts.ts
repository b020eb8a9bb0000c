/**
 * Between ISO 4217 minor units and Alipay's decimal strings with two decimals. Only currencies with two decimals can be
 * said there exactly; which of them an account takes is in its contract (CNY alone unless it is a cross-border one).
 */
import { refuse } from '../../domain/errors';
import type { Refusal } from '../../domain/errors';
import { currencyExponent, formatMoney, isAmount } from '../../domain/money';
import type { Money } from '../../domain/money';

export const HOME_CURRENCY = 'CNY';

/** `total_amount` is at most 100 000 000.00 in Alipay's documents. */
export const MAX_ALIPAY_AMOUNT = 10_000_000_000;

export type AlipayAmount = { readonly text: string } | { readonly refusal: Refusal };

/** The currencies of an account: CNY, and what its contract adds of those that can be expressed. */
export function currenciesOf(contractCurrencies: readonly string[] = []): ReadonlySet<string> {
  return new Set([HOME_CURRENCY, ...contractCurrencies.filter((code) => currencyExponent(code) === 2)]);
}

/** `{text: '123.45'}`, or why this account cannot take it. Nothing is ever rounded. */
export function toAlipayAmount(money: Money, currencies: ReadonlySet<string>): AlipayAmount {
  const { amount, currency } = money;
  if (!currencies.has(currency))
    return { refusal: refuse('CURRENCY_NOT_SUPPORTED', { channel: 'alipay', currency }) };
  if (!isAmount(amount)) return { refusal: notSupported(money, 'an amount is a positive integer') };
  if (amount > MAX_ALIPAY_AMOUNT)
    return { refusal: notSupported(money, 'it is more than Alipay takes at once') };
  return { text: formatAmount(amount) };
}

function notSupported(money: Money, reason: string): Refusal {
  return refuse(
    'AMOUNT_NOT_SUPPORTED',
    { channel: 'alipay', amount: money.amount, currency: money.currency },
    `This channel does not take ${formatMoney(money)}: ${reason}.`,
  );
}

/** Why an account with these contract currencies could not take this, or undefined when it can. Pure. */
export function checkAmount(money: Money, contractCurrencies: readonly string[] = []): Refusal | undefined {
  const converted = toAlipayAmount(money, currenciesOf(contractCurrencies));
  return 'refusal' in converted ? converted.refusal : undefined;
}

/** Minor units as `1234.50`. */
export function formatAmount(amount: number): string {
  const digits = String(amount).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** `1234.5` as 123450; undefined for what is no amount with at most two decimals. Zero is an amount here. */
export function parseAmount(text: unknown): number | undefined {
  if (typeof text !== 'string' && typeof text !== 'number') return undefined;
  const match = /^(\d{1,13})(?:\.(\d{1,2}))?$/.exec(String(text));
  if (match === null) return undefined;
  return Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
}
