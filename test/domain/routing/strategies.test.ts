/** Strategies, modes and prices, row by row. */
import { strategyOrder } from '../../../src/domain/routing/config';
import { hashOf } from '../../../src/domain/routing/hash';
import { scoreViewOf } from '../../../src/domain/routing/scores';
import { ROUTING_MODES } from '../../../src/domain/routing/types';
import type { FeeRule, RoutingMode } from '../../../src/domain/routing/types';
import { calls, channel, compiled, price, route } from './fixtures';

const US = { code: 'US', source: 'explicit' } as const;

test.each([
  ['balanced', ['geographic', 'success', 'cost', 'load_balance']],
  ['cost', ['cost', 'geographic', 'success', 'load_balance']],
  ['success', ['success', 'geographic', 'cost', 'load_balance']],
  ['geographic', ['geographic', 'success', 'cost', 'load_balance']],
] as const)('%s asks the strategies in this order', (mode, order) =>
  expect(strategyOrder(mode)).toEqual(order),
);

describe('one order, three channels that are each best at something', () => {
  const channels = [channel('cheap'), channel('home', { home: { US: 90 } }), channel('sure')];
  const fees = [price('cheap', 50), price('home', 290), price('sure', 349)];
  const scores = scoreViewOf([calls('cheap', 90, 10), calls('home', 95, 5), calls('sure', 100, 0)]);
  const routed = (mode: RoutingMode, fields = {}) =>
    route(compiled(channels, { fees }, { mode }), { country: US, ...fields }, { scores });

  test.each([
    ['balanced', 'home', 'geographic', 'home is at home in US'],
    ['geographic', 'home', 'geographic', 'home is at home in US'],
    ['success', 'sure', 'success', 'sure has the best success rate'],
    ['cost', 'cheap', 'cost', 'cheap charges least: 0.50 USD'],
  ] as const)('%s', (mode, winner, decidedBy, reason) =>
    expect(routed(mode)).toMatchObject({ channel: winner, decidedBy, reason, mode, level: 'smart' }),
  );

  test.each(['balanced', 'geographic'] as const)('%s without a country: success decides', (mode) => {
    const { country: _, ...rest } = { country: US };
    const config = compiled(channels, { fees }, { mode });
    expect(route(config, rest, { scores })).toMatchObject({ channel: 'sure', decidedBy: 'success' });
  });

  test('in a country where nobody is at home success decides', () =>
    expect(routed('balanced', { country: { code: 'BR', source: 'ip' } }).decidedBy).toBe('success'));

  test('the ranked list is what failover tries next', () =>
    expect(routed('balanced').ranked).toEqual(['home', 'sure', 'cheap']));

  test("a merchant's own mode comes before the process's", () => {
    const merchants = [{ merchantId: 'merchant-1', mode: 'cost' as const }];
    const config = compiled(channels, { fees, merchants });
    expect(route(config, { country: US }, { scores })).toMatchObject({ channel: 'cheap', mode: 'cost' });
    expect(route(config, { country: US, merchantId: 'other' }, { scores }).channel).toBe('home');
  });
});

test('a country beats its region, and the higher preference wins', () => {
  const channels = [channel('a', { home: { EEA: 50, FR: 20 } }), channel('b', { home: { EEA: 40 } })];
  const at = (code: string) => route(compiled(channels), { country: { code, source: 'card' } }).channel;
  expect([at('DE'), at('FR')]).toEqual(['a', 'b']);
});

describe('success', () => {
  const config = compiled([channel('a'), channel('b')], { fees: [price('a', 100), price('b', 200)] });
  const winner = (rows: Parameters<typeof scoreViewOf>[0], country = US) => {
    const { channel: id, decidedBy } = route(config, { country }, { scores: scoreViewOf(rows) });
    return [id, decidedBy];
  };

  test.each([
    ['nothing is known: the price decides', [], ['a', 'cost']],
    ['too few calls: the price decides', [calls('a', 10, 9)], ['a', 'cost']],
    ['enough calls', [calls('a', 11, 9)], ['b', 'success']],
    ['closer than two points: a tie', [calls('a', 99, 1), calls('b', 100, 0)], ['a', 'cost']],
    ['further apart', [calls('a', 96, 4), calls('b', 100, 0)], ['b', 'success']],
    [
      'declines count for nothing',
      [{ ...calls('a', 100, 0), declines: 900 }, calls('b', 100, 0)],
      ['a', 'cost'],
    ],
    [
      'the own country before the currency',
      [calls('a', 50, 50, { country: 'US' }), calls('a', 5_000, 0, { country: 'DE' }), calls('b', 95, 5)],
      ['b', 'success'],
    ],
    [
      'few calls in the country: the currency',
      [calls('a', 1, 18, { country: 'US' }), calls('a', 981, 0, { country: 'DE' }), calls('b', 95, 5)],
      ['a', 'success'],
    ],
    [
      'few calls in the currency: the channel',
      [calls('a', 50, 50, { currency: 'EUR' }), calls('b', 100, 0)],
      ['b', 'success'],
    ],
  ])('%s', (_what, rows, expected) => expect(winner(rows)).toEqual(expected));

  test('the rate of faults stands with every candidate that has calls enough', () => {
    const scores = scoreViewOf([calls('a', 60, 20), calls('b', 5, 5)]);
    const { candidates } = route(config, {}, { scores });
    expect(candidates.map(({ faultRate }) => faultRate)).toEqual([0.25, undefined]);
    expect(candidates.map((one) => one.scores?.success)).toEqual([0.75, undefined]);
  });
});

