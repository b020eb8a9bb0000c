/** Amount objects as PayPal takes and gives them. Inside, an amount is an integer of ISO minor units. */
import { refuse } from './errors';

const CURRENCIES = new Set(
  'AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD'.split(
    ' ',
  ),
);
const WITHOUT_DECIMALS = new Set(['HUF', 'JPY', 'TWD']);
const MAX_WHOLE_UNITS = 9_999_999;

export interface AmountInput {
  readonly currency_code: string;
  readonly value: string;
}

const isoUnits = (currency: string) => (currency === 'JPY' ? 1 : 100);

/** @throws PayPalError in PayPal's words */
export function readAmount({ currency_code: currency, value }: AmountInput): number {
  if (!CURRENCIES.has(currency)) throw refuse('CURRENCY_NOT_SUPPORTED');
  const [whole = '', decimals = ''] = value.split('.');
  if (value.includes('.') && WITHOUT_DECIMALS.has(currency)) throw refuse('DECIMALS_NOT_SUPPORTED');
  if (decimals.length > 2) throw refuse('DECIMAL_PRECISION');
  if (Number(whole) > MAX_WHOLE_UNITS) throw refuse('MAX_VALUE_EXCEEDED');
  const units = isoUnits(currency);
  const amount = Number(whole) * units + (units === 1 ? 0 : Number(decimals.padEnd(2, '0')));
  if (amount <= 0) throw refuse('CANNOT_BE_ZERO_OR_NEGATIVE');
  return amount;
}

export function renderAmount(amount: number, currency: string): AmountInput {
  const units = isoUnits(currency);
  const value = WITHOUT_DECIMALS.has(currency) ? String(amount / units) : (amount / units).toFixed(2);
  return { currency_code: currency, value };
}
