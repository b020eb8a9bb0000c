import { answerOf, limitHeaders, policyHeader } from '../../../src/domain/limits/decision';
import type { LimitFacts } from '../../../src/domain/limits/decision';
import { REQUEST_UNITS } from '../../../src/domain/limits/gcra';
import { DEFAULT_TIERS } from '../../../src/domain/limits/tiers';

const NOW_MS = 1_795_000_000_000;
const STARTER = DEFAULT_TIERS.starter;

const answer = (facts: Partial<LimitFacts>) =>
  answerOf(STARTER, {
    ...{ allowed: true, nowUs: NOW_MS * 1000 + 999, level: REQUEST_UNITS, minute: 1, hour: 1, concurrent: 1 },
    ...{ minuteWaitUs: 0, hourWaitUs: 0, warnings: [] },
    ...facts,
  });

describe('the tightest check', () => {
  test('is the one with the least left', () => {
    expect(answer({})).toMatchObject({ tightest: 'concurrent', remaining: 9, resetAtMs: NOW_MS + 1_000 });
    expect(answer({ level: 12 * REQUEST_UNITS })).toMatchObject({
      ...{ tightest: 'second', remaining: 8, resetAtMs: NOW_MS + 100, retryAfterMs: 0, nowMs: NOW_MS },
    });
    expect(answer({ minute: 496, minuteWaitUs: 7_000_001 })).toMatchObject({
      ...{ tightest: 'minute', remaining: 4, resetAtMs: NOW_MS + 7_001, nearLimit: true },
    });
  });

  test('of two that have as much left is that of the longer window', () => {
    expect(answer({ minute: 497, hour: 9_997 }).tightest).toBe('hour');
  });

  test('that refuses is the one to wait for longest, though another has less', () => {
    const both = { allowed: false, level: 20 * REQUEST_UNITS, hour: 10_000, hourWaitUs: 55_000_000 };
    expect(answer(both)).toMatchObject({
      ...{ allowed: false, refusedBy: 'hour', tightest: 'hour', remaining: 0, retryAfterMs: 55_000 },
    });
    expect(answer({ allowed: false, level: 20 * REQUEST_UNITS })).toMatchObject({ refusedBy: 'second' });
    expect(answer({ allowed: false, level: 19.2 * REQUEST_UNITS }).retryAfterMs).toBe(20);
  });

  test('may have used more than a limit that was lowered', () => {
    const lowered = answer({ allowed: false, minute: 800, minuteWaitUs: 20_000_000 });
    expect(lowered).toMatchObject({ refusedBy: 'minute', remaining: 0 });
  });
});

describe('headers', () => {
  test('of a request that goes on', () => {
    expect(limitHeaders(answer({ level: 12 * REQUEST_UNITS }), 'starter', STARTER)).toEqual({
      'X-RateLimit-Limit': '10',
      'X-RateLimit-Remaining': '8',
      'X-RateLimit-Reset': String(NOW_MS / 1000 + 1),
      'X-RateLimit-Tier': 'starter',
      RateLimit: '"second";r=8;t=1',
      'RateLimit-Policy':
        '"second";q=20;w=2, "minute";q=500;w=60, "hour";q=10000;w=3600, "concurrent";q=10;qu="concurrent-requests"',
    });
  });

  test('of one that is refused', () => {
    const refused = answer({ allowed: false, minute: 500, minuteWaitUs: 30_200_000 });
    expect(limitHeaders(refused, 'starter', STARTER)).toMatchObject({
      'X-RateLimit-Remaining': '0',
      'X-RateLimit-Reset': String(NOW_MS / 1000 + 31),
      'X-RateLimit-Warning': 'at least 80% of the minute or hour limit is used',
      RateLimit: '"minute";r=0;t=31',
      'Retry-After': '31',
    });
  });

  test('the window of a bucket that fills within a second is a second', () => {
    expect(policyHeader({ ...STARTER, perSecond: 100, burst: 20 })).toContain('"second";q=20;w=1,');
  });
});
