/** Levels and why they are skipped, probes, exploration, the size of what is stored. */
import { scoreViewOf } from '../../../src/domain/routing/scores';
import type { RoutingRule } from '../../../src/domain/routing/types';
import { calls, channel, compiled, healthOf, price, route } from './fixtures';

const rule = (id: string, fields: Partial<RoutingRule>): RoutingRule => ({
  ...{ id, order: 1, enabled: true, channel: 'stripe', weight: 1 },
  ...fields,
});
const off = [{ merchantId: 'merchant-1', smart: false }];
const OFF = 'smart routing is switched off for the merchant';

describe('explicit', () => {
  const config = compiled([channel('stripe'), channel('alipay', { currencies: ['CNY'] })], {
    fees: [price('alipay', 60)],
  });

  test("the caller's word is taken, and what speaks against it is said", () => {
    expect(route(config, { requestedChannel: 'alipay' })).toEqual({
      channel: 'alipay',
      level: 'explicit',
      reason: 'the request names the channel',
      mode: 'balanced',
      ranked: ['alipay'],
      skipped: [],
      config: { source: 'memory', version: 7 },
      candidates: [
        {
          channel: 'alipay',
          eligible: false,
          excluded: { code: 'currency_not_supported', reason: 'it does not take USD' },
          feeMinor: 60,
        },
      ],
    });
  });

  test('a channel that is not configured', () =>
    expect(route(config, { requestedChannel: 'other' })).toMatchObject({
      ...{ channel: 'other', candidates: [], ranked: ['other'] },
    }));
});

describe('rules', () => {
  const channels = [channel('stripe'), channel('paypal'), channel('crypto', { automatic: false })];
  const routed = (rules: readonly RoutingRule[], fields = {}, context = {}) =>
    route(compiled(channels, { rules, merchants: off }), fields, context);

  test('decide when smart routing is switched off', () => {
    expect(routed([rule('r1', { channel: 'paypal' })])).toMatchObject({
      channel: 'paypal',
      level: 'rules',
      reason: 'rule r1 sends it to paypal',
      ruleId: 'r1',
      skipped: [{ level: 'smart', reason: OFF }],
    });
  });

  test('may name what is never chosen on its own, also when nothing else is eligible', () => {
    const config = compiled([channel('crypto', { automatic: false })], { rules: [rule('r1', { channel: 'crypto' })] });
    expect(route(config)).toMatchObject({
      ...{ channel: 'crypto', level: 'rules', skipped: [{ level: 'smart', reason: 'no eligible channel' }] },
    });
  }); // prettier-ignore

  test.each<[string, Partial<RoutingRule>, object, boolean]>([
    ['anything', {}, {}, true],
    ['the merchant', { merchantId: 'merchant-1' }, {}, true],
    ['another merchant', { merchantId: 'merchant-2' }, {}, false],
    ['the currency', { currency: 'USD' }, {}, true],
    ['another currency', { currency: 'EUR' }, {}, false],
    ['the country', { country: 'FR' }, { country: { code: 'FR', source: 'ip' } }, true],
    ['the region', { country: 'EEA' }, { country: { code: 'FR', source: 'ip' } }, true],
    ['another country', { country: 'US' }, { country: { code: 'FR', source: 'ip' } }, false],
    ['a country, none known', { country: 'US' }, {}, false],
    ['the lower bound', { minAmount: 10_000 }, {}, true],
    ['under the lower bound', { minAmount: 10_001 }, {}, false],
    ['the upper bound', { maxAmount: 10_000 }, {}, true],
    ['over the upper bound', { maxAmount: 9_999 }, {}, false],
    ['switched off', { enabled: false }, {}, false],
  ])('fit: %s', (_what, fields, asked, fits) =>
    expect(routed([rule('r1', { channel: 'paypal', ...fields })], asked).level).toBe(
      fits ? 'rules' : 'default',
    ),
  );

  test('the lowest order decides, and the others are for failover', () => {
    const rules = [rule('r1', { order: 2, channel: 'paypal' }), rule('r2', { order: 1, channel: 'stripe' })];
    expect(routed(rules).ranked).toEqual(['stripe', 'paypal']);
    const health = healthOf({ stripe: 'out' });
    expect(routed(rules, {}, { health })).toMatchObject({ channel: 'paypal', ruleId: 'r1' });
    const allOut = healthOf({ stripe: 'out', paypal: 'out' });
    expect(routed(rules, {}, { health: allOut })).toMatchObject({ channel: 'stripe', allOut: true });
    expect(routed(rules, {}, { health: healthOf({ stripe: 'probe' }) })).toMatchObject({ probe: true });
  });

  test('within one order the weights share out', () => {
    const rules = [rule('r1', { weight: 9, channel: 'paypal' }), rule('r2', { weight: 1 })];
    const ways = Array.from({ length: 4_000 }, (_, n) => routed(rules, { number: `order-${n}` }).channel);
    expect(ways.filter((way) => way === 'paypal').length / 4_000).toBeCloseTo(0.9, 1);
  });

  test.each([
    ['there are no rules', [], {}],
    ['no rule fits', [rule('r1', { currency: 'EUR' })], {}],
    [
      'no rule that fits names a channel that can take it',
      [rule('r1', { channel: 'gone' }), rule('r2', { channel: 'paypal' })],
      { allowedChannels: ['stripe'] },
    ],
  ])('%s: the default channel', (reason, rules, fields) =>
    expect(routed(rules, fields)).toMatchObject({
      channel: 'stripe',
      level: 'default',
      ranked: ['stripe'],
      skipped: [
        { level: 'smart', reason: OFF },
        { level: 'rules', reason },
      ],
    }),
  );
});

