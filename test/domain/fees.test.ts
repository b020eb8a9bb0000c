import fc from 'fast-check';
import { DEFAULT_FEES, feeAt, feeOf } from '../../src/domain/fees';

const usd = (amount: number) => ({ amount, currency: 'USD' });

it.each([
  [1_000, 59, 6],
  [10_000, 320, 60],
  [100_000, 2_930, 600],
  [1_000_000, 29_030, 6_000],
])('%i cents cost %i at Stripe and %i at Alipay', (amount, stripe, alipay) => {
  expect(feeOf(usd(amount), DEFAULT_FEES.stripe)).toBe(stripe);
  expect(feeOf(usd(amount), DEFAULT_FEES.alipay)).toBe(alipay);
});

it('rounds half up, once', () => {
  const half = { basisPoints: 50, fixedMinorByCurrency: {} };
  expect(feeOf(usd(99), half)).toBe(0);
  expect(feeOf(usd(100), half)).toBe(1);
  expect(feeOf(usd(299), half)).toBe(1);
  expect(feeOf(usd(300), half)).toBe(2);
});

it('has no fixed part in a currency the table does not name', () => {
  expect(feeOf({ amount: 10_000, currency: 'THB' }, DEFAULT_FEES.stripe)).toBe(290);
  expect(feeOf({ amount: 10_000, currency: 'constructor' }, DEFAULT_FEES.stripe)).toBe(290);
});

it('is counted without BigInt where a double is exact: the same fee, to the last unit', () => {
  const exact = (amount: number, basisPoints: number) =>
    Number((BigInt(amount) * BigInt(basisPoints) + 5_000n) / 10_000n);
  const near = fc.integer({ min: 1, max: Math.floor(2 ** 50 / 10_000) });
  fc.assert(
    fc.property(near, fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: -2, max: 2 }), (k, basisPoints, off) => {
      // Around whole fees, where a quotient that is off by anything shows.
      const amount = Math.max(1, Math.floor((k * 10_000) / Math.max(1, basisPoints)) + off);
      fc.pre(Number.isSafeInteger(amount));
      expect(feeAt(amount, basisPoints, 0)).toBe(exact(amount, basisPoints));
    }),
    { numRuns: 5_000 },
  );
}); // prettier-ignore

it('is off by at most half a minor unit, at any amount', () => {
  const table = fc.integer({ min: 0, max: 10_000 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), table, (amount, basisPoints) => {
      const fee = feeOf(usd(amount), { basisPoints, fixedMinorByCurrency: {} });
      const off = BigInt(fee) * 20_000n - BigInt(amount) * BigInt(basisPoints) * 2n;
      expect(off > -10_000n && off <= 10_000n).toBe(true);
    }),
  );
});
