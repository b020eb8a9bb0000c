/** What can be said to the workflows of holds, payments and deliveries, by the API and by operators in the Temporal Web UI. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { CancelCommand, CaptureCommand, CommandResult } from '../domain/commands';
import type { Payment } from '../domain/payment';
import type { CancelPaymentCommand, PaymentResult } from '../domain/payment-commands';
import type { Hold } from '../domain/pre-auth';
import type { Refund } from '../domain/refund';

/** Names a hold: all that its workflow is started with. */
export interface PreAuthArgs {
  readonly merchantId: string;
  readonly preAuthNo: string;
}

export const PRE_AUTH_WORKFLOW = 'preAuth';
export const PICKUP_WORKFLOW = 'pickup';
export const RECONCILIATION_WORKFLOW = 'reconciliation';
export const RETENTION_WORKFLOW = 'retention';

/** Answers when the channel has answered the create; changes nothing. */
export const createdUpdate = defineUpdate<null>('created');
/** Refusals come as ApplicationFailure whose type is the error code and whose first detail is `details`. */
export const captureUpdate = defineUpdate<CommandResult, [CaptureCommand]>('capture');
export const cancelUpdate = defineUpdate<CommandResult, [CancelCommand]>('cancel');

/** `{amount?, final?, by?, reason?, command_id?}` or nothing: everything that is left. */
export const captureSignal = defineSignal<[unknown?]>('capture');
/** `{by?, reason?, command_id?}` or nothing. */
export const cancelSignal = defineSignal<[unknown?]>('cancel');
/** Read the object at the channel again. */
export const resyncSignal = defineSignal<[unknown?]>('resync');
/** `{by, reason, outcome: "executed" | "not_executed"}`: an operator's word on an outcome the channel will not tell. */
export const settleSignal = defineSignal<[unknown?]>('settle');

export interface PreAuthState {
  readonly hold: Hold | null;
  /** The command under way, if any. */
  readonly running: string | null;
  /** The last command that was refused, to an operator or by the channel. */
  readonly lastRefusal: string | null;
}

export const stateQuery = defineQuery<PreAuthState>('state');

/** Names a payment: all that its workflow is started with. */
export interface PaymentArgs {
  readonly merchantId: string;
  readonly paymentNo: string;
}

export const PAYMENT_WORKFLOW = 'payment';

/** Of a payment; `created`, and the signals `cancel`, `resync` and `settle`, are the same as a hold's. */
export const cancelPaymentUpdate = defineUpdate<PaymentResult, [CancelPaymentCommand]>('cancel');

export interface PaymentState {
  readonly payment: Payment | null;
  /** The command under way, if any. */
  readonly running: string | null;
  /** The last command that was refused, to an operator or by the channel. */
  readonly lastRefusal: string | null;
}

export const paymentStateQuery = defineQuery<PaymentState>('state');

/** Names a refund: all that its workflow is started with. */
export interface RefundArgs {
  readonly merchantId: string;
  readonly refundNo: string;
}

export const REFUND_WORKFLOW = 'refund';

/** Of a refund; `created`, and the signals `resync` and `settle`, are the same as a hold's. */
export interface RefundState {
  readonly refund: Refund | null;
  /** Whether the channel has answered. */
  readonly answered: boolean;
  /** The last word of an operator that could not be taken. */
  readonly lastRefusal: string | null;
}

export const refundStateQuery = defineQuery<RefundState>('state');

export const WEBHOOK_DELIVERY_WORKFLOW = 'webhookDelivery';
export const WEBHOOK_SWEEP_WORKFLOW = 'webhookSweep';

/** A notification that must be delivered again, as its row says. */
export interface WebhookDeliveryArgs {
  readonly notificationId: string;
  readonly merchantId: string;
  /** The number of the object the notification tells of. */
  readonly paymentNo: string;
  readonly event: string;
  /** Host of the URL, for people to read: paths and queries of merchants may carry tokens. */
  readonly endpointHost: string;
  /** Attempts made so far, at least 1. */
  readonly attempts: number;
  /** Attempts there may be in all; only shown, the row decides. */
  readonly maxAttempts: number;
  /** Until the next attempt is due, from the start: a length, because the row's clock and the workflow's may differ. */
  readonly pauseMs: number;
}

export function webhookDeliveryWorkflowId(notificationId: string): string {
  return `webhook/${notificationId}`;
}

/** Attempt now instead of at the end of the pause; no input. */
export const retryNowSignal = defineSignal<[unknown?]>('retry_now');
/** `{reason}`, a text, or nothing: no further attempts, the notification ends as failed. */
export const giveUpSignal = defineSignal<[unknown?]>('give_up');
/** The row may have changed: look at it. */
export const wakeSignal = defineSignal<[unknown?]>('wake');

export interface WebhookDeliveryState {
  readonly attempts: number;
  readonly attemptRunning: boolean;
  readonly nextRetryAtMs: number;
  /** `HTTP 503` or an error code; null: this workflow has made no attempt yet. */
  readonly lastAnswer: string | null;
}

export const statusQuery = defineQuery<WebhookDeliveryState>('status');