test('channels of which no strategy knows anything are left to the next level', () => {
  const config = compiled([channel('a', { weight: 0 }), channel('b', { weight: 0 })]);
  expect(route(config)).toMatchObject({
    level: 'default',
    skipped: [
      { reason: 'no strategy has an opinion on the channels that remain' },
      { reason: 'there are no rules' },
    ],
  });
});

test('without any channel the default one still takes it', () =>
  expect(route(compiled([]), {}, { source: 'built_in' })).toMatchObject({
    ...{ channel: 'stripe', level: 'default', config: { source: 'built_in', version: 7 } },
  }));

describe('health', () => {
  const config = compiled([channel('a'), channel('b'), channel('c')], {
    fees: [price('a', 1), price('b', 2), price('c', 3)],
  });
  const routed = (states: Parameters<typeof healthOf>[0]) => route(config, {}, { health: healthOf(states) });

  test('what is out of service is not used', () =>
    expect(routed({ a: 'out' })).toMatchObject({ channel: 'b', ranked: ['b', 'c'] }));

  test('what is due for a probe gets the request, and failover has the rest', () => {
    const decision = routed({ c: 'probe' });
    expect(decision).toMatchObject({ channel: 'c', probe: true, ranked: ['c', 'a', 'b'] });
    expect(decision.candidates[2]?.eligible).toBe(true);
  });

  test('of two probes the better goes first', () =>
    expect(routed({ c: 'probe', b: 'probe' })).toMatchObject({ channel: 'b', ranked: ['b', 'a'] }));

  test('when all are out the best is used, and the decision says so', () => {
    const decision = routed({ a: 'out', b: 'out', c: 'out' });
    expect(decision).toMatchObject({ channel: 'a', allOut: true, ranked: ['a', 'b', 'c'] });
    expect(decision.reason).toBe(
      'all channels are out of service, the best is used: a charges least: 0.01 USD',
    );
    expect(routed({ a: 'out', b: 'out', c: 'probe' })).toMatchObject({ channel: 'c', probe: true });
  });
});

describe('exploration', () => {
  const channels = ['a', 'b', 'c', 'd'].map((id, n) => channel(id, { enabled: n < 3 }));
  const fees = channels.map(({ id }, n) => price(id, 100 + n));
  const config = compiled(channels, { fees }, { explorationShare: 0.05 });
  const health = healthOf({ c: 'out' });

  test.each([
    [0, 'b', true],
    [0.024, 'b', true],
    [0.026, 'c', true],
    [0.0499, 'c', true],
    [0.05, 'a', undefined],
    [0.999, 'a', undefined],
  ])('the number %d takes %s', (random, expected, explored) => {
    const decision = route(config, {}, { random: () => random });
    expect([decision.channel, decision.explored]).toEqual([expected, explored]);
    if (explored === true) expect(decision.reason).toContain(' is tried instead of a ');
  });

  test('tries its share of the orders, evenly, and never what is excluded', () => {
    const counts: Record<string, number> = {};
    for (let n = 0; n < 20_000; n++) {
      const { channel: id } = route(config, {}, { random: () => (n + 0.5) / 20_000, health });
      counts[id] = (counts[id] ?? 0) + 1;
    }
    expect(counts).toEqual({ a: 19_000, b: 1_000 });
  });

  test('nothing to try where one is eligible', () =>
    expect(route(config, { allowedChannels: ['b'] }, { random: () => 0 })).toMatchObject({
      ...{ channel: 'b', reason: 'b is the only eligible channel' },
    }));
});

test('a decision among 20 channels is stored in less than 8 KiB', () => {
  const id = (n: number) => `channel-with-a-long-name-of-32-${n}x`;
  const max = { amounts: { USD: { max: 99_999_999 } } };
  const channels = Array.from({ length: 20 }, (_, n) => channel(id(n + 10), n % 2 ? max : { home: { US: 90 } }));
  const fees = channels.map((one) => price(one.id, 349));
  const scores = scoreViewOf(channels.map((one) => calls(one.id, 1_997, 33)));
  const decision = route(compiled(channels, { fees, merchants: off }), { amount: 9_999_999_999, country: { code: 'US', source: 'billing' } }, { scores });
  const smart = route(compiled(channels, { fees }), { country: { code: 'US', source: 'billing' } }, { scores });
  for (const one of [decision, smart]) {
    expect(one.candidates).toHaveLength(20);
    expect(JSON.stringify(one).length).toBeLessThan(8_192);
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
  }
}); // prettier-ignore
