/** The daily counters of the limits: added up in the process, written once in a second, off every request's path. */
import type { LimitCounts, LimitStats, Outcome } from '../../redis/limit-stats';

/** More merchants in one flush are not counted: statistics must not grow while Redis is away. */
const MAX_WAITING = 10_000;
const DAY_MS = 86_400_000;

export interface StatsBook {
  count(merchantId: string, outcome: Outcome): void;
  /** Writes what has come together. Never rejects; what Redis did not answer for is not written again. */
  flush(): Promise<void>;
}

export function createStatsBook(
  stats: Pick<LimitStats, 'add'>,
  isThere: () => boolean,
  nowMs: () => number,
): StatsBook {
  let waiting = new Map<string, LimitCounts & { counts: Partial<Record<Outcome, number>> }>();
  let day = -1;
  let date = '';
  return {
    count(merchantId, outcome) {
      const today = Math.floor(nowMs() / DAY_MS);
      if (today !== day) {
        day = today;
        date = new Date(today * DAY_MS).toISOString().slice(0, 10);
      }
      const key = `${merchantId}${date}`;
      let entry = waiting.get(key);
      if (entry === undefined) {
        if (waiting.size >= MAX_WAITING) return;
        entry = { merchantId, date, counts: {} };
        waiting.set(key, entry);
      }
      entry.counts[outcome] = (entry.counts[outcome] ?? 0) + 1;
    },
    async flush() {
      // While Redis is away they wait; a batch whose answer was lost may have been counted, so it is never sent twice.
      if (waiting.size === 0 || !isThere()) return;
      const batch = [...waiting.values()];
      waiting = new Map();
      await stats.add(batch).catch(() => undefined);
    },
  };
}
