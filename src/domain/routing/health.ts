/**
 * When a channel is taken out of service, and when it comes back. Pure: the clock is an argument, and what was observed is
 * handed in as a window, which one process may have counted alone or several together. A process merges what is shared by all
 * (written in batches) with what it has seen since and not yet written (`mergeWindows`), and asks `nextHealth`.
 *
 * Declines are no faults: a decline is an answer and ends a row of faults, but it enters no rate.
 */

/** What was observed in one slice of time, by whomever. */
export interface HealthBucket {
  /** Start of the slice, Unix milliseconds. */
  readonly atMs: number;
  readonly successes: number;
  /** Calls that the channel failed: no answer, 5xx, an answer nobody understands. */
  readonly faults: number;
  readonly declines: number;
  /** Sum over all answered calls (successes and declines). */
  readonly latencySumMs: number;
}

export interface HealthWindow {
  /** The newest first, at most `HEALTH_BUCKETS`. */
  readonly buckets: readonly HealthBucket[];
  /** Faults since the last answer, however long ago the first was. */
  readonly faultsInRow: number;
  /** Answers since the last fault. */
  readonly answersInRow: number;
}

export const BUCKET_MS = 1_000;
export const HEALTH_BUCKETS = 30;

export interface HealthLimits {
  /** So many faults without an answer between them put a channel out, whatever went well before. */
  readonly faultsInRow: number;
  /** The share of faults among the latest calls that puts it out, 0 to 1. */
  readonly faultShare: number;
  /** The mean of the latest answers that puts it out. */
  readonly latencyMs: number;
  /** How many calls at least are the latest: fewer are judged by faultsInRow alone. */
  readonly minSamples: number;
  /** Older buckets say nothing about now. */
  readonly windowMs: number;
  /** One request in so long tries a channel that is out, whichever process has it. */
  readonly probeIntervalMs: number;
  /** And one in so many requests that it might have taken, when that is sooner: 100 is 1 %. */
  readonly probeEvery: number;
  /** So many answers in a row bring it back. */
  readonly answersToReturn: number;
}

/** Half of the 20 requests a channel may fail before it is out: the rest are on their way when the tenth has failed. */
export const DEFAULT_HEALTH_LIMITS: HealthLimits = {
  faultsInRow: 10,
  faultShare: 0.5,
  latencyMs: 10_000,
  minSamples: 20,
  windowMs: 30_000,
  probeIntervalMs: 5_000,
  probeEvery: 100,
  answersToReturn: 3,
};

export interface ChannelHealth {
  readonly phase: 'in' | 'out';
  /** When the phase began; 0: in service since ever. */
  readonly sinceMs: number;
  /** Why it is out. */
  readonly cause?: 'faults' | 'latency';
}

export const HEALTHY: ChannelHealth = { phase: 'in', sinceMs: 0 };

export const EMPTY_WINDOW: HealthWindow = { buckets: [], faultsInRow: 0, answersInRow: 0 };

export type HealthOutcome = 'success' | 'fault' | 'decline';

/** The window with one more call in it. @param latencyMs of an answer; ignored for a fault */
export function observe(
  window: HealthWindow,
  outcome: HealthOutcome,
  latencyMs: number,
  nowMs: number,
): HealthWindow {
  const atMs = nowMs - (nowMs % BUCKET_MS);
  const isFault = outcome === 'fault';
  const one: HealthBucket = {
    atMs,
    successes: outcome === 'success' ? 1 : 0,
    faults: isFault ? 1 : 0,
    declines: outcome === 'decline' ? 1 : 0,
    latencySumMs: isFault ? 0 : latencyMs,
  };
  return mergeWindows(window, {
    buckets: [one],
    faultsInRow: isFault ? 1 : 0,
    answersInRow: isFault ? 0 : 1,
  });
}

/** What was seen by all, and then by this process: buckets of the same time are added, the rows go on. */
export function mergeWindows(earlier: HealthWindow, later: HealthWindow): HealthWindow {
  const byTime = new Map<number, HealthBucket>();
  for (const bucket of [...earlier.buckets, ...later.buckets]) {
    const same = byTime.get(bucket.atMs);
    byTime.set(bucket.atMs, same === undefined ? bucket : addBuckets(same, bucket));
  }
  const faultsBefore = hasAnswers(later) ? 0 : earlier.faultsInRow;
  const answersBefore = hasFaults(later) ? 0 : earlier.answersInRow;
  return {
    buckets: [...byTime.values()].sort((a, b) => b.atMs - a.atMs).slice(0, HEALTH_BUCKETS),
    faultsInRow: faultsBefore + later.faultsInRow,
    answersInRow: answersBefore + later.answersInRow,
  };
}

