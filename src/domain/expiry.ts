/** When a hold ends, and when its merchant is warned. Pure arithmetic over milliseconds. */
import { isHeld } from './pre-auth';
import type { Hold } from './pre-auth';

export const DEFAULT_EXPIRES_IN_SECONDS = 24 * 3600;
export const MAX_EXPIRES_IN_SECONDS = 30 * 24 * 3600;

/** The warning comes 10 % of the hold's life before its end, at least a minute, at most half of its life. */
export function warnAtMs(hold: Pick<Hold, 'createdAtMs' | 'expiresAtMs'>): number {
  const lifeMs = hold.expiresAtMs - hold.createdAtMs;
  const aheadMs = Math.min(Math.max(lifeMs * 0.1, 60_000), lifeMs / 2);
  return Math.floor(hold.expiresAtMs - aheadMs);
}

/** True when the warning is due: only while money is held, once, and not after the end. */
export function warningDue(hold: Hold, nowMs: number): boolean {
  return (
    isHeld(hold.status) && hold.warnedAtMs === null && nowMs >= warnAtMs(hold) && nowMs < hold.expiresAtMs
  );
}

const RELEASE_RETRY_FIRST_MS = 1_000;
const RELEASE_RETRY_MAX_MS = 5 * 60_000;

/** Pause before the n-th repeat of a refused release (n from 1): doubling from a second up to five minutes. */
export function releaseRetryDelayMs(n: number): number {
  return Math.min(RELEASE_RETRY_FIRST_MS * 2 ** Math.min(n - 1, 20), RELEASE_RETRY_MAX_MS);
}
