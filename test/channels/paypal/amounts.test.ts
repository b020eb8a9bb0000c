import fc from 'fast-check';
import {
  checkAmount,
  fromPayPalAmount,
  PAYPAL_CURRENCIES,
  toPayPalAmount,
} from '../../../src/channels/paypal/amounts';
import { currencyExponent } from '../../../src/domain/money';

test.each([
  [1, 'USD', '0.01'],
  [10, 'EUR', '0.10'],
  [50_000, 'USD', '500.00'],
  [999_999_999, 'USD', '9999999.99'],
  [50_000, 'JPY', '50000'],
  [9_999_999, 'JPY', '9999999'],
  [50_000, 'HUF', '500'],
  [12_300, 'TWD', '123'],
])('%d %s is %s at PayPal, and back', (amount, currency, value) => {
  const money = { currency_code: currency, value };
  expect(toPayPalAmount({ amount, currency })).toEqual({ amount: money });
  expect(fromPayPalAmount(money)).toBe(amount);
});

test.each([
  [150, 'HUF', 'AMOUNT_NOT_SUPPORTED'],
  [1, 'TWD', 'AMOUNT_NOT_SUPPORTED'],
  [1_000_000_000, 'USD', 'AMOUNT_NOT_SUPPORTED'],
  [10_000_000, 'JPY', 'AMOUNT_NOT_SUPPORTED'],
  [0, 'USD', 'AMOUNT_NOT_SUPPORTED'],
  [1.5, 'USD', 'AMOUNT_NOT_SUPPORTED'],
  [100, 'KWD', 'CURRENCY_NOT_SUPPORTED'],
  [100, 'usd', 'CURRENCY_NOT_SUPPORTED'],
])('%d %s is refused: %s', (amount, currency, code) => {
  expect(checkAmount({ amount, currency })).toMatchObject({ code });
});

test.each([
  ['12', 'USD', 1_200],
  ['12.5', 'USD', 1_250],
  ['0.00', 'USD', 0],
  ['12.00', 'JPY', 12],
  ['12.345', 'USD', undefined],
  ['-1.00', 'USD', undefined],
  ['1e3', 'USD', undefined],
  ['', 'USD', undefined],
  ['1.00', 'XXX', undefined],
])('%j %s reads as %s', (value, currency, amount) => {
  expect(fromPayPalAmount({ value, currency_code: currency })).toBe(amount);
});

test('every currency is one of ours', () => {
  expect([...PAYPAL_CURRENCIES].filter((currency) => currencyExponent(currency) === undefined)).toEqual([]);
});

test('what can be said at all is read back as the same amount', () => {
  const amounts = fc.record({
    amount: fc.integer({ min: 1, max: 2_000_000_000 }),
    currency: fc.constantFrom(...PAYPAL_CURRENCIES),
  });
  fc.assert(
    fc.property(amounts, (money) => {
      const said = toPayPalAmount(money);
      if ('amount' in said) expect(fromPayPalAmount(said.amount)).toBe(money.amount);
    }),
  );
});
