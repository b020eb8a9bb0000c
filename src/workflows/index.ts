/** The one file that exports all workflows: what the worker bundles. */
export { pickup } from './pickup';
export { preAuth } from './pre-auth';
export { webhookDelivery } from './webhook-delivery';
export { webhookSweep } from './webhook-sweep';
