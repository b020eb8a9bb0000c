/** The comparison to be reproduced to the cent, and the sums of any mix. */
import { REFERENCE_CONFIG, REFERENCE_MONTH } from '../../../src/domain/routing/reference-month';
import { savingsOf } from '../../../src/domain/routing/savings';
import { channel, configOf, price } from './fixtures';

test.each(['cost', 'balanced', 'success', 'geographic'] as const)(
  'mode %s: 32 000.00 on Stripe alone, 15 200.00 routed, 52.5 % saved',
  (mode) => {
    expect(savingsOf(REFERENCE_MONTH, REFERENCE_CONFIG, mode)).toEqual([
      {
        mode,
        currency: 'USD',
        count: 10_000,
        amount: 100_000_000n,
        feeAlone: 3_200_000n,
        feeRouted: 1_520_000n,
        saved: 1_680_000n,
        savedBasisPoints: 5_250,
        channels: [
          { channel: 'alipay', count: 6_458, amount: 64_620_000n, fee: 387_720n },
          { channel: 'stripe', count: 3_542, amount: 35_380_000n, fee: 1_132_280n },
        ],
        unpriced: 0,
      },
    ]);
  },
);

test('with the country of the customers the modes differ: at home Stripe takes it', () => {
  const orders = REFERENCE_MONTH.map((order) => ({
    ...{ ...order, country: { code: 'US', source: 'billing' as const } },
  }));
  const [cost] = savingsOf(orders, REFERENCE_CONFIG, 'cost');
  const [balanced] = savingsOf(orders, REFERENCE_CONFIG, 'balanced');
  expect([cost?.feeRouted, balanced?.feeRouted, balanced?.saved]).toEqual([1_520_000n, 3_200_000n, 0n]);
});

describe('any mix', () => {
  const config = configOf([channel('stripe'), channel('a'), channel('b')], {
    fees: [price('stripe', 100), price('a', 50), price('b', 50)],
  });
  const order = { count: 1_000, amount: 10_000, currency: 'USD' };

  test('is shared out by weight where prices are equal, and currencies are not added up', () => {
    const [eur, usd] = savingsOf([order, { ...order, count: 10, currency: 'EUR' }], config, 'cost');
    expect([eur?.currency, eur?.count, usd?.currency, usd?.count]).toEqual(['EUR', 10, 'USD', 1_000]);
    expect(usd).toMatchObject({ feeAlone: 100_000n, feeRouted: 50_000n, savedBasisPoints: 5_000 });
    const counts = usd?.channels.map(({ count }) => count) ?? [];
    expect(counts).toHaveLength(2);
    expect(Math.min(...counts)).toBeGreaterThan(400);
  });

  test('may cost more when price is not what decides', () => {
    const dear = configOf([channel('stripe'), channel('a', { home: { US: 90 } })], {
      fees: [price('stripe', 100), price('a', 300)],
    });
    const orders = [{ ...order, country: { code: 'US', source: 'ip' as const } }];
    expect(savingsOf(orders, dear, 'balanced')).toMatchObject([{ saved: -200_000n, savedBasisPoints: -20_000 }]);
  }); // prettier-ignore

  test('what has no price is counted apart', () => {
    const free = configOf([channel('stripe'), channel('a')], { fees: [price('a', 50)] });
    expect(savingsOf([order], free, 'cost')).toMatchObject([{ unpriced: 1_000, count: 0, feeAlone: 0n }]);
  });
});
