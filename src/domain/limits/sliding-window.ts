/**
 * A sliding window of 60 sub-buckets of which the oldest is counted in full: 61 are live, so that no trailing window ever holds
 * more than the limit, and a request is refused only when the window and one sub-bucket before it hold that many.
 */
export const LIVE_BUCKETS = 61;

export interface WindowShape {
  readonly lengthUs: number;
  readonly bucketUs: number;
}

export const MINUTE: WindowShape = { lengthUs: 60_000_000, bucketUs: 1_000_000 };
export const HOUR: WindowShape = { lengthUs: 3_600_000_000, bucketUs: 60_000_000 };

export interface SlidingWindow {
  readonly shape: WindowShape;
  /** By number of the sub-bucket modulo 61. */
  readonly counts: Uint32Array;
  /** The number of the newest sub-bucket: Unix time over its length. */
  newest: number;
  /** Of all live sub-buckets. */
  sum: number;
  /** When 80 % were last told of; -Infinity: never. */
  warnedUs: number;
}

export function emptyWindow(shape: WindowShape, nowUs: number): SlidingWindow {
  const newest = Math.floor(nowUs / shape.bucketUs);
  return { shape, counts: new Uint32Array(LIVE_BUCKETS), newest, sum: 0, warnedUs: -Infinity };
}

const countOf = ({ counts }: SlidingWindow, bucket: number) => counts[bucket % LIVE_BUCKETS] ?? 0;

/** Requests that are live at this time, not before that of the newest sub-bucket. Changes nothing. */
export function liveCount(window: SlidingWindow, nowUs: number): number {
  const now = Math.floor(nowUs / window.shape.bucketUs);
  if (now - window.newest >= LIVE_BUCKETS) return 0;
  let live = window.sum;
  for (let bucket = window.newest + 1; bucket <= now; bucket += 1) live -= countOf(window, bucket);
  return live;
}

/** Counts one more request. @returns live requests, this one included */
export function count(window: SlidingWindow, nowUs: number): number {
  const now = Math.floor(nowUs / window.shape.bucketUs);
  window.sum = liveCount(window, nowUs) + 1;
  if (now - window.newest >= LIVE_BUCKETS) window.counts.fill(0);
  else
    for (let bucket = window.newest + 1; bucket <= now; bucket += 1) window.counts[bucket % LIVE_BUCKETS] = 0;
  window.newest = now;
  window.counts[now % LIVE_BUCKETS] = countOf(window, now) + 1;
  return window.sum;
}

/**
 * Microseconds until the window has more left than now: until fewer than `live`, or than the limit where that is less, are in it.
 * 0 when nothing is in it.
 */
export function windowWaitUs(window: SlidingWindow, nowUs: number, limit: number): number {
  const { bucketUs } = window.shape;
  const now = Math.floor(nowUs / bucketUs);
  const live = liveCount(window, nowUs);
  if (live === 0) return 0;
  let gone = 0;
  let bucket = now - LIVE_BUCKETS;
  while (live - gone >= Math.min(live, limit)) {
    bucket += 1;
    gone += bucket <= window.newest ? countOf(window, bucket) : 0;
  }
  return (bucket + LIVE_BUCKETS) * bucketUs - nowUs;
}

/** At least 80 % of the limit. */
export const isNear = (live: number, limit: number): boolean => live * 5 >= limit * 4;

/** Whether 80 % are to be told of now, which they are once in the length of the window. */
export function warns(window: SlidingWindow, live: number, limit: number, nowUs: number): boolean {
  // By whole seconds, as the script's marker is.
  const nowS = Math.floor(nowUs / 1_000_000);
  if (!isNear(live, limit) || nowS - window.warnedUs / 1_000_000 < window.shape.lengthUs / 1_000_000)
    return false;
  window.warnedUs = nowS * 1_000_000;
  return true;
}
