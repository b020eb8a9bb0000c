/**
 * The tier limiter of a process: Redis's as a rule. When Redis is away or slow the request at hand is decided in the process,
 * with the process's share of the limit; after several such in a row all are, until probes say that Redis is back.
 */
import type { LimitAnswer } from '../../domain/limits/decision';
import type { LocalLimiter } from '../../domain/limits/local-limiter';
import { shareOf } from '../../domain/limits/tiers';
import type { TierLimits } from '../../domain/limits/tiers';
import type { Logger } from '../../observability/logger';
import type { TierLimiter } from '../../redis/tier-limiter';
import { CLOSED, nextBreaker } from './breaker';
import type { BreakerPolicy, LimiterMode } from './breaker';
import type { ProcessShare } from './process-share';
import { HEARTBEAT_MS } from './process-share';

/** How often a Redis that is away is asked whether it is back. */
const PROBE_MS = 500;

/** A place among the requests at work, until it is released or runs out. */
export interface Lease {
  readonly merchantId: string;
  readonly leaseId: string;
  readonly mode: LimiterMode;
}

export interface GuardedLimiter {
  /** Never rejects. `limits`: those it was decided with, a process's share where Redis is away. */
  acquire(
    merchantId: string,
    limits: TierLimits,
    leaseId: string,
  ): Promise<{ answer: LimitAnswer; limits: TierLimits; lease: Lease }>;
  /** Never throws and never waits: what cannot be released runs out by itself. Those of a turn of the loop travel as one. */
  release(lease: Lease): void;
  renew(lease: Lease): void;
  mode(): LimiterMode;
  start(): void;
  /** Leaves the others its share. */
  stop(): Promise<void>;
}

export interface GuardedLimiterDeps {
  readonly redis: Pick<TierLimiter, 'acquire' | 'release' | 'renew'>;
  readonly inProcess: Pick<LocalLimiter, 'acquire' | 'release' | 'renew'>;
  readonly share: ProcessShare;
  readonly policy: BreakerPolicy;
  /** One question to Redis may take as long. */
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
}

export function createGuardedLimiter(deps: GuardedLimiterDeps): GuardedLimiter {
  const { redis, inProcess, share, policy, timeoutMs, log, nowMs } = deps;
  let breaker = CLOSED;
  /** By merchant. */
  const toRelease = new Map<string, string[]>();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  function note(askedIn: LimiterMode, answered: boolean): void {
    // What was asked before the switch says nothing about what is now.
    if (askedIn !== breaker.mode) return;
    breaker = nextBreaker(breaker, answered, policy);
    if (breaker.mode === askedIn) return;
    const processes = share.count();
    if (breaker.mode === 'local') log.warn({ processes }, 'Redis does not limit now: each process does');
    else log.info({ processes }, 'Redis limits again');
    schedule();
  }

  /** The heartbeat is a write, as the limiter's script is: a Redis that answers but takes no writes is not back. */
  async function beat(): Promise<void> {
    const { mode } = breaker;
    try {
      await inTime(share.beat(), timeoutMs);
      note(mode, true);
    } catch {
      note(mode, false);
    }
  }

  function schedule(): void {
    clearTimeout(timer);
    if (isStopped) return;
    const pauseMs = breaker.mode === 'local' ? PROBE_MS : HEARTBEAT_MS;
    timer = setTimeout(() => void beat().then(schedule), pauseMs).unref();
  }

  function locally(merchantId: string, limits: TierLimits, leaseId: string) {
    const own = shareOf(limits, share.count());
    const lease = { merchantId, leaseId, mode: 'local' as const };
    return { answer: inProcess.acquire(merchantId, own, leaseId, nowMs()), limits: own, lease };
  }

  function releaseSoon(merchantId: string, leaseId: string): void {
    const waiting = toRelease.get(merchantId);
    if (waiting !== undefined) return void waiting.push(leaseId);
    if (toRelease.size === 0) setImmediate(releaseAll);
    toRelease.set(merchantId, [leaseId]);
  }

  function releaseAll(): void {
    for (const [merchantId, leaseIds] of toRelease) {
      redis.release(merchantId, ...leaseIds).catch(() => undefined);
    }
    toRelease.clear();
  }

  return {
    acquire(merchantId, limits, leaseId) {
      if (breaker.mode === 'local') return Promise.resolve(locally(merchantId, limits, leaseId));
      const asking = redis.acquire(merchantId, limits, leaseId);
      return inTime(asking, timeoutMs).then(
        (answer) => {
          note('redis', true);
          return { answer, limits, lease: { merchantId, leaseId, mode: 'redis' } };
        },
        () => {
          note('redis', false);
          // It may have taken a place all the same, or will yet.
          const giveBack = () => redis.release(merchantId, leaseId).catch(() => undefined);
          asking.then(giveBack, giveBack);
          return locally(merchantId, limits, leaseId);
        },
      );
    },
    release({ merchantId, leaseId, mode }) {
      if (mode === 'local') inProcess.release(merchantId, leaseId);
      else releaseSoon(merchantId, leaseId);
    },
    renew({ merchantId, leaseId, mode }) {
      if (mode === 'local') inProcess.renew(merchantId, leaseId, nowMs());
      else redis.renew(merchantId, leaseId).catch(() => undefined);
    },
    mode: () => breaker.mode,
    start: () => void beat().then(schedule),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      releaseAll();
      await share.leave();
    },
  };
}

const TOO_LATE = new Error('no answer in time');

/** Rejects when there is no answer in time; one that had come, but that a busy process has not read yet, is in time. */
function inTime<T>(asking: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => setImmediate(() => reject(TOO_LATE)), timeoutMs);
    asking.then(
      (answer) => {
        clearTimeout(timer);
        resolve(answer);
      },
      (error: Error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