describe('cost: the most specific price that fits', () => {
  const base = { channel: 'x', fixedMinor: 0 };
  const fees: readonly FeeRule[] = [
    { ...base, id: '1', basisPoints: 100 },
    { ...base, id: '2', basisPoints: 200, currency: 'EUR' },
    { ...base, id: '3', basisPoints: 300, country: 'EEA' },
    { ...base, id: '4', basisPoints: 400, country: 'EEA', currency: 'EUR' },
    { ...base, id: '5', basisPoints: 500, country: 'FR' },
    { ...base, id: '6', basisPoints: 600, country: 'FR', currency: 'EUR', fixedMinor: 25 },
    { ...base, id: '7', basisPoints: 700, accountId: 'a1', currency: 'JPY' },
    { ...base, id: '8', basisPoints: 800, country: 'FR' },
  ];
  const accounts = [{ id: 'a1', channel: 'x', world: 'test', merchantId: 'rich', contract: {} }] as const;
  const platform = { ...accounts[0], id: 'a0', merchantId: null };

  test.each([
    ['USD', undefined, 'poor', 100],
    ['EUR', undefined, 'poor', 200],
    ['USD', 'DE', 'poor', 300],
    ['EUR', 'DE', 'poor', 400],
    ['USD', 'FR', 'poor', 500],
    ['EUR', 'FR', 'poor', 625],
    ['JPY', 'FR', 'rich', 700],
    ['JPY', 'FR', 'poor', 500],
    ['EUR', 'FR', 'rich', 625],
  ])('%s from %s for the %s merchant', (currency, code, merchantId, feeMinor) => {
    const config = compiled([channel('x')], { fees: [...fees].reverse(), accounts: [...accounts, platform] });
    const country = code === undefined ? {} : { country: { code, source: 'billing' as const } };
    const decision = route(config, { currency, merchantId, ...country });
    expect(decision.candidates[0]?.feeMinor).toBe(feeMinor);
    expect(decision.accountId).toBe(merchantId === 'rich' ? 'a1' : 'a0');
  });

  test('a price nobody knows is never the cheapest', () => {
    const config = compiled([channel('a'), channel('b')], { fees: [price('b', 900)] }, { mode: 'cost' });
    expect(route(config)).toMatchObject({ channel: 'b', decidedBy: 'cost' });
  });
});

describe('load balance', () => {
  const shares = (weights: Readonly<Record<string, number>>, orders: number) => {
    const config = compiled(Object.entries(weights).map(([id, weight]) => channel(id, { weight })));
    const counts: Record<string, number> = {};
    for (let n = 0; n < orders; n++) {
      const { channel: id, decidedBy } = route(config, { number: `PY20250124123456${n}` });
      expect(decidedBy).toBe('load_balance');
      counts[id] = (counts[id] ?? 0) + 1;
    }
    return counts;
  };

  test('shares out by weight', () => {
    const { a = 0, b = 0, c = 0 } = shares({ a: 100, b: 200, c: 700 }, 20_000);
    expect([a, b, c].map((count) => Math.round(count / 200))).toEqual([
      expect.closeTo(10, -0.7),
      expect.closeTo(20, -0.7),
      expect.closeTo(70, -0.7),
    ]);
  });

  test('weight 0 takes nothing while another takes', () =>
    expect(shares({ a: 0, b: 1 }, 500)).toEqual({ b: 500 }));

  test('the same number goes the same way, and only the orders of one that leaves move', () => {
    const all = compiled(['a', 'b', 'c'].map((id) => channel(id)));
    const fewer = compiled(['a', 'c'].map((id) => channel(id)));
    for (let n = 0; n < 500; n++) {
      const number = `order-${n}`;
      const before = route(all, { number }).channel;
      expect(route(all, { number }).channel).toBe(before);
      if (before !== 'b') expect(route(fewer, { number }).channel).toBe(before);
    }
  });

  test('the shares do not drift with a new version: the hash is fixed', () => {
    const config = compiled(['a', 'b', 'c'].map((id) => channel(id)));
    const way = Array.from({ length: 12 }, (_, n) => route(config, { number: `PY-${n}` }).channel).join('');
    expect(way).toBe('bcaccbcabcaa');
    // Test vectors of FNV-1a, 32 bits.
    expect([hashOf(''), hashOf('a'), hashOf('foobar')]).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
  });
});

test.each(ROUTING_MODES)('%s: channels that nothing tells apart go by name', (mode) => {
  const config = compiled([channel('b', { weight: 0 }), channel('a', { weight: 0 })], { fees: [price('a', 5), price('b', 5)] }, { mode });
  expect(route(config)).toMatchObject({ channel: 'a', reason: 'a is as good as others and the first by name' });
  expect(route(config).decidedBy).toBeUndefined();
}); // prettier-ignore
