/** What the activities of the webhooks task queue need from the outside, wired in runtime.ts. */
import type { FailedWebhook } from '../domain/webhook/failed';
import type { AttemptResult, DeliveryJob } from '../domain/webhook/delivery-policy';
import type { Logger } from '../observability/logger';
import type { Database } from '../stores/postgres';
import type { RetryLease } from '../stores/webhook-lanes';
import type { DeliveryLease } from '../stores/webhook-leases';
import type { OverdueRetry } from '../stores/webhook-upkeep';

/** What a row says after an outcome was recorded. */
export interface RecordedOutcome {
  readonly notificationId: string;
  readonly status: 'success' | 'failed' | 'retrying' | 'pending';
  readonly attempts: number;
  /** Until the next attempt is due; null when there is none. */
  readonly pauseMs: number | null;
}

export interface WebhookActivityDeps {
  readonly db: Database;
  readonly log: Logger;
  /** Leases a row for its own workflow; `evenIfEarly`: an operator asked for it. */
  readonly leaseForRetry: (notificationId: string, evenIfEarly: boolean) => Promise<RetryLease>;
  /** One attempt; never rejects for what the network or the receiver does. */
  readonly send: (job: DeliveryJob) => Promise<AttemptResult>;
  /** Writes an outcome. @returns what the row says now; undefined when the outcome did not count */
  readonly record: (lease: DeliveryLease, result: AttemptResult) => Promise<RecordedOutcome | undefined>;
  /** Keeps what was given up where operators look first. Never rejects: losing an entry loses nothing. */
  readonly noteFailed: (failed: readonly FailedWebhook[]) => Promise<void>;
  /** Starts the notification's workflow, or wakes it when it runs. @throws when Temporal cannot be reached */
  readonly ensureWorkflow: (row: OverdueRetry) => Promise<void>;
  /** Tells workflows that run to look at their row. */
  readonly wake: (notificationIds: readonly string[]) => Promise<void>;
  readonly overdueSeconds: number;
  readonly retentionDays: number;
  readonly now: () => number;
}
