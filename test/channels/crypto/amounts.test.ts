import {
  checkAmount,
  CRYPTO_CURRENCIES,
  cryptoExponent,
  multiply,
  parseDecimal,
  toCryptoAmount,
  toMinorUnits,
  ZERO,
} from '../../../src/channels/crypto/amounts';
import { CRYPTO_PAYMENT_CAPABILITIES } from '../../../src/channels/crypto/capabilities';

const decimal = (text: string) => parseDecimal(text) ?? ZERO;

describe('what is sent', () => {
  test.each([
    [1, 'USD', '0.01'],
    [50_000, 'USD', '500.00'],
    [5, 'JPY', '5'],
    [1, 'BTC', '0.00000001'],
    [15_530, 'BTC', '0.00015530'],
    [100_000_000, 'BTC', '1.00000000'],
    [Number.MAX_SAFE_INTEGER, 'EUR', '90071992547409.91'],
  ])('%d of %s is %s', (amount, currency, expected) => {
    expect(toCryptoAmount({ amount, currency })).toEqual({ amount: expected });
    expect(toMinorUnits(decimal(expected), currency, 'exact')).toBe(amount);
  });

  test.each([
    [1_000, 'KWD', 'CURRENCY_NOT_SUPPORTED'],
    [1_000, 'XXX', 'CURRENCY_NOT_SUPPORTED'],
    [0, 'USD', 'AMOUNT_NOT_SUPPORTED'],
    [-1, 'BTC', 'AMOUNT_NOT_SUPPORTED'],
    [1.5, 'USD', 'AMOUNT_NOT_SUPPORTED'],
  ])('%d of %s is refused: %s', (amount, currency, code) => {
    expect(checkAmount({ amount, currency })?.code).toBe(code);
  });

  test('every currency has an exponent, and the capabilities name the same ones', () => {
    for (const currency of CRYPTO_CURRENCIES) expect(cryptoExponent(currency)).toBeGreaterThanOrEqual(0);
    expect(CRYPTO_PAYMENT_CAPABILITIES.currencies).toBe(CRYPTO_CURRENCIES);
  });
});

describe('what is read', () => {
  test.each(['', 'abc', '1e5', '.5', '5.', '1,5', '0x10', ' 1', 'NaN', '9'.repeat(41)])(
    '%j is no number',
    (text) => {
      expect(parseDecimal(text)).toBeUndefined();
    },
  );

  test.each([
    ['12.349', 'USD', 'down', 1_234],
    ['12.341', 'USD', 'up', 1_235],
    ['12.340', 'USD', 'up', 1_234],
    ['12.34', 'USD', 'exact', 1_234],
    ['12.341', 'USD', 'exact', undefined],
    ['12', 'USD', 'exact', 1_200],
    ['0.000000019', 'BTC', 'down', 1],
    ['100000000000000', 'USD', 'exact', undefined],
    ['-1', 'USD', 'down', undefined],
    ['1', 'KWD', 'down', undefined],
  ] as const)('%s %s, %s, is %s minor units', (text, currency, rounding, expected) => {
    expect(toMinorUnits(decimal(text), currency, rounding)).toBe(expected);
  });

  test('a product has all its decimals', () => {
    expect(multiply(decimal('0.00015530'), decimal('64392.23'))).toEqual(decimal('10.0001133190'));
  });
});
