/**
 * What was let through and refused, by merchant and UTC day: `ratelimit:stats:{merchant_id}:{date}` (no braces), a hash of
 * counters `allowed`, `second`, `minute`, `hour`, `concurrent`, kept 30 days.
 */
import type { Redis } from 'ioredis';
import type { LimitWindow } from '../domain/limits/decision';

const KEPT_SECONDS = 30 * 86_400;

/** `allowed`, or the window that has refused. */
export type Outcome = 'allowed' | LimitWindow;
export const OUTCOMES: readonly Outcome[] = ['allowed', 'second', 'minute', 'hour', 'concurrent'];

export interface LimitCounts {
  readonly merchantId: string;
  /** UTC, `2026-11-23`. */
  readonly date: string;
  readonly counts: Readonly<Partial<Record<Outcome, number>>>;
}

/** Rejects when Redis is away. */
export interface LimitStats {
  add(batch: readonly LimitCounts[]): Promise<void>;
  read(merchantId: string, date: string): Promise<Record<Outcome, number>>;
}

export function createLimitStats(redis: Redis, prefix: string): LimitStats {
  const keyOf = (merchantId: string, date: string) => `${prefix}ratelimit:stats:${merchantId}:${date}`;
  return {
    async add(batch) {
      const pipeline = redis.pipeline();
      for (const { merchantId, date, counts } of batch) {
        const key = keyOf(merchantId, date);
        for (const [outcome, count] of Object.entries(counts)) pipeline.hincrby(key, outcome, count);
        pipeline.expire(key, KEPT_SECONDS);
      }
      const failed = (await pipeline.exec())?.find(([error]) => error !== null);
      if (failed?.[0]) throw failed[0];
    },
    async read(merchantId, date) {
      const texts = await redis.hmget(keyOf(merchantId, date), ...OUTCOMES);
      const entries = OUTCOMES.map((outcome, at) => [outcome, Number(texts[at] ?? 0)] as const);
      return Object.fromEntries(entries) as Record<Outcome, number>;
    },
  };
}
