import fc from 'fast-check';
import { CURRENCIES, currencyExponent, formatMoney, isAmount } from '../../src/domain/money';

describe('currencyExponent', () => {
  // The four that popular tables have wrong (MGA, HUF, IDR, IQD) are listed by name.
  test.each([
    ['USD', 2],
    ['EUR', 2],
    ['CNY', 2],
    ['MGA', 2],
    ['HUF', 2],
    ['IDR', 2],
    ['ISK', 0],
    ['JPY', 0],
    ['KRW', 0],
    ['UGX', 0],
    ['VND', 0],
    ['BHD', 3],
    ['IQD', 3],
    ['KWD', 3],
    ['TND', 3],
  ])('%s has %i decimals', (currency, exponent) => {
    expect(currencyExponent(currency)).toBe(exponent);
  });

  test.each(['usd', 'XXX', 'US', '', 'BTC', 'toString'])('%p is no currency', (code) => {
    expect(currencyExponent(code)).toBeUndefined();
  });

  test('every currency is three capitals, listed once, in order', () => {
    expect(CURRENCIES.every((code) => /^[A-Z]{3}$/.test(code))).toBe(true);
    expect(new Set(CURRENCIES).size).toBe(CURRENCIES.length);
    expect([...CURRENCIES].sort()).toEqual(CURRENCIES);
  });
});

describe('isAmount', () => {
  test.each([1, 50_000, Number.MAX_SAFE_INTEGER])('%p is an amount', (value) =>
    expect(isAmount(value)).toBe(true),
  );
  test.each([0, -1, 1.5, NaN, Infinity, Number.MAX_SAFE_INTEGER + 1, '1', null, undefined, 1n])(
    '%p is none',
    (value) => expect(isAmount(value)).toBe(false),
  );
});

describe('formatMoney', () => {
  test.each([
    [50_000, 'USD', '500.00 USD'],
    [5, 'USD', '0.05 USD'],
    [100, 'USD', '1.00 USD'],
    [0, 'USD', '0.00 USD'],
    [-5, 'USD', '-0.05 USD'],
    [50_000, 'JPY', '50000 JPY'],
    [0, 'JPY', '0 JPY'],
    [1, 'KWD', '0.001 KWD'],
    [12_345, 'BHD', '12.345 BHD'],
    [Number.MAX_SAFE_INTEGER, 'USD', '90071992547409.91 USD'],
  ])('%i minor units of %s', (amount, currency, text) =>
    expect(formatMoney({ amount, currency })).toBe(text),
  );

  test('shows every digit: without the point it is the amount again', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.constantFrom(...CURRENCIES), (amount, currency) => {
        expect(Number(formatMoney({ amount, currency }).split(' ')[0]?.replace('.', ''))).toBe(amount);
      }),
    );
  });
});
