import fc from 'fast-check';
import {
  checkAmount,
  fromStripeAmount,
  MAX_STRIPE_AMOUNT,
  STRIPE_AMOUNT_BOUNDS,
  STRIPE_CURRENCIES,
  toStripeAmount,
} from '../../../src/channels/stripe/amounts';
import { CURRENCIES } from '../../../src/domain/money';

describe('ISO minor units to the amounts of Stripe', () => {
  test.each([
    // currency, ISO minor units, Stripe's amount
    ['USD', 50_000, 50_000],
    ['EUR', 1, 1],
    ['HUF', 12_345, 12_345],
    ['TWD', 80_045, 80_045],
    ['IDR', 99_999_999, 99_999_999],
    ['JPY', 500, 500],
    ['KRW', 99_999_999, 99_999_999],
    ['VND', 10_000, 10_000],
    ['MGA', 100, 1],
    ['MGA', 9_999_999_900, 99_999_999],
    ['ISK', 5, 500],
    ['UGX', 5, 500],
    ['ISK', 999_999, 99_999_900],
    ['BHD', 5_120, 5_120],
    ['JOD', 10, 10],
    ['KWD', 99_999_990, 99_999_990],
    ['OMR', 1_000, 1_000],
    ['TND', 1_230, 1_230],
  ])('%s %i is %i there, and back', (currency, iso, stripe) => {
    expect(toStripeAmount({ amount: iso, currency })).toEqual({ amount: stripe });
    expect(fromStripeAmount(stripe, currency)).toBe(iso);
    expect(checkAmount({ amount: iso, currency })).toBeUndefined();
  });

  test.each([
    ['MGA', 150, 'AMOUNT_NOT_SUPPORTED'],
    ['BHD', 5_124, 'AMOUNT_NOT_SUPPORTED'],
    ['TND', 1, 'AMOUNT_NOT_SUPPORTED'],
    ['USD', 100_000_000, 'AMOUNT_NOT_SUPPORTED'],
    ['ISK', 1_000_000, 'AMOUNT_NOT_SUPPORTED'],
    ['MGA', 10_000_000_000, 'AMOUNT_NOT_SUPPORTED'],
    ['KWD', 100_000_000, 'AMOUNT_NOT_SUPPORTED'],
    ['USD', 0, 'AMOUNT_NOT_SUPPORTED'],
    ['USD', -1, 'AMOUNT_NOT_SUPPORTED'],
    ['USD', 0.5, 'AMOUNT_NOT_SUPPORTED'],
    ['UGX', Number.MAX_SAFE_INTEGER, 'AMOUNT_NOT_SUPPORTED'],
    ['IQD', 1_000, 'CURRENCY_NOT_SUPPORTED'],
    ['LYD', 1_000, 'CURRENCY_NOT_SUPPORTED'],
    ['IRR', 1_000, 'CURRENCY_NOT_SUPPORTED'],
    ['XXX', 1_000, 'CURRENCY_NOT_SUPPORTED'],
    ['usd', 1_000, 'CURRENCY_NOT_SUPPORTED'],
  ])('%s %d is refused with %s', (currency, amount, code) => {
    expect(checkAmount({ amount, currency })?.code).toBe(code);
  });

  test.each([
    ['ISK', 501],
    ['UGX', 50],
    ['IQD', 100],
    ['XXX', 100],
  ])('%s %i of Stripe is not guessed', (currency, amount) => {
    expect(fromStripeAmount(amount, currency)).toBeUndefined();
  });

  test('nothing captured is zero in every currency', () => {
    expect(
      [...STRIPE_CURRENCIES].map((currency) => fromStripeAmount(0, currency)).filter((zero) => zero !== 0),
    ).toEqual([]);
  });

  test('to Stripe and back is the same amount, or it is refused', () => {
    const money = fc.record({
      currency: fc.constantFrom(...CURRENCIES),
      amount: fc.oneof(fc.integer({ min: 1, max: 200_000_000 }), fc.maxSafeNat()),
    });
    fc.assert(
      fc.property(money, ({ amount, currency }) => {
        const there = toStripeAmount({ amount, currency });
        if ('refusal' in there) return checkAmount({ amount, currency })?.code === there.refusal.code;
        const isWithin =
          Number.isSafeInteger(there.amount) && there.amount <= MAX_STRIPE_AMOUNT && there.amount > 0;
        return isWithin && fromStripeAmount(there.amount, currency) === amount;
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the bounds of a payment, in ISO minor units', () => {
  test.each([
    ['USD', 50, 99_999_999],
    ['HUF', 17_500, 99_999_999],
    ['JPY', 50, 99_999_999],
    ['ISK', undefined, 999_999],
    ['MGA', undefined, 9_999_999_900],
    ['KWD', undefined, 99_999_990],
  ])('%s: %s to %i', (currency, min, max) => {
    expect(STRIPE_AMOUNT_BOUNDS[currency]).toEqual(min === undefined ? { max } : { min, max });
  });

  test('every currency has a largest amount, which is taken, and the next one is not', () => {
    expect(Object.keys(STRIPE_AMOUNT_BOUNDS).sort()).toEqual([...STRIPE_CURRENCIES].sort());
    for (const [currency, { max = 0 }] of Object.entries(STRIPE_AMOUNT_BOUNDS)) {
      expect({ currency, refusal: checkAmount({ amount: max, currency }) }).toEqual({ currency });
      expect({ currency, next: checkAmount({ amount: max + 1, currency })?.code }).toEqual({
        currency,
        next: 'AMOUNT_NOT_SUPPORTED',
      });
    }
  });
});
