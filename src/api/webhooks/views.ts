/** How endpoints and notifications look to their merchant. */
import type { z } from 'zod';
import type { DeliveryHealth } from '../../stores/webhook-health';
import type { EndpointRow } from '../../stores/webhook-endpoints';
import type { AttemptRow, NotificationDetail, NotificationRow } from '../../stores/webhook-notifications';
import type * as schemas from './schemas';

const instant = (date: Date): string => date.toISOString();
const instantOrNull = (date: Date | null): string | null => date?.toISOString() ?? null;

export function showEndpoint(row: EndpointRow): z.infer<typeof schemas.endpointView> {
  return {
    id: row.id,
    kind: row.kind,
    url: row.url,
    event_filter: [...row.event_filter],
    enabled: row.enabled,
    max_retries: row.max_retries,
    disabled_at: instantOrNull(row.disabled_at),
    disabled_reason: row.disabled_reason,
    previous_secret_until: instantOrNull(row.previous_secret_until),
    created_at: instant(row.created_at),
    updated_at: instant(row.updated_at),
  };
}

export function showHealth(row: EndpointRow, health: DeliveryHealth): z.infer<typeof schemas.healthView> {
  const { attempts, successes } = health;
  return {
    endpoint_id: row.id,
    enabled: row.enabled,
    disabled_reason: row.disabled_reason,
    success_share: attempts.count === 0 ? null : Math.round((successes / attempts.count) * 10_000) / 10_000,
    attempts,
    waiting: health.waiting,
    in_retry: health.inRetry,
    last_success_at: instantOrNull(row.last_success_at),
    last_failure_at: instantOrNull(row.last_failure_at),
    last_error: row.last_error,
    gated_since: instantOrNull(row.gated_at),
    next_probe_at: instantOrNull(row.next_probe_at),
  };
}

export function showNotification(row: NotificationRow): z.infer<typeof schemas.notificationView> {
  const isFinal = row.status === 'success' || row.status === 'failed';
  return {
    id: row.id,
    event_id: row.event_id,
    endpoint_id: row.endpoint_id,
    event: row.event,
    payment_no: row.payment_no,
    url: row.url,
    status: row.status,
    attempts: row.attempts,
    max_attempts: row.max_attempts,
    status_code: row.status_code,
    error: row.error,
    next_retry_at: isFinal ? null : instant(row.next_retry_at),
    last_attempt_at: instantOrNull(row.last_attempt_at),
    succeeded_at: instantOrNull(row.succeeded_at),
    failed_at: instantOrNull(row.failed_at),
    created_at: instant(row.created_at),
  };
}

/** @param attempts newest first */
export function showNotificationDetail(
  row: NotificationDetail,
  attempts: readonly AttemptRow[],
): z.infer<typeof schemas.notificationDetailView> {
  return {
    ...showNotification(row),
    payload: row.payload,
    response: row.response,
    attempt_log: [...attempts].reverse().map((attempt) => ({
      attempt: attempt.attempt,
      kind: attempt.kind,
      started_at: instant(attempt.started_at),
      duration_ms: attempt.duration_ms,
      status_code: attempt.status_code,
      error: attempt.error,
      response: attempt.response,
    })),
  };
}
