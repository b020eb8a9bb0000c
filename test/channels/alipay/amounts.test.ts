import fc from 'fast-check';
import {
  checkAmount,
  currenciesOf,
  formatAmount,
  MAX_ALIPAY_AMOUNT,
  parseAmount,
  toAlipayAmount,
} from '../../../src/channels/alipay/amounts';

test.each([
  [1, '0.01'],
  [10, '0.10'],
  [100, '1.00'],
  [123_456, '1234.56'],
  [MAX_ALIPAY_AMOUNT, '100000000.00'],
])('%d fen are %s', (amount, text) => {
  expect(toAlipayAmount({ amount, currency: 'CNY' }, currenciesOf())).toEqual({ text });
});

test.each([
  [{ amount: 100, currency: 'USD' }, [], 'CURRENCY_NOT_SUPPORTED'],
  // Without decimals, or with three: two decimals cannot say them.
  [{ amount: 100, currency: 'JPY' }, ['JPY'], 'CURRENCY_NOT_SUPPORTED'],
  [{ amount: 1_000, currency: 'KWD' }, ['KWD'], 'CURRENCY_NOT_SUPPORTED'],
  [{ amount: 0, currency: 'CNY' }, [], 'AMOUNT_NOT_SUPPORTED'],
  [{ amount: 1.5, currency: 'CNY' }, [], 'AMOUNT_NOT_SUPPORTED'],
  [{ amount: MAX_ALIPAY_AMOUNT + 1, currency: 'CNY' }, [], 'AMOUNT_NOT_SUPPORTED'],
])('%j with %j is refused', (money, currencies, code) => {
  expect(checkAmount(money, currencies)).toMatchObject({ code });
});

test('a contract adds currencies and takes none away', () => {
  expect(checkAmount({ amount: 100, currency: 'USD' }, ['USD'])).toBeUndefined();
  expect(checkAmount({ amount: 100, currency: 'CNY' }, ['USD'])).toBeUndefined();
});

test.each([
  ['0.00', 0],
  ['88.8', 8_880],
  ['88', 8_800],
  [12.33, 1_233],
  ['1.234', undefined],
  ['-1.00', undefined],
  ['1e3', undefined],
  ['', undefined],
  [undefined, undefined],
])('%j is read as %s', (text, amount) => {
  expect(parseAmount(text)).toBe(amount);
});

test('what is written is read again', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_ALIPAY_AMOUNT }), (n) => parseAmount(formatAmount(n)) === n),
  );
});
