/** What the parts that deliver webhooks count: attempts where they are sent, ends where they are recorded. */
import { judgeAttempt } from '../domain/webhook/delivery-policy';
import type { AttemptResult, DeliveryJob, EndReason } from '../domain/webhook/delivery-policy';
import type { FailedWebhook } from '../domain/webhook/failed';
import { safely } from '../observability/safely';
import type { WebhookMetrics } from '../observability/worker-metrics';
import type { Recorder } from './relay/recorder';

type Send = (job: DeliveryJob) => Promise<AttemptResult>;
type NoteFailed = (failed: readonly FailedWebhook[]) => Promise<void>;

const COUNT = 'a count of webhooks';

export function countingAttempts(send: Send, metrics: WebhookMetrics): Send {
  return async (job) => {
    const result = await send(job);
    safely(COUNT, () => metrics.attempted(outcomeOf(result)));
    return result;
  };
}

function outcomeOf(result: AttemptResult): Parameters<WebhookMetrics['attempted']>[0] {
  if (result.statusCode === null) return 'no_answer';
  const { kind } = judgeAttempt(result, 'explicit');
  return kind === 'delivered' ? 'delivered' : kind === 'retry' ? 'try_again' : 'refused';
}

export function countingDelivered(recorder: Recorder, metrics: WebhookMetrics): Recorder {
  return {
    close: () => recorder.close(),
    async record(attempts, startWorkflows) {
      const recorded = await recorder.record(attempts, startWorkflows);
      for (const { status } of recorded)
        if (status === 'success') safely(COUNT, () => metrics.ended('delivered'));
      return recorded;
    },
  };
}

const NOT_WANTED: ReadonlySet<string> = new Set<EndReason>(['ENDPOINT_DELETED', 'DISABLED_TOO_LONG']);

/** Whoever ends a notification without success notes it: one place for them all. */
export function countingFailed(noteFailed: NoteFailed, metrics: WebhookMetrics): NoteFailed {
  return (failed) => {
    for (const { error } of failed)
      safely(COUNT, () => metrics.ended(NOT_WANTED.has(error ?? '') ? 'dropped' : 'given_up'));
    return noteFailed(failed);
  };
}
