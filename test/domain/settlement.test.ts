import fc from 'fast-check';
import { feeOf } from '../../src/domain/fees';
import { compileConfig } from '../../src/domain/routing/config';
import { feeRulesOf } from '../../src/domain/routing/cost';
import { BUILT_IN_CONFIG, DEFAULT_POLICY } from '../../src/domain/routing/default-config';
import type { FeeRule } from '../../src/domain/routing/types';
import { settlementOf, totalsOf } from '../../src/domain/settlement';
import type { MoneyKind, MoneyLine } from '../../src/domain/settlement';

const FEES = { basisPoints: 290, fixedMinorByCurrency: { USD: 30 } };
const pricesOf = (fees: readonly FeeRule[]) => compileConfig({ ...BUILT_IN_CONFIG, fees }, DEFAULT_POLICY);
const PRICES = pricesOf(feeRulesOf('stripe', FEES, 'a1'));
const settle = (lines: readonly MoneyLine[]) => settlementOf(lines, PRICES);

const line = (kind: MoneyKind, amount: number, count = 1, more: Partial<MoneyLine> = {}): MoneyLine => ({
  merchantId: 'm1',
  merchantName: 'Hotel',
  channel: 'stripe',
  channelAccountId: 'a1',
  accountName: 'Platform',
  currency: 'USD',
  kind,
  amount,
  count,
  ...more,
});

it('adds up a day; a refund gives no fee back, and one that came back is no refund', () => {
  const rows = settle([
    line('capture', 10_000, 3),
    line('capture', 2_500),
    line('late', 1_000),
    line('refund', 2_500, 2),
    line('refund_failed', 2_500),
    line('dispute_lost', 700),
  ]);
  expect(rows).toEqual([
    {
      merchantId: 'm1',
      merchantName: 'Hotel',
      channel: 'stripe',
      channelAccountId: 'a1',
      accountName: 'Platform',
      currency: 'USD',
      captures: { count: 4, amount: 32_500 },
      late: { count: 1, amount: 1_000 },
      refunds: { count: 1, amount: 2_500 },
      disputesLost: { count: 1, amount: 700 },
      fees: 3 * 320 + 103 + 59,
      net: 32_500 + 1_000 - 2_500 - 700 - (3 * 320 + 103 + 59),
    },
  ]);
});

it('keeps merchants, accounts and currencies apart, and takes the list price where an account has none', () => {
  const rows = settle([
    line('capture', 10_000, 1, { merchantId: 'm2' }),
    line('capture', 10_000, 1, { channelAccountId: 'a2', channel: 'alipay' }),
    line('capture', 10_000, 1, { currency: 'JPY' }),
    line('capture', 10_000),
  ]);
  expect(rows.map((row) => [row.merchantId, row.channelAccountId, row.currency, row.fees])).toEqual([
    ['m1', 'a1', 'JPY', 290],
    ['m1', 'a1', 'USD', 320],
    ['m1', 'a2', 'USD', 60],
    ['m2', 'a1', 'USD', 320],
  ]);
  expect(totalsOf(rows)).toEqual([
    {
      currency: 'JPY',
      captured: 10_000,
      lateReceived: 0,
      refunded: 0,
      disputesLost: 0,
      fees: 290,
      net: 9_710,
    },
    {
      currency: 'USD',
      captured: 30_000,
      lateReceived: 0,
      refunded: 0,
      disputesLost: 0,
      fees: 700,
      net: 29_300,
    },
  ]);
});

it('goes by the prices that routing goes by: of the account, the country, the currency', () => {
  const rule = { channel: 'stripe', fixedMinor: 0 };
  const prices = pricesOf([
    { ...rule, id: '1', basisPoints: 100 },
    { ...rule, id: '2', basisPoints: 200, country: 'EEA' },
    { ...rule, id: '3', basisPoints: 300, currency: 'EUR' },
    { ...rule, id: '4', basisPoints: 400, accountId: 'a9' },
  ]);
  const feesOf = (more: Partial<MoneyLine>) =>
    settlementOf([line('capture', 10_000, 1, more)], prices).map(({ fees }) => fees);
  expect(feesOf({})).toEqual([100]);
  expect(feesOf({ country: 'US' })).toEqual([100]);
  expect(feesOf({ country: 'DE' })).toEqual([200]);
  expect(feesOf({ currency: 'EUR' })).toEqual([300]);
  expect(feesOf({ channelAccountId: 'a9', country: 'DE' })).toEqual([400]);
  expect(feesOf({ channel: 'paypal' })).toEqual([398]);
});

it('is exact: the order of the lines and how they are counted together change nothing', () => {
  const kinds = fc.constantFrom<MoneyKind>('capture', 'late', 'refund', 'refund_failed', 'dispute_lost');
  const movement = fc.record({ kind: kinds, amount: fc.integer({ min: 1, max: 1_000_000_000 }) });
  fc.assert(
    fc.property(fc.array(movement, { minLength: 1, maxLength: 40 }), (movements) => {
      const lines = movements.map(({ kind, amount }) => line(kind, amount));
      const [row] = settle(lines);
      expect(settle([...lines].reverse())).toEqual([row]);
      const fees = lines
        .filter(({ kind }) => kind === 'capture' || kind === 'late')
        .reduce((sum, one) => sum + feeOf(one, FEES), 0);
      expect(row?.fees).toBe(fees);
      const twice = settle(lines.map((one) => ({ ...one, count: 2 })))[0];
      expect(twice?.net).toBe(2 * (row?.net ?? NaN));
    }),
  );
});

it('refuses a sum it could not tell exactly', () => {
  expect(() => settle([line('capture', Number.MAX_SAFE_INTEGER, 2)])).toThrow(RangeError);
});
