import fc from 'fast-check';
import { releaseRetryDelayMs, warnAtMs, warningDue } from '../../src/domain/expiry';
import { isHeld, PRE_AUTH_STATUSES } from '../../src/domain/pre-auth';
import { CREATED_AT_MS, hold } from './holds';

const HOUR_MS = 3_600_000;
const living = (lifeMs: number) => ({ createdAtMs: CREATED_AT_MS, expiresAtMs: CREATED_AT_MS + lifeMs });
const aheadMs = (lifeMs: number) => CREATED_AT_MS + lifeMs - warnAtMs(living(lifeMs));

describe('the warning', () => {
  test.each([
    ['10 % of a day', 24 * HOUR_MS, 2.4 * HOUR_MS],
    ['10 % of 30 days', 720 * HOUR_MS, 72 * HOUR_MS],
    ['10 % of ten minutes is the least minute', 600_000, 60_000],
    ['at least a minute', 300_000, 60_000],
    ['a minute is half of two', 120_000, 60_000],
    ['but at most half of a minute', 60_000, 30_000],
    ['and half of a second', 1_000, 500],
  ])('%s', (_what, lifeMs, expected) => expect(aheadMs(lifeMs)).toBe(expected));

  test('lies within the life, and never before its middle', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 720 * HOUR_MS }), (lifeMs) => {
        const ahead = aheadMs(lifeMs);
        expect(ahead).toBeGreaterThan(0);
        expect(ahead).toBeLessThanOrEqual(lifeMs / 2 + 1);
        expect(ahead).toBeGreaterThanOrEqual(Math.min(60_000, lifeMs / 2));
      }),
    );
  });

  test('follows the deadline when the channel brings it nearer', () => {
    const capped = hold('requires_capture', { expiresAtMs: CREATED_AT_MS + HOUR_MS });
    expect(warnAtMs(capped)).toBe(CREATED_AT_MS + 0.9 * HOUR_MS);
  });

  test.each(PRE_AUTH_STATUSES)('is due for a hold that is %s only while money is held', (status) => {
    const at = hold(status);
    expect(warningDue(at, warnAtMs(at))).toBe(isHeld(status));
  });

  test('is due from its moment to the end, once', () => {
    const held = hold('requires_capture');
    expect(warningDue(held, warnAtMs(held) - 1)).toBe(false);
    expect(warningDue(held, held.expiresAtMs - 1)).toBe(true);
    expect(warningDue(held, held.expiresAtMs)).toBe(false);
    expect(warningDue({ ...held, warnedAtMs: CREATED_AT_MS }, warnAtMs(held))).toBe(false);
  });
});

test.each([
  [1, 1_000],
  [2, 2_000],
  [3, 4_000],
  [9, 256_000],
  [10, 300_000],
  [10_000, 300_000],
])('a refused release is tried again, the %i. time after %i ms', (n, delayMs) =>
  expect(releaseRetryDelayMs(n)).toBe(delayMs),
);
