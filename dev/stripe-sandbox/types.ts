/** What the sandbox keeps. Amounts are in Stripe's unit, times in Unix seconds unless the name says milliseconds. */
import type { JsonObject } from '../sandbox/http';

export type { JsonObject };

export type IntentStatus =
  | 'requires_payment_method'
  | 'requires_confirmation'
  | 'requires_action'
  | 'processing'
  | 'requires_capture'
  | 'succeeded'
  | 'canceled';

export interface Charge {
  id: string;
  created: number;
  amount: number;
  amountCaptured: number;
  /** Given back to the cardholder without having been captured. */
  amountReleased: number;
  /** Given back after it was captured: refunds that did not fail. */
  amountRefunded: number;
  isDisputed: boolean;
  card: string;
  captureBefore: number | null;
  failure: { code: string; declineCode: string | undefined; message: string } | null;
  hasMulticapture: boolean;
}

export interface Intent {
  id: string;
  /** The secret key of the account it belongs to. */
  account: string;
  clientSecret: string;
  created: number;
  createdMs: number;
  amount: number;
  currency: string;
  amountCapturable: number;
  amountReceived: number;
  amountReleased: number;
  status: IntentStatus;
  captureMethod: string;
  confirmationMethod: string;
  allowedTypes: string[] | null;
  automaticMethods: JsonObject | null;
  methodOptions: JsonObject;
  metadata: Record<string, string>;
  description: string | null;
  receiptEmail: string | null;
  customer: string | null;
  returnUrl: string | null;
  paymentMethod: string | null;
  nextAction: JsonObject | null;
  lastPaymentError: JsonObject | null;
  canceledAt: number | null;
  cancellationReason: string | null;
  charge: Charge | null;
}

export type RefundStatus = 'pending' | 'succeeded' | 'failed';

export interface Refund {
  id: string;
  account: string;
  intent: string;
  charge: string;
  created: number;
  amount: number;
  currency: string;
  status: RefundStatus;
  /** The rest of a hold that was never captured: listed by Stripe, but no money went back. */
  isRelease: boolean;
  reason: string | null;
  failureReason: string | null;
  metadata: Record<string, string>;
  /** What becomes of it by itself; null: nothing any more. */
  due: { atMs: number; outcome: 'succeeded' | 'failed' } | null;
}

export type DisputeStatus = 'needs_response' | 'won' | 'lost';

export interface Dispute {
  id: string;
  account: string;
  intent: string;
  charge: string;
  created: number;
  amount: number;
  currency: string;
  status: DisputeStatus;
  reason: string;
}

/** An answer kept under an idempotency key. */
export interface StoredAnswer {
  /** Account and key. */
  scope: string;
  method: string;
  path: string;
  fingerprint: string;
  requestId: string;
  status: number;
  body: string;
  atMs: number;
}

/** One line of the books: a request that named a hold, whatever came of it. */
export interface CallRecord {
  operation: string;
  idempotency_key: string | null;
  payment_intent: string | null;
  holdfast_id: string | null;
  holdfast_call: string | null;
  /** The state machine ran for this request (false for replays, refusals before it, and reads). */
  executed: boolean;
  replayed: boolean;
  /** HTTP status; 0 when the caller got no answer. */
  status: number;
  /** Unix milliseconds when the request came in. */
  at: number;
}

export interface WebhookEndpoint {
  id: string;
  url: string;
  secret: string;
  /** Only this account's events; null: every account's. */
  account: string | null;
  /** Only events of these types; null: every type. */
  enabled_events: readonly string[] | null;
}

export interface StoredEvent {
  id: string;
  account: string;
  type: string;
  body: string;
  /** Ids of the endpoints that have not acknowledged it yet. */
  pending: string[];
}

export interface SandboxConfig {
  latencyMs: number;
  /** Accounts (secret keys) with multicapture; `*`: all. */
  multicapture: string[];
  searchLagMs: number;
  shortHoldSeconds: number;
  /** Between a hold's deadline and its cancellation: Stripe is not to the second either. */
  expiryLagMs: number;
  /** Until the refund of a card with slow or failing refunds comes to its end. */
  refundSettleMs: number;
}
