/** The pick-up's Temporal Schedule, brought in line with the settings whenever a worker starts. */
import type { Client } from '@temporalio/client';
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import { PICKUP_WORKFLOW } from '../workflows/messages';

export async function upsertPickupSchedule(
  client: Client,
  taskQueue: string,
  intervalSeconds: number,
): Promise<void> {
  const scheduleId = `pickup/${taskQueue}`;
  const definition = {
    spec: { intervals: [{ every: intervalSeconds * 1000 }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: PICKUP_WORKFLOW,
      workflowId: scheduleId,
      taskQueue,
      args: [intervalSeconds],
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
