/** What can be said to the bare workflow. */
import { defineUpdate } from '@temporalio/workflow';

export const BARE_QUEUE = 'bare';
export const BARE_WORKFLOW = 'bareHold';
/** The worker tells the process that forked it that it is about to poll. */
export const READY = 'ready';

export interface BareCapture {
  readonly commandId: string;
  readonly amount: number;
}

export const createdUpdate = defineUpdate<null>('created');
export const captureUpdate = defineUpdate<{ readonly kind: 'done' }, [BareCapture]>('capture');
