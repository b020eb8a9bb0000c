/** The gate's rules, row by row. */
import { mustDisable, mustGate, sharesOf } from '../../src/domain/webhook/gate';

const NOW = 1_000_000;
const WINDOW = 10_000;

describe('an endpoint is gated', () => {
  test.each([
    ['20 failures and never a success', 20, null, true],
    ['20 failures, the last success just outside the window', 20, NOW - WINDOW, true],
    ['20 failures, a success within the window', 20, NOW - WINDOW + 1, false],
    ['19 failures, however old the last success', 19, null, false],
    ['no failure', 0, null, false],
  ])('%s: %#', (_what, failuresInRow, lastSuccessAtMs, expected) => {
    const health = { failuresInRow, failingSinceMs: 0, lastSuccessAtMs };
    expect(mustGate(health, WINDOW, NOW)).toBe(expected);
  });
});

describe('an endpoint is switched off', () => {
  const DAYS_5 = 5 * 86_400_000;
  test.each([
    ['5 days and 10 failures', 10, 0, DAYS_5, true],
    ['5 days and 9 failures', 9, 0, DAYS_5, false],
    ['a millisecond less than 5 days', 1_000, 1, DAYS_5, false],
    ['the last attempt was a success', 0, null, DAYS_5, false],
  ])('%s', (_what, failuresInRow, failingSinceMs, nowMs, expected) => {
    const health = { failuresInRow, failingSinceMs, lastSuccessAtMs: null };
    expect(mustDisable(health, DAYS_5, nowMs)).toBe(expected);
  });
});

test.each([
  [10, 8, 2],
  [100, 80, 20],
  [4, 3, 1],
  [2, 1, 1],
  [1, 1, 0],
])('of %i places %i serve the never tried first and %i the tried', (limit, fresh, tried) => {
  expect(sharesOf(limit)).toEqual({ fresh, tried });
});
