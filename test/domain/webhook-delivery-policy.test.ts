import {
  ATTEMPT_ERRORS,
  judgeAttempt,
  parseRetryAfter,
  retryDelayMs,
} from '../../src/domain/webhook/delivery-policy';
import type { AttemptError, AttemptVerdict } from '../../src/domain/webhook/delivery-policy';

const delivered: AttemptVerdict = { kind: 'delivered' };
const final: AttemptVerdict = { kind: 'final', disableEndpoint: false };
const retry: AttemptVerdict = { kind: 'retry', retryAfterMs: null };

function judgeStatus(statusCode: number, kind: 'explicit' | 'implicit' = 'explicit'): AttemptVerdict {
  return judgeAttempt({ statusCode, error: null, retryAfterMs: null }, kind);
}

describe('judgeAttempt: the table of status codes', () => {
  test.each<[number, number, AttemptVerdict]>([
    [200, 299, delivered],
    [300, 399, final],
    [400, 407, final],
    [408, 408, retry],
    [409, 409, final],
    [411, 428, final],
    [429, 429, retry],
    [430, 499, final],
    [500, 599, retry],
    [600, 999, final],
  ])('%i to %i', (from, to, verdict) => {
    for (let statusCode = from; statusCode <= to; statusCode += 1) {
      expect([statusCode, judgeStatus(statusCode)]).toEqual([statusCode, verdict]);
      expect([statusCode, judgeStatus(statusCode, 'implicit')]).toEqual([statusCode, verdict]);
    }
  });

  test('410 switches off an endpoint the merchant registered, and ends one notification of an origin', () => {
    expect(judgeStatus(410)).toEqual({ kind: 'final', disableEndpoint: true });
    expect(judgeStatus(410, 'implicit')).toEqual(final);
  });

  test.each([408, 429, 500, 503])('%i hands on what Retry-After asked for', (statusCode) => {
    expect(judgeAttempt({ statusCode, error: null, retryAfterMs: 7_000 }, 'explicit')).toEqual({
      kind: 'retry',
      retryAfterMs: 7_000,
    });
  });

  test('a success with Retry-After is a success', () => {
    expect(judgeAttempt({ statusCode: 202, error: null, retryAfterMs: 7_000 }, 'explicit')).toEqual(
      delivered,
    );
  });

  test.each(ATTEMPT_ERRORS.filter((error) => error !== 'REQUEST_TOO_LARGE'))('%s is retried', (error) => {
    expect(judgeAttempt({ statusCode: null, error, retryAfterMs: null }, 'explicit')).toEqual(retry);
  });

  test('a request that is too large never shrinks', () => {
    const error: AttemptError = 'REQUEST_TOO_LARGE';
    expect(judgeAttempt({ statusCode: null, error, retryAfterMs: null }, 'explicit')).toEqual(final);
  });
});

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;
const seed = { initialBackoffMs: SECOND, maxBackoffMs: HOUR, jitter: 0 };

