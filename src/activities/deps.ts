/** What activities need from the outside, wired in runtime.ts. */
import type { ChannelAdapter, ChannelName } from '../domain/channel';
import type { Logger } from '../observability/logger';
import type { Database } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';

/** Gives workflows to rows, and news to workflows. Implemented over the Temporal client. */
export interface WorkflowGateway {
  /** Starts the hold's workflow, or does nothing when it is running. */
  ensurePreAuth(merchantId: string, preAuthNo: string): Promise<void>;
  /** Tells the hold's workflow to read its object again, starting it when it is not running. */
  resyncPreAuth(merchantId: string, preAuthNo: string): Promise<void>;
  /** Tells a workflow that is still running to look at its row; does nothing when there is none. */
  wakePreAuth(merchantId: string, preAuthNo: string): Promise<void>;
}

export interface ActivityDeps {
  readonly db: Database;
  readonly box: SecretBox;
  readonly log: Logger;
  /** The adapter of this account. @throws Error when there is no such account */
  readonly adapterOf: (accountId: string) => Promise<ChannelAdapter>;
  readonly idempotencyHorizonMs: (channel: ChannelName) => number;
  readonly workflows: WorkflowGateway;
  readonly exchangeTimeoutMs: number;
  readonly slowExchangeTimeoutMs: number;
  readonly proofGapMs: number;
  readonly proofAfterSendMs: number;
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
