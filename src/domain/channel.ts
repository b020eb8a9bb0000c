/**
 * The port to a payment channel: a few verbs, results as values, faults as exceptions that say whether money may
 * have moved. Adapters live in src/channels, one folder each; this file knows none of them.
 */
import type { InboundSubject } from './channel-payment';
import type { Money } from './money';

export const CHANNELS = ['stripe', 'paypal', 'alipay', 'crypto'] as const;
export type ChannelName = (typeof CHANNELS)[number];

export type World = 'live' | 'test';

/** What an account at a channel can do, as data: routing and validation read it, adapters obey it. */
export interface ChannelCapabilities {
  readonly preAuth: boolean;
  readonly partialCapture: boolean;
  /** More than one capture of one hold (`final: false` means something). */
  readonly multipleCaptures: boolean;
  readonly currencies: ReadonlySet<string>;
  /** Longest the channel keeps a hold, in seconds, when it names no deadline itself. */
  readonly holdValiditySeconds: number;
  /** How long the channel answers a repeated idempotency key, in seconds, taken with a margin. */
  readonly idempotencyHorizonSeconds: number;
  /**
   * True: what its customer has not opened cannot be closed at the channel, so that money may be held for a hold that has
   * ended. It is looked at again once it is closed.
   */
  readonly outlivesCancel?: boolean;
}

/** An account with its credentials opened; never logged, never given to a workflow. */
export interface ChannelAccount {
  readonly id: string;
  readonly channel: ChannelName;
  readonly world: World;
  /** null: the platform's account, used by every merchant that has none of its own. */
  readonly merchantId: string | null;
  readonly credentials: Readonly<Record<string, string>>;
  /** Overrides of the channel's capabilities that this account's contract grants. */
  readonly contract: ChannelContract;
}

/** What an account's contract with its channel grants beyond the channel's own capabilities. */
export type ChannelContract = Readonly<{
  multipleCaptures?: boolean;
  /** Holds are signed (Alipay's fund authorisation); elsewhere the channel itself says whether it holds money. */
  preAuth?: boolean;
  /** Currencies beside the channel's own (Alipay's cross-border contracts). */
  currencies?: readonly string[];
}>;

/** The statuses of a hold at a channel. `unknown` = a provider status that the mapping does not know: read again. */
export const CHANNEL_HOLD_STATUSES = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
  'succeeded',
  'canceled',
  'unknown',
] as const;
export type ChannelHoldStatus = (typeof CHANNEL_HOLD_STATUSES)[number];

/** Why a channel closed a hold without capturing: on our request, at its own deadline, or by hand in its dashboard. */
export type ReleaseCause = 'requested' | 'deadline' | 'dashboard';

/** What a channel says of a hold, in our terms. Carries no secret and no personal datum: it may enter a workflow. */
export interface HoldSnapshot {
  readonly channelPreAuthNo: string;
  readonly status: ChannelHoldStatus;
  readonly currency: string;
  readonly amount: number;
  readonly amountCapturable: number;
  readonly amountCaptured: number;
  /** Unix seconds after which the channel releases the hold by itself, when it says so. */
  readonly captureBefore?: number;
  readonly releaseCause?: ReleaseCause;
  /** The `holdfast_id` and `holdfast_call` we sent with the create. */
  readonly holdfastId?: string;
  readonly holdfastCall?: string;
}

export type NextAction =
  | { readonly type: 'client_secret' }
  | { readonly type: 'redirect'; readonly url: string }
  | { readonly type: 'qr_code'; readonly content: string };

/** What the customer's browser needs. Secret: kept encrypted in PostgreSQL, nowhere else. */
export interface CustomerStep {
  readonly clientSecret?: string;
  readonly nextAction?: NextAction;
}

/** The closed list of why a channel says no. A decline is definite: nothing was executed. */
export const DECLINE_CODES = [
  'card_declined',
  'insufficient_funds',
  'expired_card',
  'authentication_required',
  'fraud_suspected',
  'hold_expired',
  'invalid_state',
  'invalid_amount',
  'invalid_currency',
  'invalid_request',
  'account_invalid',
  'object_not_found',
  'processing_error',
] as const;
export type DeclineCode = (typeof DECLINE_CODES)[number];

export interface Decline {
  readonly kind: 'declined';
  readonly code: DeclineCode;
  /** The provider's own code, for operators: no free text, which may carry personal data. */
  readonly providerCode: string;
  /** True: of a step before the money call, which was not sent this time. It says nothing of earlier sends. */
  readonly ofPreparation?: true;
}

/** The answer of a verb that may move money: executed (`done`), waiting for the customer or the channel (`pending`), or declined. */
export type HoldAnswer = { readonly kind: 'done' | 'pending'; readonly snapshot: HoldSnapshot } | Decline;