describe('retryDelayMs', () => {
  // The description's table: attempt, pause before it, time since the first attempt.
  test.each([
    [2, SECOND, SECOND],
    [3, 2 * SECOND, 3 * SECOND],
    [4, 4 * SECOND, 7 * SECOND],
    [5, 8 * SECOND, 15 * SECOND],
    [6, 16 * SECOND, 31 * SECOND],
    [7, 32 * SECOND, MINUTE + 3 * SECOND],
    [8, MINUTE, 2 * MINUTE + 3 * SECOND],
    [9, 2 * MINUTE, 4 * MINUTE + 3 * SECOND],
    [10, 5 * MINUTE, 9 * MINUTE + 3 * SECOND],
    [11, 10 * MINUTE, 19 * MINUTE + 3 * SECOND],
    [12, 30 * MINUTE, 49 * MINUTE + 3 * SECOND],
    [13, HOUR, HOUR + 49 * MINUTE + 3 * SECOND],
    [14, HOUR, 2 * HOUR + 49 * MINUTE + 3 * SECOND],
    [41, HOUR, 29 * HOUR + 49 * MINUTE + 3 * SECOND],
  ])('before attempt %i', (attempt, pauseMs, sinceFirstMs) => {
    expect(retryDelayMs(attempt - 1, seed, null, 0.999)).toBe(pauseMs);
    let sumMs = 0;
    for (let made = 1; made < attempt; made += 1) sumMs += retryDelayMs(made, seed, null, 0);
    expect(sumMs).toBe(sinceFirstMs);
  });

  test('the ladder is multiplied, and each rung is capped', () => {
    const settings = { initialBackoffMs: 3 * SECOND, maxBackoffMs: 90 * SECOND, jitter: 0 };
    const pauses = [1, 2, 3, 4, 5, 6, 7, 40].map((made) => retryDelayMs(made, settings, null, 0) / SECOND);
    expect(pauses).toEqual([3, 6, 12, 24, 48, 90, 90, 90]);
    expect(retryDelayMs(1, { ...settings, initialBackoffMs: 50 }, null, 0)).toBe(50);
  });

  test('jitter moves a pause by its share to both sides, and never above the cap', () => {
    const settings = { ...seed, jitter: 0.2 };
    expect(retryDelayMs(4, settings, null, 0)).toBe(6_400);
    expect(retryDelayMs(4, settings, null, 0.5)).toBe(8_000);
    expect(retryDelayMs(4, settings, null, 0.75)).toBe(8_800);
    expect(retryDelayMs(12, settings, null, 0)).toBe(0.8 * HOUR);
    expect(retryDelayMs(12, settings, null, 0.9)).toBe(HOUR);
    expect(retryDelayMs(1, { ...seed, jitter: 1 }, null, 0)).toBe(0);
  });

  test('Retry-After counts when it is longer than the rung, up to the cap', () => {
    expect(retryDelayMs(4, seed, 7_999, 0)).toBe(8_000);
    expect(retryDelayMs(4, seed, 8_001, 0)).toBe(8_001);
    expect(retryDelayMs(4, seed, 0, 0)).toBe(8_000);
    expect(retryDelayMs(4, seed, 365 * 24 * HOUR, 0)).toBe(HOUR);
    // Chance does not make it shorter.
    expect(retryDelayMs(4, { ...seed, jitter: 0.5 }, 10_000, 0)).toBe(10_000);
    expect(retryDelayMs(4, { ...seed, jitter: 0.5 }, 10_000, 0.999)).toBe(11_992);
  });
});

describe('parseRetryAfter', () => {
  const nowMs = Date.UTC(2026, 10, 23, 12, 0, 0, 250);
  const YEAR_MS = 365 * 24 * HOUR;

  test.each<[string, number | null]>([
    ['0', 0],
    ['120', 120_000],
    [' 120 ', 120_000],
    ['99999999999999999999999999', YEAR_MS],
    ['9'.repeat(400), YEAR_MS],
    ['Mon, 23 Nov 2026 12:01:00 GMT', 59_750],
    ['Monday, 23-Nov-26 12:01:00 GMT', 59_750],
    ['Mon Nov 23 12:01:00 2026', 59_750],
    ['Tue Dec  1 12:00:00 2026', 8 * 24 * HOUR - 250],
    ['Mon, 23 Nov 2026 11:59:59 GMT', 0],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['Fri, 31 Dec 9999 23:59:59 GMT', YEAR_MS],
  ])('%j', (header, expectedMs) => expect(parseRetryAfter(header, nowMs)).toBe(expectedMs));

  test.each([
    ...['', ' ', '-5', '+5', '1.5', '1e3', '0x10', 'soon', '5 seconds', '120, 240', 'NaN', 'Infinity', '٣'],
    ...['2026-11-23T12:01:00Z', 'Mon, 23 Nov 2026 12:01:00 +0100', 'Mon, 23 Nov 2026 12:01 GMT'],
    ...['Mon, 31 Feb 2027 12:00:00 GMT', 'Mon, 00 Nov 2026 12:00:00 GMT', 'Mon, 23 Foo 2026 12:00:00 GMT'],
    ...['Mon, 23 Nov 2026 24:00:00 GMT', 'Mon, 23 Nov 2026 12:60:00 GMT', '12 o\u0000clock'],
  ])('%j is garbage', (header) => expect(parseRetryAfter(header, nowMs)).toBeNull());

  test('no header', () => {
    expect(parseRetryAfter(null, nowMs)).toBeNull();
    expect(parseRetryAfter(undefined, nowMs)).toBeNull();
  });

  test('a year of two digits is at most 50 years ahead', () => {
    expect(parseRetryAfter('Wednesday, 23-Nov-76 12:00:00 GMT', nowMs)).toBe(YEAR_MS);
    expect(parseRetryAfter('Wednesday, 23-Nov-77 12:00:00 GMT', nowMs)).toBe(0);
  });
});
