/**
 * How an unknown outcome is settled: a pure policy over what is known of one channel call. The order is fixed:
 * replay the same key within the channel's horizon; read the object; a new key only when reads have proved that the
 * old one was not executed; beyond the horizon reads only, and an operator is asked.
 */

/** What is known of an open call. All times in Unix milliseconds. */
export interface CallEvidence {
  readonly createdAtMs: number;
  /** The last time the key was sent. */
  readonly lastSentAtMs: number;
  /** The channel replayed a stored error for the key: repeating it will never answer anything else. */
  readonly storedError: boolean;
  /** The first read, made after a stored error was known, that showed nothing was executed; null = none yet. */
  readonly firstAbsentAtMs: number | null;
  /** Attempts to settle it so far. */
  readonly attempts: number;
}

export interface SettleLimits {
  /** Within this time of its creation a key may be replayed. */
  readonly horizonMs: number;
  /** Two reads that show nothing must be this far apart... */
  readonly proofGapMs: number;
  /** ...and the second one this long after the last send. */
  readonly proofAfterSendMs: number;
}

/** Whether the key may be sent (again) now. A stored error makes it pointless, the horizon makes it dangerous. */
export function mayReplay(evidence: CallEvidence, limits: SettleLimits, nowMs: number): boolean {
  return !evidence.storedError && nowMs - evidence.createdAtMs < limits.horizonMs;
}

/** Whether a read made now, showing nothing executed, proves that the key was not executed. */
export function provesNotExecuted(evidence: CallEvidence, limits: SettleLimits, nowMs: number): boolean {
  return (
    evidence.storedError &&
    evidence.firstAbsentAtMs !== null &&
    nowMs - evidence.firstAbsentAtMs >= limits.proofGapMs &&
    nowMs - evidence.lastSentAtMs >= limits.proofAfterSendMs &&
    nowMs - evidence.createdAtMs < limits.horizonMs
  );
}

export function isBeyondHorizon(evidence: CallEvidence, limits: SettleLimits, nowMs: number): boolean {
  return nowMs - evidence.createdAtMs >= limits.horizonMs;
}

const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 5 * 60_000;
const BEYOND_HORIZON_MS = 3_600_000;

/** Pause before the next attempt to settle. */
export function settleDelayMs(evidence: CallEvidence, limits: SettleLimits, nowMs: number): number {
  if (isBeyondHorizon(evidence, limits, nowMs)) return BEYOND_HORIZON_MS;
  if (evidence.storedError) {
    const gapEnd = (evidence.firstAbsentAtMs ?? nowMs) + limits.proofGapMs;
    const sendEnd = evidence.lastSentAtMs + limits.proofAfterSendMs;
    return Math.max(Math.max(gapEnd, sendEnd) - nowMs, RETRY_FIRST_MS);
  }
  return Math.min(RETRY_FIRST_MS * 2 ** Math.min(evidence.attempts, 20), RETRY_MAX_MS);
}
