/** What Temporal starts again and again, brought in line with the settings whenever a worker starts. */
import type { Client } from '@temporalio/client';
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import {
  PICKUP_WORKFLOW,
  RECONCILIATION_WORKFLOW,
  RETENTION_WORKFLOW,
  WEBHOOK_SWEEP_WORKFLOW,
} from '../workflows/messages';

interface Recurring {
  /** Also the id of the workflow. */
  readonly scheduleId: string;
  readonly workflowType: string;
  readonly taskQueue: string;
  readonly args: unknown[];
  readonly intervalSeconds: number;
}

export function upsertPickupSchedule(
  client: Client,
  taskQueue: string,
  intervalSeconds: number,
): Promise<void> {
  return upsert(client, {
    scheduleId: `pickup/${taskQueue}`,
    workflowType: PICKUP_WORKFLOW,
    taskQueue,
    args: [intervalSeconds],
    intervalSeconds,
  });
}

/** @param closedDays objects closed longer ago are not looked at */
export function upsertReconciliationSchedule(
  client: Client,
  taskQueue: string,
  settings: { readonly intervalSeconds: number; readonly closedDays: number },
): Promise<void> {
  return upsert(client, {
    scheduleId: `reconciliation/${taskQueue}`,
    workflowType: RECONCILIATION_WORKFLOW,
    taskQueue,
    args: [settings.closedDays],
    intervalSeconds: settings.intervalSeconds,
  });
}

/** @param policy days that things are kept, as the workflow takes them */
export function upsertRetentionSchedule(
  client: Client,
  taskQueue: string,
  intervalSeconds: number,
  policy: { readonly inboundEventDays: number; readonly failedWebhookDays: number },
): Promise<void> {
  return upsert(client, {
    scheduleId: `retention/${taskQueue}`,
    workflowType: RETENTION_WORKFLOW,
    taskQueue,
    args: [policy],
    intervalSeconds,
  });
}

export function upsertSweepSchedule(
  client: Client,
  taskQueue: string,
  intervalSeconds: number,
): Promise<void> {
  return upsert(client, {
    scheduleId: `webhook-sweep/${taskQueue}`,
    workflowType: WEBHOOK_SWEEP_WORKFLOW,
    taskQueue,
    args: [],
    intervalSeconds,
  });
}

async function upsert(client: Client, recurring: Recurring): Promise<void> {
  const { scheduleId, workflowType, taskQueue, args, intervalSeconds } = recurring;
  const definition = {
    spec: { intervals: [{ every: intervalSeconds * 1000 }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType,
      workflowId: scheduleId,
      taskQueue,
      args,
      // A run that hangs must not keep all later ones away.
      workflowExecutionTimeout: '35m' as const,
    },
    // A run that takes longer than the interval is not joined by a second one.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1m' as const },
  };
  try {
    await client.schedule.create({ scheduleId, ...definition });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    await client.schedule
      .getHandle(scheduleId)
      .update((current) => ({ ...definition, state: current.state }));
  }
}