const hasAnswers = ({ buckets }: HealthWindow) => buckets.some((one) => one.successes + one.declines > 0);
const hasFaults = ({ buckets }: HealthWindow) => buckets.some(({ faults }) => faults > 0);

/** Whether anything was seen since then. */
export function isSeenSince({ buckets }: HealthWindow, sinceMs: number): boolean {
  return buckets.some(({ atMs }) => atMs >= sinceMs);
}

function addBuckets(a: HealthBucket, b: HealthBucket): HealthBucket {
  return {
    atMs: a.atMs,
    successes: a.successes + b.successes,
    faults: a.faults + b.faults,
    declines: a.declines + b.declines,
    latencySumMs: a.latencySumMs + b.latencySumMs,
  };
}

/**
 * What is to be thought of a channel now. The same object when nothing changes.
 * In service it is judged by its faults in a row, then by the share of faults and the latency of its latest calls; out of
 * service everything that reaches it (probes, and callers who name it) tells whether it is back.
 */
export function nextHealth(
  health: ChannelHealth,
  window: HealthWindow,
  nowMs: number,
  limits: HealthLimits,
): ChannelHealth {
  if (health.phase === 'out')
    return isBack(health, window, limits) ? { phase: 'in', sinceMs: nowMs } : health;
  const cause = causeToLeave(health, window, nowMs, limits);
  return cause === undefined ? health : { phase: 'out', sinceMs: nowMs, cause };
}

function causeToLeave(
  { sinceMs }: ChannelHealth,
  window: HealthWindow,
  nowMs: number,
  limits: HealthLimits,
): ChannelHealth['cause'] {
  const [newest] = window.buckets;
  // A row of faults that ended when all went quiet says nothing about now.
  const isRecent = newest !== undefined && newest.atMs + BUCKET_MS > nowMs - limits.windowMs;
  if (isRecent && window.faultsInRow >= limits.faultsInRow) return 'faults';
  // What put it out before it came back does not put it out again.
  const fromMs = Math.max(nowMs - limits.windowMs, sinceMs);
  const { successes, faults, declines, latencySumMs } = latest(window, fromMs, limits.minSamples);
  const counted = successes + faults;
  if (counted >= limits.minSamples && faults >= limits.faultShare * counted) return 'faults';
  const answered = successes + declines;
  if (answered >= limits.minSamples && latencySumMs > limits.latencyMs * answered) return 'latency';
  return undefined;
}

/** The newest buckets added up, no more of them than make a sample: a sudden outage must not hide behind a good minute. */
function latest({ buckets }: HealthWindow, fromMs: number, minSamples: number): HealthBucket {
  let sum: HealthBucket = { atMs: 0, successes: 0, faults: 0, declines: 0, latencySumMs: 0 };
  for (const bucket of buckets) {
    if (bucket.atMs < fromMs || sum.successes + sum.faults >= minSamples) break;
    sum = addBuckets(sum, bucket);
  }
  return sum;
}

function isBack({ sinceMs }: ChannelHealth, window: HealthWindow, limits: HealthLimits): boolean {
  if (window.answersInRow < limits.answersToReturn) return false;
  const since = latest(window, sinceMs, Infinity);
  const answered = since.successes + since.declines;
  // A slow channel goes on answering: only answers from after it was put out tell that it is back, and only fast ones.
  return answered >= limits.answersToReturn && since.latencySumMs <= limits.latencyMs * answered;
}

/** When a channel that is out was last tried, and how many requests it might have taken since. */
export interface ProbeClock {
  readonly lastMs: number;
  readonly missed: number;
}

/** True when the next request that the channel could take shall try it: one in 5 s or 1 % of them, whichever is more. */
export function isProbeDue({ lastMs, missed }: ProbeClock, nowMs: number, limits: HealthLimits): boolean {
  return nowMs - lastMs >= limits.probeIntervalMs || missed + 1 >= limits.probeEvery;
}