/**
 * A fault: no answer that can be trusted.
 * - `not_sent`: the request certainly never reached the channel; the same key may be sent again at once.
 * - `in_progress`: the channel is working on this very key; ask again later with the same key.
 * - `maybe_executed`: anything may have happened; `storedAnswer` = the channel replays this error for the key.
 */
export type FaultExecution = 'not_sent' | 'in_progress' | 'maybe_executed';

export class ChannelFault extends Error {
  override readonly name = 'ChannelFault';
  constructor(
    readonly execution: FaultExecution,
    /** Short and safe to store and log: an error class or provider code, never a body. */
    readonly reason: string,
    readonly storedAnswer = false,
  ) {
    super(`${execution}: ${reason}`);
  }
}

/** How one exchange is made. `timeoutMs` bounds it whole, the client's own repeat included. */
export interface Exchange {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** What every call that may move money carries. */
export interface CallIdentity {
  readonly idempotencyKey: string;
  /** The workflow id, sent as metadata `holdfast_id`. */
  readonly holdfastId: string;
  /** Operation and attempt, e.g. `create/1`, sent as metadata `holdfast_call`. */
  readonly holdfastCall: string;
}

export interface CreatePreAuthRequest extends Money {
  readonly preAuthNo: string;
  readonly orderNo: string;
  readonly customerEmail?: string;
  readonly description?: string;
  readonly returnUrl?: string;
}

export interface CapturePreAuthRequest extends Money {
  readonly channelPreAuthNo: string;
  /** false: keep the rest held. Sent only to accounts with `multipleCaptures`. */
  readonly final: boolean;
}

export interface CancelPreAuthRequest {
  readonly channelPreAuthNo: string;
  readonly currency: string;
}

/** An event a channel sent, verified. */
export interface InboundEvent {
  readonly eventId: string;
  readonly type: string;
  /** What is news: of a payment, a hold, a refund, a dispute. */
  readonly subject: InboundSubject;
  /** The channel's number of what it speaks of: of the payment or hold, of its trade, or of the refund. */
  readonly objectId?: string;
  /** The refund's number, where that is news besides its object's: a channel without a list of refunds is asked by it. */
  readonly channelRefundNo?: string;
  readonly holdfastId?: string;
  /** The idempotency key of the request that brought it about: one of ours means that its answer tells the same. */
  readonly causedByKey?: string;
}

/** Thrown by parseInboundEvent for a body whose signature does not hold. */
export class InvalidEventSignature extends Error {
  override readonly name = 'InvalidEventSignature';
}

/** One adapter speaks for one account. Verbs throw ChannelFault and nothing else. */
export interface ChannelAdapter {
  readonly channel: ChannelName;
  createPreAuth(
    request: CreatePreAuthRequest,
    call: CallIdentity,
    exchange: Exchange,
  ): Promise<{ answer: HoldAnswer; customer: CustomerStep }>;
  capturePreAuth(request: CapturePreAuthRequest, call: CallIdentity, exchange: Exchange): Promise<HoldAnswer>;
  cancelPreAuth(request: CancelPreAuthRequest, call: CallIdentity, exchange: Exchange): Promise<HoldAnswer>;
  /**
   * Reserves the money of a hold that the customer has approved: present where `requires_confirmation` waits for a call of
   * ours, and where nothing is held before it. Absent: the customer confirms, and the channel reserves by itself.
   * A decline leaves the hold open: the customer may approve again with another means.
   */
  completePreAuth?(channelPreAuthNo: string, call: CallIdentity, exchange: Exchange): Promise<HoldAnswer>;
  /** undefined: the channel knows no such object. */
  queryPreAuth(channelPreAuthNo: string, exchange: Exchange): Promise<HoldSnapshot | undefined>;
  /**
   * Holds created within these times (the adapter adds a margin for clocks) that carry this identity: the question to ask when an answer was lost and
   * there is no id. Uses the channel's consistent list, never its lagging search. `customer` as a create would give it.
   */
  findPreAuths(
    call: CallIdentity,
    created: { readonly fromUnixSeconds: number; readonly toUnixSeconds: number },
    exchange: Exchange,
  ): Promise<readonly { snapshot: HoldSnapshot; customer: CustomerStep }[]>;
  /**
   * @param rawBody the bytes as they came
   * @throws InvalidEventSignature; ChannelFault when what is needed to verify it cannot be had now
   */
  parseInboundEvent(
    rawBody: Buffer,
    headers: Readonly<Record<string, string | undefined>>,
  ): InboundEvent | Promise<InboundEvent>;
  /** What the channel must read to take an event as received; absent: our own JSON, as any 200 will do. */
  readonly acknowledgement?: { readonly contentType: string; readonly body: string };
}
