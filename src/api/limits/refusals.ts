/** What is told to those who are not let in. */
import { refuse } from '../../domain/errors';
import type { LimitWindow } from '../../domain/limits/decision';
import type { TierLimits } from '../../domain/limits/tiers';
import { RefusalWithHeaders } from '../errors';

const OVERLOADED_RETRY_SECONDS = '1';

const SIZE = {
  second: 'perSecond',
  minute: 'perMinute',
  hour: 'perHour',
  concurrent: 'concurrency',
} as const satisfies Record<LimitWindow, keyof TierLimits>;

/** A 429 because of the merchant's tier, which is named at the top of the answer. Its headers are those of every answer. */
export class TierLimitReached extends RefusalWithHeaders {
  constructor(
    window: LimitWindow,
    limits: TierLimits,
    readonly tier: string,
  ) {
    super(refuse('RATE_LIMIT_EXCEEDED', { window, limit: limits[SIZE[window]] }), {});
  }
}

/** @param blockedMs for how long the address is refused. @param limit requests in a minute */
export function addressRefusal(blockedMs: number, limit: number): RefusalWithHeaders {
  const details = { window: 'minute', limit, scope: 'address' };
  const seconds = Math.max(1, Math.ceil(blockedMs / 1000));
  return new RefusalWithHeaders(refuse('RATE_LIMIT_EXCEEDED', details), { 'Retry-After': String(seconds) });
}

export function overloaded(): RefusalWithHeaders {
  return new RefusalWithHeaders(refuse('OVERLOADED'), { 'Retry-After': OVERLOADED_RETRY_SECONDS });
}
