/** The time-out and retry profiles under which workflows of the webhooks task queue call activities. */
import { proxyActivities } from '@temporalio/workflow';
import type { WebhookActivities } from '../activities/webhook-index';

export const { attemptRetry } = proxyActivities<WebhookActivities>({
  // The attempt itself is bounded by WEBHOOK_TIMEOUT; the rest is patience with a database that is away, because an
  // outcome that is not recorded costs the receiver a repeat.
  startToCloseTimeout: '15m',
  // A dead worker is noticed before the lease that it left behind runs out (its time-out + 30 s).
  heartbeatTimeout: '20s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

export const { giveUp } = proxyActivities<WebhookActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

/** What one run cannot do the next one does, so a fault is not repeated for long. */
export const { startOverdueRetries, endUndeliverable, deleteOutdated } = proxyActivities<WebhookActivities>({
  startToCloseTimeout: '5m',
  heartbeatTimeout: '30s',
  retry: { maximumAttempts: 3 },
});
