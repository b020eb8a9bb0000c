/**
 * Given-up notifications where an operator looks first. `webhook:failed:{merchant_id}:{payment_no}` is a hash, JSON by
 * notification id, kept 7 days; `webhook:failed:queue` lists the last 10 000, newest first. PostgreSQL is the truth: what
 * Redis misses is not lost.
 */
import type { Redis } from 'ioredis';
import type { FailedWebhook } from '../domain/webhook/failed';
import type { Logger } from '../observability/logger';

const KEPT_SECONDS = 7 * 24 * 3_600;
const QUEUE = 'webhook:failed:queue';
const QUEUE_LENGTH = 10_000;

export type NoteFailed = (failed: readonly FailedWebhook[]) => Promise<void>;

/** Whoever has ended notifications says so here. Never rejects: that Redis cannot be reached is logged. */
export function createNoteFailed(redis: Redis, log: Logger): NoteFailed {
  return async (failed) => {
    if (failed.length === 0) return;
    await note(redis, failed).catch((error: unknown) => {
      log.warn({ err: error, count: failed.length }, 'given-up webhooks were not noted in Redis');
    });
  };
}

async function note(redis: Redis, failed: readonly FailedWebhook[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const one of failed) {
    const key = `webhook:failed:${one.merchantId}:${one.paymentNo}`;
    const json = JSON.stringify({
      notification_id: one.notificationId,
      merchant_id: one.merchantId,
      payment_no: one.paymentNo,
      event: one.event,
      attempts: one.attempts,
      status_code: one.statusCode,
      error: one.error,
      failed_at: Math.floor(one.failedAtMs / 1000),
    });
    pipeline.hset(key, one.notificationId, json).expire(key, KEPT_SECONDS).lpush(QUEUE, json);
  }
  pipeline.ltrim(QUEUE, 0, QUEUE_LENGTH - 1);
  const failures = (await pipeline.exec())?.map(([error]) => error).find((error) => error !== null);
  if (failures) throw failures;
}
