import { setTimeout as sleep } from 'node:timers/promises';
import type { FailedWebhook } from '../../domain/webhook/failed';
import type { Logger } from '../../observability/logger';
import type { Database } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import type { WebhookUrlPolicy } from '../../webhooks/ssrf-guard';
import { loggableError } from '../errors';

/** The workflows that carry retries. */
export interface WebhookWorkflows {
  /** Tells the workflows of these notifications to look at their rows again; ids without a workflow are passed over. */
  wake(notificationIds: readonly string[]): Promise<void>;
}

export interface WebhookApiDeps {
  readonly db: Database;
  readonly box: SecretBox;
  readonly log: Logger;
  readonly webhookUrlPolicy: WebhookUrlPolicy;
  /** Retries for endpoints that set none of their own. */
  readonly defaultMaxRetries: number;
  readonly webhookWorkflows: WebhookWorkflows;
  /** Keeps what was given up where operators look first. Never rejects. */
  readonly noteFailed: (failed: readonly FailedWebhook[]) => Promise<void>;
  /** Tells the relays, after a commit, that there is something to send. Never throws and never waits. */
  readonly ringOutbox: () => void;
}

const WAKE_TIMEOUT_MS = 2_000;

/** What was decided stands in the rows: a wake-up that fails or takes long costs only time, so nobody waits for it long. */
export async function wakeWorkflows(deps: WebhookApiDeps, notificationIds: readonly string[]): Promise<void> {
  if (notificationIds.length === 0) return;
  const timer = new AbortController();
  try {
    const slow = sleep(WAKE_TIMEOUT_MS, 'slow', { signal: timer.signal }).catch(() => 'woken');
    const outcome = await Promise.race([deps.webhookWorkflows.wake(notificationIds), slow]);
    if (outcome === 'slow') throw new Error(`no answer within ${WAKE_TIMEOUT_MS} ms`);
  } catch (error) {
    const notifications = notificationIds.length;
    deps.log.warn({ err: loggableError(error), notifications }, 'retry workflows could not be woken');
  } finally {
    timer.abort();
  }
}
