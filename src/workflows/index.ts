/** The one file that exports all workflows: what the worker bundles. */
export { payment } from './payment';
export { pickup } from './pickup';
export { preAuth } from './pre-auth';
export { reconciliation } from './reconcile';
export { refund } from './refund';
export { retention } from './retention';
export { webhookDelivery } from './webhook-delivery';
export { webhookSweep } from './webhook-sweep';
