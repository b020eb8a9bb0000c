/** Everything that workflows may ask of the outside world. */
import { createExecuteActivities } from './execute';
import { createPickupActivities } from './pickup';
import { createRecordActivities } from './records';
import { createSettleActivities } from './settle';
import type { ActivityDeps } from './deps';

export type { ActivityDeps, HoldRef, WorkflowGateway } from './deps';

export function createActivities(deps: ActivityDeps) {
  return {
    ...createExecuteActivities(deps),
    ...createSettleActivities(deps),
    ...createRecordActivities(deps),
    ...createPickupActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
