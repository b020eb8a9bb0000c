import { contradictionsIn } from '../../../src/domain/limits/consistency';
import { DEFAULT_TIERS } from '../../../src/domain/limits/tiers';

const { starter } = DEFAULT_TIERS;

test.each(Object.entries(DEFAULT_TIERS))('the tier %s fits together', (_name, limits) => {
  expect(contradictionsIn(limits)).toEqual([]);
});

test.each([
  ['a bucket smaller than what comes in a second', { burst: 9 }, ['burst']],
  ['a minute that takes no full bucket', { perMinute: 19 }, ['perMinute']],
  ['an hour that takes no full minute', { perHour: 499 }, ['perHour']],
  ['a rate beyond its bucket', { perSecond: 21 }, ['burst']],
  ['a minute beyond its hour', { perMinute: 10_001 }, ['perHour']],
  [
    'all of them',
    { perSecond: 40, burst: 30, perMinute: 20, perHour: 10 },
    ['burst', 'perMinute', 'perHour'],
  ],
] as const)('%s is a contradiction', (_name, changed, names) => {
  expect(contradictionsIn({ ...starter, ...changed }).map(({ name }) => name)).toEqual(names);
});

test('equal ones, a limit that never refuses, and any concurrency are none', () => {
  const flat = { perSecond: 5, burst: 5, perMinute: 5, perHour: 5, concurrency: 1 };
  const endless = { ...starter, perMinute: 10_000_000, perHour: 10_000_000, concurrency: 10_000 };
  expect([...contradictionsIn(flat), ...contradictionsIn(endless)]).toEqual([]);
});
