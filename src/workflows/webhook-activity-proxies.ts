/** The time-out and retry profiles under which workflows of the webhooks task queue call activities. */
import { proxyActivities } from '@temporalio/workflow';
import type { WebhookActivities } from '../activities/webhook-index';

const attempting = proxyActivities<WebhookActivities>({
  // The attempt itself is bounded by WEBHOOK_TIMEOUT; the rest is patience with a database that is away, because an
  // outcome that is not recorded costs the receiver a repeat.
  startToCloseTimeout: '15m',
  // A dead worker is noticed before the lease that it left behind runs out (its time-out + 30 s).
  heartbeatTimeout: '20s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

export const attemptRetry = (summary: string, ...args: Parameters<WebhookActivities['attemptRetry']>) =>
  attempting.attemptRetry.executeWithOptions({ summary }, args);

export const { giveUp } = proxyActivities<WebhookActivities>({
  summary: 'end the notification as failed',
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
});

/** What one run cannot do the next one does, so a fault is not repeated for long. */
const sweeping = proxyActivities<WebhookActivities>({
  startToCloseTimeout: '5m',
  heartbeatTimeout: '30s',
  retry: { maximumAttempts: 3 },
});
export const startOverdueRetries = () =>
  sweeping.startOverdueRetries.executeWithOptions(
    { summary: 'retries that are overdue and carried by nobody' },
    [],
  );
export const endUndeliverable = () =>
  sweeping.endUndeliverable.executeWithOptions({ summary: 'what can never be delivered any more' }, []);
export const deleteOutdated = () =>
  sweeping.deleteOutdated.executeWithOptions({ summary: 'rows that are past their retention' }, []);
