/** The skeleton of src/workflows/webhook-delivery.ts and nothing else: a pause and one activity. */
import { proxyActivities, sleep } from '@temporalio/workflow';
import type { RetryActivities } from './retry-worker';

const { attempt } = proxyActivities<RetryActivities>({ startToCloseTimeout: '15m', heartbeatTimeout: '20s' });

export async function bareRetry(pauseMs: number): Promise<void> {
  await sleep(pauseMs);
  await attempt();
}
