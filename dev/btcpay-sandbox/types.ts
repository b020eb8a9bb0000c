/** What the sandbox keeps. Bitcoin amounts are whole satoshis; bigint would not survive JSON, and they are safe. */
import type { JsonObject } from '../sandbox/http';

export type { JsonObject };

export type InvoiceStatus = 'New' | 'Processing' | 'Settled' | 'Expired' | 'Invalid';
export type AdditionalStatus = 'None' | 'PaidPartial' | 'PaidOver' | 'PaidLate' | 'Marked';
export type MethodId = 'BTC-CHAIN' | 'BTC-LN';

export interface Payment {
  readonly id: string;
  readonly methodId: MethodId;
  readonly sats: number;
  readonly receivedDate: number;
  status: 'Processing' | 'Settled' | 'Invalid';
}

export interface Invoice {
  readonly id: string;
  readonly storeId: string;
  /** Decimal strings, as they were asked for and as they are quoted. */
  readonly amount: string;
  readonly currency: string;
  readonly rate: string;
  readonly dueSats: number;
  readonly createdTime: number;
  expirationTime: number;
  status: InvoiceStatus;
  additionalStatus: AdditionalStatus;
  readonly metadata: JsonObject;
  readonly redirectURL: string | null;
  readonly payments: Payment[];
}

export interface PullPayment {
  readonly id: string;
  readonly storeId: string;
  /** The invoice it refunds; BTCPay keeps it and does not show it. */
  readonly invoiceId: string;
  readonly name: string;
  readonly description: string | null;
  readonly amount: string;
  readonly currency: string;
  readonly autoApproveClaims: boolean;
  readonly startsAt: number;
  archived: boolean;
}

export type PayoutState = 'AwaitingApproval' | 'AwaitingPayment' | 'InProgress' | 'Completed' | 'Cancelled';

export interface Payout {
  readonly id: string;
  readonly pullPaymentId: string;
  readonly storeId: string;
  readonly date: number;
  readonly originalAmount: string;
  readonly originalCurrency: string;
  state: PayoutState;
}

export interface ApiKey {
  readonly key: string;
  readonly storeId: string;
  readonly permissions: readonly string[];
}

export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly storeId: string;
}

/** An event that one webhook has not acknowledged yet; every try of it is a delivery of its own. */
export interface StoredEvent {
  readonly id: string;
  readonly webhookId: string;
  readonly body: JsonObject;
  isDelivered: boolean;
}
