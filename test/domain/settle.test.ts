import fc from 'fast-check';
import { isBeyondHorizon, mayReplay, provesNotExecuted, settleDelayMs } from '../../src/domain/settle';
import type { CallEvidence } from '../../src/domain/settle';

const SECOND = 1_000;
const HOUR = 3_600_000;
const LIMITS = { horizonMs: 23 * HOUR, proofGapMs: 60 * SECOND, proofAfterSendMs: 120 * SECOND };
const evidence = (fields: Partial<CallEvidence> = {}): CallEvidence => ({
  createdAtMs: 0,
  lastSentAtMs: 0,
  storedError: false,
  firstAbsentAtMs: null,
  attempts: 1,
  ...fields,
});

/** Product, section 2, told as one call's story: what may be done at each moment. */
describe('the order over time', () => {
  test.each([
    ['a first time-out: replay', evidence(), 1 * SECOND, 'replay'],
    ['hours later: still replay', evidence({ lastSentAtMs: 22 * HOUR }), 22 * HOUR, 'replay'],
    ['the last millisecond', evidence(), 23 * HOUR - 1, 'replay'],
    ['the horizon: reads only', evidence(), 23 * HOUR, 'ask an operator'],
    ['a stored error: read', evidence({ storedError: true }), 10 * SECOND, 'read'],
    ['absent once', evidence({ storedError: true, firstAbsentAtMs: 10 * SECOND }), 11 * SECOND, 'read'],
    ['a gap too short', evidence({ storedError: true, firstAbsentAtMs: 100 * SECOND }), 160 * SECOND - 1, 'read'],
    ['too soon after the send', evidence({ storedError: true, firstAbsentAtMs: 10 * SECOND }), 120 * SECOND - 1, 'read'],
    ['absent twice, far apart, late enough', evidence({ storedError: true, firstAbsentAtMs: 10 * SECOND }), 120 * SECOND, 'next key'],
    ['the same, sent again meanwhile', evidence({ storedError: true, firstAbsentAtMs: 10 * SECOND, lastSentAtMs: 30 * SECOND }), 120 * SECOND, 'read'],
    ['absent, but no stored error', evidence({ firstAbsentAtMs: 10 * SECOND }), 10 * HOUR, 'replay'],
    ['everything proved, but beyond the horizon', evidence({ storedError: true, firstAbsentAtMs: 10 * SECOND }), 23 * HOUR, 'ask an operator'],
  ])('%s', (_what, known, nowMs, expected) => {
    const may = mayReplay(known, LIMITS, nowMs);
    const proved = provesNotExecuted(known, LIMITS, nowMs);
    const step = may ? 'replay' : proved ? 'next key' : isBeyondHorizon(known, LIMITS, nowMs) ? 'ask an operator' : 'read';
    expect(step).toBe(expected);
  }); // prettier-ignore
});

const anyEvidence: fc.Arbitrary<CallEvidence> = fc.record({
  createdAtMs: fc.constant(0),
  lastSentAtMs: fc.integer({ min: 0, max: 30 * HOUR }),
  storedError: fc.boolean(),
  firstAbsentAtMs: fc.option(fc.integer({ min: 0, max: 30 * HOUR })),
  attempts: fc.nat(10_000),
});
const anyTime = fc.integer({ min: 0, max: 40 * HOUR });

describe('whatever is known', () => {
  test('nothing is replayed at or beyond the horizon, nor after a stored error', () => {
    fc.assert(
      fc.property(anyEvidence, anyTime, (known, nowMs) => {
        if (!mayReplay(known, LIMITS, nowMs)) return;
        expect(nowMs - known.createdAtMs).toBeLessThan(LIMITS.horizonMs);
        expect(known.storedError).toBe(false);
      }),
    );
  });

  test('no execution is disproved without a stored error and two reads, far apart and late enough', () => {
    // Reads lie around the limits more often than chance would have it, so that both sides are met.
    const near = fc.record({
      firstAbsentAtMs: fc.option(fc.integer({ min: 0, max: 200 * SECOND })),
      lastSentAtMs: fc.integer({ min: 0, max: 200 * SECOND }),
      nowMs: fc.integer({ min: 0, max: 400 * SECOND }),
      storedError: fc.boolean(),
    });
    fc.assert(
      fc.property(near, ({ nowMs, ...fields }) => {
        const known = evidence(fields);
        const proved =
          known.storedError &&
          known.firstAbsentAtMs !== null &&
          nowMs >= known.firstAbsentAtMs + 60 * SECOND &&
          nowMs >= known.lastSentAtMs + 120 * SECOND;
        expect(provesNotExecuted(known, LIMITS, nowMs)).toBe(proved);
      }),
      { numRuns: 1_000 },
    );
  });

  test('replaying and disproving exclude each other', () => {
    fc.assert(
      fc.property(anyEvidence, anyTime, (known, nowMs) => {
        expect(mayReplay(known, LIMITS, nowMs) && provesNotExecuted(known, LIMITS, nowMs)).toBe(false);
      }),
    );
  });

  test('the pause is never nothing and never endless', () => {
    fc.assert(
      fc.property(anyEvidence, anyTime, (known, nowMs) => {
        fc.pre(known.lastSentAtMs <= nowMs && (known.firstAbsentAtMs ?? 0) <= nowMs);
        const delayMs = settleDelayMs(known, LIMITS, nowMs);
        expect(delayMs).toBeGreaterThanOrEqual(500);
        expect(delayMs).toBeLessThanOrEqual(HOUR);
      }),
    );
  });
});

describe('settleDelayMs', () => {
  test.each([
    [0, 500],
    [1, 1_000],
    [5, 16_000],
    [10, 300_000],
    [5_000, 300_000],
  ])('doubles with the attempts: %i', (attempts, delayMs) =>
    expect(settleDelayMs(evidence({ attempts }), LIMITS, 0)).toBe(delayMs),
  );

  test('waits for exactly the moment at which a read proves something', () => {
    const known = evidence({ storedError: true, firstAbsentAtMs: 100 * SECOND, lastSentAtMs: 5 * SECOND });
    const nowMs = 101 * SECOND;
    const thenMs = nowMs + settleDelayMs(known, LIMITS, nowMs);
    expect(thenMs).toBe(160 * SECOND);
    expect(provesNotExecuted(known, LIMITS, thenMs)).toBe(true);
  });

  test('asks once an hour beyond the horizon', () => {
    expect(settleDelayMs(evidence(), LIMITS, 23 * HOUR)).toBe(HOUR);
  });
});
