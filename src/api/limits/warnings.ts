/** Tells merchants by webhook that they have used 80 % of a window. Written to the outbox one after another, off the path. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CountedWindow } from '../../domain/limits/decision';
import type { TierLimits } from '../../domain/limits/tiers';
import type { Logger } from '../../observability/logger';
import type { Database } from '../../stores/postgres';
import { appendRateLimitWarning } from '../../stores/rate-limit-warnings';

/** A merchant has at most one a minute: beyond this many, something else is wrong. */
const MAX_WAITING = 1_000;
const TRIES = 3;
const PAUSE_MS = 1_000;
const SETTLE_LIMIT_MS = 5_000;

export interface Warning {
  readonly merchantId: string;
  readonly tier: string;
  readonly window: CountedWindow;
  readonly limits: TierLimits;
  readonly atMs: number;
}

export interface WarningWriter {
  /** Never throws and never waits. */
  add(warning: Warning): void;
  /** Waits until what was added is written or given up, but not for long: a database that is away must not hold up the end. */
  settle(): Promise<void>;
}

export interface WarningDeps {
  readonly db: Database;
  readonly log: Logger;
  readonly ringOutbox: () => void;
  /** Retries for endpoints that set none of their own. */
  readonly defaultMaxRetries: number;
}

export function createWarningWriter({ db, log, ringOutbox, defaultMaxRetries }: WarningDeps): WarningWriter {
  let waiting = 0;
  let tail: Promise<void> = Promise.resolve();

  async function write(warning: Warning): Promise<void> {
    for (let tried = 1; ; tried += 1) {
      try {
        const told = await appendRateLimitWarning(db, eventOf(warning), defaultMaxRetries);
        if (told.length > 0) ringOutbox();
        return;
      } catch (error) {
        if (tried === TRIES) {
          log.warn({ err: error, merchant_id: warning.merchantId }, 'a rate limit warning was not written');
          return;
        }
        await sleep(PAUSE_MS);
      }
    }
  }

  return {
    add(warning) {
      if (waiting >= MAX_WAITING) return;
      waiting += 1;
      tail = tail.then(() => write(warning)).finally(() => void (waiting -= 1));
    },
    settle: () => Promise.race([tail, sleep(SETTLE_LIMIT_MS, undefined, { ref: false })]),
  };
}

const WINDOW_SECONDS = { minute: 60, hour: 3_600 } as const;

function eventOf({ merchantId, tier, window, limits, atMs }: Warning) {
  const limit = window === 'minute' ? limits.perMinute : limits.perHour;
  return { merchantId, tier, window, windowSeconds: WINDOW_SECONDS[window], limit, at: new Date(atMs) };
}
