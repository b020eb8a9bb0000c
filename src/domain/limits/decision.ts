/** The answer to "may this request go on", and the headers that tell the merchant. Pure. */
import { bucketLeft, bucketWaitUs, REQUEST_UNITS } from './gcra';
import { isNear } from './sliding-window';
import type { TierLimits } from './tiers';

/** `second` is the bucket (refilled per second, `burst` deep), `concurrent` the requests at work. */
export type LimitWindow = 'second' | 'minute' | 'hour' | 'concurrent';
export type CountedWindow = 'minute' | 'hour';

export interface LimitAnswer {
  readonly allowed: boolean;
  /** Of several that refuse, the one that does so for longest. */
  readonly refusedBy?: LimitWindow;
  /** Requests per second. */
  readonly limit: number;
  /** The check that has the least left, whether it refuses or not. */
  readonly tightest: LimitWindow;
  /** What the tightest check would let through now; 0 when refused. */
  readonly remaining: number;
  /** When the tightest check has more left than now, Unix milliseconds. */
  readonly resetAtMs: number;
  /** 0 when allowed. */
  readonly retryAfterMs: number;
  /** Windows of which 80 % are used as of this request, each told once within its length. */
  readonly warnings: readonly CountedWindow[];
  /** At least 80 % of the minute's or of the hour's limit are used. */
  readonly nearLimit: boolean;
  /** By the clock that decided. */
  readonly nowMs: number;
}

/** What was found when a request was looked at: the numbers as they are after it, this request included when it is allowed. */
export interface LimitFacts {
  readonly allowed: boolean;
  readonly nowUs: number;
  /** Of the bucket, in REQUEST_UNITS. */
  readonly level: number;
  readonly minute: number;
  readonly hour: number;
  /** Leases. */
  readonly concurrent: number;
  /** Until the window has more left than now; only looked at where it is the tightest or refuses. */
  readonly minuteWaitUs: number;
  readonly hourWaitUs: number;
  readonly warnings: readonly CountedWindow[];
}

/** Nobody knows when a request at work ends. */
const CONCURRENT_WAIT_US = 1_000_000;

/** What a merchant is told of it. */
export function answerOf(limits: TierLimits, facts: LimitFacts): LimitAnswer {
  const { allowed, level, minute, hour } = facts;
  // The longest window first: of two that have as much left it is the one to mind.
  const checks = [
    { window: 'hour', left: limits.perHour - hour, waitUs: facts.hourWaitUs },
    { window: 'minute', left: limits.perMinute - minute, waitUs: facts.minuteWaitUs },
    { window: 'second', left: bucketLeft(level, limits.burst), waitUs: bucketWaitUs(level, limits) },
    { window: 'concurrent', left: limits.concurrency - facts.concurrent, waitUs: CONCURRENT_WAIT_US },
  ] as const;
  let tightest: (typeof checks)[number] = checks[0];
  for (const check of checks) {
    const isTighter = allowed
      ? check.left < tightest.left
      : check.left <= 0 && (tightest.left > 0 || check.waitUs > tightest.waitUs);
    if (isTighter) tightest = check;
  }
  const nowMs = Math.floor(facts.nowUs / 1000);
  const waitMs = Math.ceil(tightest.waitUs / 1000);
  return {
    allowed,
    ...(allowed ? {} : { refusedBy: tightest.window }),
    limit: limits.perSecond,
    tightest: tightest.window,
    remaining: Math.max(0, tightest.left),
    resetAtMs: nowMs + waitMs,
    retryAfterMs: allowed ? 0 : waitMs,
    warnings: facts.warnings,
    nearLimit: isNear(minute, limits.perMinute) || isNear(hour, limits.perHour),
    nowMs,
  };
}

/** What a merchant has used; `second` is of the bucket. Used may be above a limit that was lowered. */
export type LimitUsage = Readonly<Record<LimitWindow, { readonly used: number; readonly limit: number }>>;

/** @param level of the bucket, in REQUEST_UNITS */
export function usageOf(
  limits: TierLimits,
  level: number,
  counts: Pick<LimitFacts, 'minute' | 'hour' | 'concurrent'>,
): LimitUsage {
  return {
    second: { used: Math.ceil(level / REQUEST_UNITS), limit: limits.burst },
    minute: { used: counts.minute, limit: limits.perMinute },
    hour: { used: counts.hour, limit: limits.perHour },
    concurrent: { used: counts.concurrent, limit: limits.concurrency },
  };
}

export type LimitHeaders = Readonly<Record<string, string>>;

const NEAR_LIMIT = 'at least 80% of the minute or hour limit is used';

const secondsUntil = (atMs: number, nowMs: number) => Math.max(1, Math.ceil((atMs - nowMs) / 1000));

/**
 * The IETF's `RateLimit-Policy`: the quota of each check and its window in seconds. That of the bucket is the time in which it
 * fills; concurrency has none.
 */
export function policyHeader({ perSecond, perMinute, perHour, burst, concurrency }: TierLimits): string {
  return [
    `"second";q=${burst};w=${Math.ceil(burst / perSecond)}`,
    `"minute";q=${perMinute};w=60`,
    `"hour";q=${perHour};w=3600`,
    `"concurrent";q=${concurrency};qu="concurrent-requests"`,
  ].join(', ');
}

/**
 * All headers of an answer: `X-RateLimit-*`, `RateLimit`, `RateLimit-Policy`, and when refused `Retry-After` (seconds).
 * @param limits those that the answer was found with
 */
export function limitHeaders(answer: LimitAnswer, tier: string, limits: TierLimits): LimitHeaders {
  const { tightest, remaining, resetAtMs, nowMs } = answer;
  return {
    'X-RateLimit-Limit': String(answer.limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(Math.ceil(resetAtMs / 1000)),
    'X-RateLimit-Tier': tier,
    RateLimit: `"${tightest}";r=${remaining};t=${secondsUntil(resetAtMs, nowMs)}`,
    'RateLimit-Policy': policyHeader(limits),
    ...(answer.nearLimit ? { 'X-RateLimit-Warning': NEAR_LIMIT } : {}),
    ...(answer.allowed ? {} : { 'Retry-After': String(retryAfterSeconds(answer)) }),
  };
}

/** Whole seconds, at least 1. */
export function retryAfterSeconds({ retryAfterMs }: Pick<LimitAnswer, 'retryAfterMs'>): number {
  return Math.max(1, Math.ceil(retryAfterMs / 1000));
}
