import { priorityBonusMs } from '../../src/domain/webhook/priority';

describe('priorityBonusMs', () => {
  test.each([
    // Minor units, on both sides of each band.
    ['USD', 99_999, 0],
    ['USD', 100_000, 60_000],
    ['USD', 999_999, 60_000],
    ['USD', 1_000_000, 300_000],
    ['USD', 0, 0],
    ['USD', Number.MAX_SAFE_INTEGER, 300_000],
    // 50 000 JPY are some 300 USD, 50 000 cents are 500, and 50 000 of the three decimals 160.
    ['JPY', 50_000, 0],
    ['JPY', 200_000, 60_000],
    ['JPY', 2_000_000, 300_000],
    ['KWD', 50_000, 0],
    ['KWD', 400_000, 60_000],
    ['KWD', 4_000_000, 300_000],
    ['EUR', 100_000, 60_000],
    ['CNY', 100_000, 0],
    ['CNY', 1_000_000, 60_000],
    ['IDR', 100_000_000, 0],
    ['IDR', 2_000_000_000, 60_000],
    // Without a rate, without an exponent, no currency at all.
    ['XDR', 1_000_000_000, 0],
    ['usd', 1_000_000_000, 0],
    ['', 1_000_000_000, 0],
    ['constructor', 1_000_000_000, 0],
  ])('%s %i', (currency, amount, bonusMs) => expect(priorityBonusMs(amount, currency)).toBe(bonusMs));
});
