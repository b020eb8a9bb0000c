/** Everything that workflows may ask of the outside world. */
import { createExecuteActivities } from './execute';
import { createHoldFailoverActivities } from './hold-failover';
import { createPaymentExecuteActivities } from './payment-execute';
import { createPaymentFailoverActivities } from './payment-failover';
import { createPaymentRecordActivities } from './payment-records';
import { createPickupActivities } from './pickup';
import { createRefundExecuteActivities } from './refund-execute';
import { createRefundRecordActivities } from './refund-records';
import { createReconcileActivities } from './reconcile';
import { createRecordActivities } from './records';
import { createRetentionActivities } from './retention';
import { createSettleActivities } from './settle';
import type { ActivityDeps } from './deps';

export type { ActivityDeps, HoldRef, PaymentRef, WorkflowGateway } from './deps';

export function createActivities(deps: ActivityDeps) {
  return {
    ...createExecuteActivities(deps),
    ...createSettleActivities(deps),
    ...createRecordActivities(deps),
    ...createHoldFailoverActivities(deps),
    ...createPaymentExecuteActivities(deps),
    ...createPaymentFailoverActivities(deps),
    ...createPaymentRecordActivities(deps),
    ...createRefundExecuteActivities(deps),
    ...createRefundRecordActivities(deps),
    ...createPickupActivities(deps),
    ...createReconcileActivities(deps),
    ...createRetentionActivities(deps),
  };
}

export type Activities = ReturnType<typeof createActivities>;
