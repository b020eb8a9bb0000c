/** What activities need from the outside, wired in runtime.ts. */
import type { ChannelName } from '../domain/channel';
import type { FullAdapter, PaymentCapabilities } from '../domain/channel-payment';
import type { PaidOrder } from '../domain/fee-report';
import type { ObjectRef } from '../domain/ids';
import type { Logger } from '../observability/logger';
import type { Database } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';
import type { CallOperator } from './attention';

/** Gives workflows to rows, and news to workflows. Implemented over the Temporal client. */
export interface WorkflowGateway {
  /** Starts the object's workflow, or does nothing when it is running. */
  ensure(object: ObjectRef): Promise<void>;
  /** Tells the workflow to read its object at the channel again, starting it when it is not running. */
  resync(object: ObjectRef): Promise<void>;
  /** Tells a workflow that is still running to look at its row; does nothing when there is none. */
  wake(object: ObjectRef): Promise<void>;
}

/** How a send to a channel went. `fault`: the channel's own; `decline`: the customer's, or the order's. */
export interface SendOutcome {
  readonly channel: ChannelName;
  /** The channel account it was sent under. */
  readonly accountId: string;
  readonly currency: string;
  /** ISO 3166-1 alpha-2; absent: not known. */
  readonly country?: string;
  readonly outcome: 'success' | 'fault' | 'decline';
  readonly latencyMs: number;
}

export interface ActivityDeps {
  readonly db: Database;
  readonly box: SecretBox;
  readonly log: Logger;
  /** The adapter of this account. @throws Error when there is no such account */
  readonly adapterOf: (accountId: string) => Promise<FullAdapter>;
  readonly idempotencyHorizonMs: (channel: ChannelName) => number;
  /** What a channel can do with payments. @throws Error when it takes none */
  readonly paymentCapabilities: (channel: ChannelName) => PaymentCapabilities;
  /** Told how each send to a channel went: routing learns from it. Absent: nobody does. */
  readonly observe?: (outcome: SendOutcome) => void;
  /** Told of money that has arrived and is committed. Never throws and never waits. Absent: nobody counts it. */
  readonly notePaid?: (paid: PaidOrder) => void;
  /** Whether routing holds this channel out of service now: failover passes it by. Absent: nothing is known of that. */
  readonly isOutOfService?: (channel: ChannelName) => boolean;
  readonly workflows: WorkflowGateway;
  readonly exchangeTimeoutMs: number;
  readonly slowExchangeTimeoutMs: number;
  readonly proofGapMs: number;
  readonly proofAfterSendMs: number;
  /** Says that an object needs an operator. Never throws and never waits. */
  readonly callOperator: CallOperator;
  readonly defaultMaxRetries: number;
  /** Tells the relays, after a commit, that merchants are to be told something. Never throws and never waits. */
  readonly ringOutbox: () => void;
  readonly now: () => number;
}

/** Names a hold; all that a workflow is started with. */
export interface HoldRef {
  readonly merchantId: string;
  readonly preAuthNo: string;
}

/** Names a refund; all that a workflow is started with. */
export interface RefundRef {
  readonly merchantId: string;
  readonly refundNo: string;
}

/** Names a payment; all that a workflow is started with. */
export interface PaymentRef {
  readonly merchantId: string;
  readonly paymentNo: string;
}
