/** What holds of every decision (exploration off), whatever is configured and whatever is asked. */
import fc from 'fast-check';
import { estimateFee } from '../../../src/domain/routing/cost';
import { scoreViewOf } from '../../../src/domain/routing/scores';
import { ROUTING_MODES } from '../../../src/domain/routing/types';
import type { ChannelSettings, FeeRule, HealthState } from '../../../src/domain/routing/types';
import { calls, channel, compiled, healthOf, price, request, route } from './fixtures';

const RUNS = { numRuns: 1_000 };

const settings = fc.record({
  enabled: fc.boolean(),
  currencies: fc.constantFrom<readonly string[] | undefined>(undefined, ['USD'], ['EUR']),
  home: fc.constantFrom<Record<string, number>>({}, { US: 50 }, { US: 90 }),
  weight: fc.constantFrom(0, 100, 300),
  max: fc.constantFrom(5_000, 1_000_000),
  basisPoints: fc.constantFrom<number | undefined>(undefined, 60, 290, 349),
  cell: fc.constantFrom<readonly [number, number] | undefined>(undefined, [95, 5], [100, 0], [98, 2], [3, 3]),
  health: fc.constantFrom<HealthState>('in', 'in', 'in', 'out'),
});
type Facts = typeof settings extends fc.Arbitrary<infer T> ? T : never;

const worlds = fc.record({
  facts: fc.array(settings, { minLength: 1, maxLength: 8 }),
  mode: fc.constantFrom(...ROUTING_MODES),
  amount: fc.constantFrom(1_000, 100_000),
  hasCountry: fc.boolean(),
  number: fc.string({ minLength: 1, maxLength: 24 }),
}); // prettier-ignore

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;
type Named = readonly [string, Facts];

const named = ({ facts }: World): Named[] => facts.map((one, n) => [`channel-${n}`, one]);

function settingsOf([id, { enabled, currencies, home, weight, max }]: Named): ChannelSettings {
  const bounds = { amounts: { USD: { max } } };
  return channel(id, { enabled, home, weight, ...bounds, ...(currencies !== undefined && { currencies }) });
}

function routeWorld({ mode, amount, hasCountry, number }: World, channels: readonly Named[]) {
  const fees = channels.flatMap(([id, { basisPoints }]) => (basisPoints === undefined ? [] : [price(id, basisPoints)]));
  const rows = channels.flatMap(([id, { cell }]) => (cell === undefined ? [] : [calls(id, ...cell)]));
  const health = healthOf(Object.fromEntries(channels.map(([id, one]) => [id, one.health])));
  const country = hasCountry ? { country: { code: 'US', source: 'explicit' as const } } : {};
  const config = compiled(channels.map(settingsOf), { fees }, { mode });
  return route(config, { amount, number, ...country }, { health, scores: scoreViewOf(rows) });
} // prettier-ignore

test('a decision is among the eligible, and so is everything that failover may try', () => {
  let smart = 0;
  fc.assert(
    fc.property(worlds, (world) => {
      const { level, channel: chosen, ranked, candidates } = routeWorld(world, named(world));
      if (level !== 'smart') return;
      smart++;
      const eligible = candidates.filter((one) => one.eligible).map((one) => one.channel);
      expect(chosen).toBe(ranked[0]);
      expect([...ranked].sort()).toEqual(eligible);
    }),
    RUNS,
  );
  expect(smart).toBeGreaterThan(RUNS.numRuns / 4);
});

test('the order in which channels are configured makes no difference', () => {
  fc.assert(
    fc.property(worlds, fc.infiniteStream(fc.nat()), (world, order) => {
      const channels = named(world);
      const shuffled = channels
        .map((one) => [order.next().value, one] as const)
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one);
      expect(routeWorld(world, shuffled)).toEqual(routeWorld(world, channels));
    }),
    RUNS,
  );
});

test('taking away one that has lost never changes the winner, nor the order of the rest', () => {
  let removals = 0;
  fc.assert(
    fc.property(worlds, (world) => {
      const channels = named(world);
      const { channel: winner, ranked, level } = routeWorld(world, channels);
      // The other levels do not let candidates compete.
      if (level !== 'smart') return;
      for (const loser of channels.map(([id]) => id).filter((id) => id !== winner)) {
        const rest = routeWorld(
          world,
          channels.filter(([id]) => id !== loser),
        );
        expect([rest.channel, rest.level]).toEqual([winner, level]);
        expect(rest.ranked).toEqual(ranked.filter((id) => id !== loser));
        removals++;
      }
    }),
    RUNS,
  );
  expect(removals).toBeGreaterThan(RUNS.numRuns);
});

test('a fee never falls when the amount grows', () => {
  const place = { currency: fc.constantFrom('USD', 'EUR'), country: fc.constantFrom('FR', 'EEA') };
  const rule = fc
    .record(
      { ...place, basisPoints: fc.nat(10_000), fixedMinor: fc.nat(100) },
      { requiredKeys: ['basisPoints', 'fixedMinor'] },
    )
    .map((fields): FeeRule => ({ id: 'r', channel: 'x', ...fields }));
  const amount = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1 }), amount, amount, (fees, a, b) => {
      const [x] = compiled([channel('x')], { fees }).channels;
      const feeOf = (value: number) => x && estimateFee(x.fees, request({ amount: value, currency: 'EUR' }), undefined);
      const [less, more] = [feeOf(Math.min(a, b)), feeOf(Math.max(a, b))];
      if (less !== undefined) expect(more).toBeGreaterThanOrEqual(less);
    }),
    RUNS,
  );
}); // prettier-ignore
