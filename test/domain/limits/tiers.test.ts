import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import {
  DEFAULT_TIERS,
  LIMIT_NAMES,
  MAX_LIMIT,
  mergeOverrides,
  scaled,
  shareOf,
  TIER_NAMES,
} from '../../../src/domain/limits/tiers';

test('every tier allows more than the one before', () => {
  const tiers = TIER_NAMES.map((name) => DEFAULT_TIERS[name]);
  for (const limit of LIMIT_NAMES) {
    const numbers = tiers.map((tier) => tier[limit]);
    expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
    expect(new Set(numbers).size).toBe(numbers.length);
  }
});

test('scaled and shared limits are whole, never 0, and all shares together are at most one each too many', () => {
  const limits = fc.record({
    perSecond: fc.integer({ min: 1, max: MAX_LIMIT }),
    perMinute: fc.integer({ min: 1, max: MAX_LIMIT }),
    perHour: fc.integer({ min: 1, max: MAX_LIMIT }),
    burst: fc.integer({ min: 1, max: MAX_LIMIT }),
    concurrency: fc.integer({ min: 1, max: MAX_LIMIT }),
  });
  const percent = fc.integer({ min: 1, max: 100 });
  const processes = fc.integer({ min: 1, max: 200 });
  fc.assert(
    fc.property(limits, percent, processes, (given, part, count) => {
      const [less, share] = [scaled(given, part), shareOf(given, count)];
      for (const name of LIMIT_NAMES) {
        expect(less[name]).toBe(Math.max(1, Math.floor((given[name] * part) / 100)));
        expect(share[name] * count).toBeGreaterThanOrEqual(given[name]);
        expect(share[name] * count).toBeLessThan(given[name] + count);
      }
    }),
  );
  expect(scaled(DEFAULT_TIERS.starter, 100)).toEqual(DEFAULT_TIERS.starter);
  expect(shareOf(DEFAULT_TIERS.starter, 1)).toEqual(DEFAULT_TIERS.starter);
});

test('an override takes the place of one number', () => {
  const limits = DEFAULT_TIERS.business;
  expect(mergeOverrides(limits, {})).toEqual(limits);
  expect(mergeOverrides(limits, { burst: 7, perHour: null })).toEqual({ ...limits, burst: 7 });
});

describe('the guide', () => {
  const text = readFileSync(join(__dirname, '../../../docs/tiers.md'), 'utf8');
  const row = (...cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en').replaceAll(',', ' ') : cell)).join(' | ')} |`;

  test.each(TIER_NAMES)(
    '%s: tells its numbers, and how far they can be exceeded around the switch',
    (name) => {
      const { perSecond, burst, perMinute, perHour, concurrency } = DEFAULT_TIERS[name];
      expect(text).toContain(row(name, perSecond, burst, perMinute, perHour, concurrency));
      const processes = 4;
      const share = shareOf(DEFAULT_TIERS[name], processes);
      const most = (limit: 'burst' | 'perMinute' | 'perHour' | 'concurrency') =>
        DEFAULT_TIERS[name][limit] + processes * share[limit];
      expect(text).toContain(
        row(name, most('burst'), most('perMinute'), most('perHour'), most('concurrency')),
      );
    },
  );
});
