/** What the sandbox keeps. Amounts are ISO minor units, times are Unix milliseconds of the sandbox's clock. */
import type { JsonObject } from '../sandbox/http';

export type { JsonObject };

export type OrderStatus = 'CREATED' | 'PAYER_ACTION_REQUIRED' | 'APPROVED' | 'COMPLETED' | 'VOIDED';

export interface Authorization {
  id: string;
  status: 'CREATED' | 'PARTIALLY_CAPTURED' | 'CAPTURED' | 'VOIDED';
  amount: number;
  createdMs: number;
  updatedMs: number;
  expiresMs: number;
  /** The authorization that this one renews. */
  renews: string | null;
}

export interface Capture {
  id: string;
  authorization: string | null;
  status: 'COMPLETED' | 'PENDING' | 'DECLINED';
  amount: number;
  invoiceId: string | null;
  isFinal: boolean;
  createdMs: number;
}

export interface Refund {
  id: string;
  capture: string;
  status: 'COMPLETED' | 'PENDING' | 'FAILED';
  amount: number;
  customId: string | null;
  invoiceId: string | null;
  note: string | null;
  createdMs: number;
}

export interface Order {
  id: string;
  client: string;
  intent: 'CAPTURE' | 'AUTHORIZE';
  status: OrderStatus;
  currency: string;
  amount: number;
  customId: string | null;
  invoiceId: string | null;
  description: string | null;
  email: string | null;
  returnUrl: string | null;
  cancelUrl: string | null;
  hasSource: boolean;
  createdMs: number;
  /** When it was approved, which is when its second three hours began. */
  approvedMs: number | null;
  /** The means that the payer chose will be declined. */
  isMeansBad: boolean;
  attempts: number;
  authorizations: Authorization[];
  captures: Capture[];
  refunds: Refund[];
}

export interface Dispute {
  id: string;
  client: string;
  order: string;
  capture: string;
  currency: string;
  amount: number;
  reason: string;
  status: string;
  outcome: string | null;
  createdMs: number;
}

/** What a request id has made: a repeat is answered with the present state of the same thing. */
export interface KeyRecord {
  /** Client, operation and request id. */
  scope: string;
  thing: 'order' | 'capture' | 'refund' | 'authorization';
  id: string;
  atMs: number;
  untilMs: number;
}

/** One line of the books: a call, whatever came of it. */
export interface CallRecord {
  operation: string;
  request_id: string | null;
  order: string | null;
  custom_id: string | null;
  executed: boolean;
  replayed: boolean;
  /** HTTP status; 0 when the caller got no answer. */
  status: number;
  at: number;
}

export interface WebhookEndpoint {
  id: string;
  /** What PayPal calls its id, and signs with; several endpoints may have the same here. */
  webhookId: string;
  url: string;
  /** Only this client's events; null: every client's. */
  client: string | null;
}

export interface StoredEvent {
  id: string;
  client: string;
  type: string;
  body: string;
  /** Ids of the endpoints that have not acknowledged it yet. */
  pending: string[];
}

export const REAUTHORIZATIONS = ['granted', 'declined', 'unsupported', 'forbidden'] as const;

export interface Config {
  latencyMs: number;
  tokenSeconds: number;
  /** Added to the real time: days pass in a moment. */
  clockOffsetMs: number;
  /** Clients that may capture one authorization several times; `*`: all. */
  multipleCaptures: string[];
  pendingCaptures: boolean;
  pendingRefunds: boolean;
  /**
   * What comes of a renewal. `unsupported`: the payer's means allows none; `forbidden`: the account may not ask. With both a
   * capture after the honor period works.
   */
  reauthorizations: (typeof REAUTHORIZATIONS)[number];
  /** As accounts are set by default: an invoice_id is paid once. */
  blocksDuplicateInvoices: boolean;
}

export interface SigningKey {
  privateKey: string;
  certificate: string;
  /** The last part of the certificate's address. */
  name: string;
}
