/** Everything that workflows of the webhooks task queue may ask of the outside world. */
import { createDeliverActivities } from './deliver';
import { createWebhookSweepActivities } from './webhook-sweep';
import type { WebhookActivityDeps } from './webhook-deps';

export type { WebhookActivityDeps } from './webhook-deps';

export function createWebhookActivities(deps: WebhookActivityDeps) {
  return { ...createDeliverActivities(deps), ...createWebhookSweepActivities(deps) };
}

export type WebhookActivities = ReturnType<typeof createWebhookActivities>;
