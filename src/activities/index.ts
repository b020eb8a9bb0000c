/** Everything that workflows may ask of the outside world. */
import { createChannelActivities } from './channel';
import { createPickupActivities } from './pickup';
import { createRecordActivities } from './records';
import type { ActivityDeps } from './deps';

export type { ActivityDeps, HoldRef, WorkflowGateway } from './deps';

export function createActivities(deps: ActivityDeps) {
  return {
    ...createChannelActivities(deps),
    ...createRecordActivities(deps),
    ...createPickupActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
