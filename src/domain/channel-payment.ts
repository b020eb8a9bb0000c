/**
 * The port to a payment channel, second half: payments (money taken at once), refunds and disputes. The first half, with
 * holds, faults and identities, is channel.ts; the rules are the same: results are values, faults say whether money may
 * have moved, and an adapter that does not know a provider's status says `unknown` and never guesses.
 */
import type { CallIdentity, ChannelAdapter, CustomerStep, Decline, Exchange, ReleaseCause } from './channel';
import type { Money } from './money';

/** What one payment or hold may come to, both inclusive, in minor units. */
export interface AmountBounds {
  readonly min?: number;
  readonly max?: number;
}

/** What a channel can do with payments and refunds, as data: routing and validation read it, adapters obey it. */
export interface PaymentCapabilities {
  readonly currencies: ReadonlySet<string>;
  /** Bounds of one payment by currency, in minor units; a currency without an entry has no known bound. */
  readonly amounts: Readonly<Record<string, AmountBounds>>;
  readonly refunds: boolean;
  readonly partialRefunds: boolean;
  /** How long the channel answers a repeated key of a create, in seconds, taken with a margin; 0: it knows no such keys. */
  readonly createHorizonSeconds: number;
  /** The same for captures, cancels and refunds. */
  readonly horizonSeconds: number;
  /**
   * True: a create whose answer was lost can be found by its identity, in a list or under a number of ours (findPayments).
   * False: only replaying the key can tell.
   */
  readonly findable: boolean;
  /** True: who pays decides how much arrives and when (crypto): too little, too much and too late happen. */
  readonly payerDecidesAmount: boolean;
  /** True: what its customer has not opened ends by its time alone, by the channel's clock: it is looked at again once closed. */
  readonly outlivesCancel?: boolean;
  /** True: only completePayment takes money, and what it has not completed in time is not known any more. */
  readonly forgetsUncompleted?: boolean;
}

/** The statuses of a payment at a channel. */
export const CHANNEL_PAYMENT_STATUSES = [
  /** Waits for the customer: to pay, or to try another means after a decline. */
  'requires_action',
  /** The customer has done its part; the channel is at work (bank transfer, confirmations on chain). */
  'processing',
  'succeeded',
  /** Nothing was taken and nothing can be any more: on our request, at its deadline, or by hand. */
  'canceled',
  /** Ended by the channel without money. */
  'failed',
  /** A provider status that the mapping does not know: read again. */
  'unknown',
] as const;
export type ChannelPaymentStatus = (typeof CHANNEL_PAYMENT_STATUSES)[number];

/** What a channel says of a payment, in our terms. Carries no secret and no personal datum: it may enter a workflow. */
export interface PaymentSnapshot {
  /** The number under which it is read and cancelled: PaymentIntent, order, our out_trade_no, invoice. */
  readonly channelPaymentNo: string;
  /** The number under which its money is refunded, where that is another one: charge, capture, trade_no. */
  readonly channelTradeNo?: string;
  readonly status: ChannelPaymentStatus;
  readonly currency: string;
  /** What was asked for. */
  readonly amount: number;
  /** What has arrived for good, refunds not subtracted; may be less or more than `amount` where the payer decides. */
  readonly amountPaid: number;
  /** What the channel says was refunded so far, by us or by hand. */
  readonly amountRefunded: number;
  readonly closeCause?: ReleaseCause;
  /** Money that arrived although the payment was closed, or at another amount than asked for. */
  readonly irregular?: 'late' | 'partial' | 'over';
  /** The last decline of the customer's means, while the payment stays open for another try. */
  readonly lastDecline?: { readonly code: Decline['code']; readonly providerCode: string };
  /** The `holdfast_id` and `holdfast_call` we sent with the create, where the channel keeps them. */
  readonly holdfastId?: string;
  readonly holdfastCall?: string;
}

export type PaymentAnswer =
  { readonly kind: 'done' | 'pending'; readonly snapshot: PaymentSnapshot } | Decline;

export interface CreatePaymentRequest extends Money {
  readonly paymentNo: string;
  readonly orderNo: string;
  readonly customerEmail?: string;
  readonly description?: string;
  readonly returnUrl?: string;
  /** Unix seconds after which nobody may pay any more, sent to channels that take such a time. */
  readonly expiresAtUnixSeconds: number;
}

/** A payment or a captured hold whose money is to be given back. */
export interface RefundTarget {
  readonly kind: 'payment' | 'pre_auth';
  /** channelPaymentNo or channelPreAuthNo. */
  readonly channelNo: string;
  readonly channelTradeNo?: string;
  /** What was captured or paid. */
  readonly currency: string;
  readonly amount: number;
}

export interface CreateRefundRequest extends Money {
  readonly refundNo: string;
  readonly target: RefundTarget;
  /** For the customer's statement where a channel has one. */
  readonly reason?: string;
}

export const CHANNEL_REFUND_STATUSES = ['pending', 'succeeded', 'failed', 'unknown'] as const;
export type ChannelRefundStatus = (typeof CHANNEL_REFUND_STATUSES)[number];

/** One refund as the channel shows it, ours or one made by hand in its dashboard. */
export interface RefundSnapshot {
  readonly channelRefundNo: string;
  readonly status: ChannelRefundStatus;
  readonly currency: string;
  readonly amount: number;
  /** The `refund_no` and call we sent with it; absent: it is not ours. */
  readonly refundNo?: string;
  readonly holdfastId?: string;
  readonly holdfastCall?: string;
  /** Why it failed, by the provider's own code. */
  readonly failureCode?: string;
  /** Where the customer must claim the money (a pull payment); secret, kept like a customer step. */
  readonly claimUrl?: string;
}

/** A refund we know of: ours, by its call; or one made by hand that an event named. */
export type KnownRefund =
  | { readonly refundNo: string; readonly holdfastId: string; readonly holdfastCall: string }
  | { readonly channelRefundNo: string };

export type RefundAnswer = { readonly kind: 'done' | 'pending'; readonly snapshot: RefundSnapshot } | Decline;

/** A chargeback as the channel tells it. */
export interface DisputeSnapshot {
  readonly channelDisputeNo: string;
  /** The payment or hold it is about, by the number the channel names. */
  readonly channelNo: string;
  readonly status: 'open' | 'won' | 'lost' | 'unknown';
  readonly currency: string;
  readonly amount: number;
  /** The provider's own reason code. */
  readonly reason: string;
}

/** The verbs of payments, refunds and disputes. All throw ChannelFault and nothing else. */
export interface PaymentVerbs {
  /** `channelPaymentNo` is in every answer that is no decline. Done: the money has arrived already. */
  createPayment(
    request: CreatePaymentRequest,
    call: CallIdentity,
    exchange: Exchange,
  ): Promise<{ answer: PaymentAnswer; customer: CustomerStep }>;
  /**
   * Reads a payment. At a channel where the customer's approval is not yet the money (PayPal's CAPTURE orders), reading
   * never captures: that is `completePayment`. undefined: the channel knows no such object.
   */
  queryPayment(channelPaymentNo: string, exchange: Exchange): Promise<PaymentSnapshot | undefined>;
  /** Payments created within these times that carry this identity; [] also where the channel is not `findable`. */
  findPayments(
    call: CallIdentity,
    created: { readonly fromUnixSeconds: number; readonly toUnixSeconds: number },
    exchange: Exchange,
  ): Promise<readonly { snapshot: PaymentSnapshot; customer: CustomerStep }[]>;
  /**
   * Takes the money of a payment that the customer has approved, at channels where that is a call of its own; everywhere
   * else it reads the payment and answers what it finds. A call that may move money: it has its own call row and key.
   */
  completePayment(channelPaymentNo: string, call: CallIdentity, exchange: Exchange): Promise<PaymentAnswer>;
  /** True in a snapshot's moment: the customer has approved and completePayment must follow. Pure. */
  needsCompletion(snapshot: PaymentSnapshot): boolean;
  /** Closes a payment nobody has completed. Declined with `invalid_state` when it was paid meanwhile: read it then. */
  cancelPayment(
    request: { readonly channelPaymentNo: string; readonly currency: string },
    call: CallIdentity,
    exchange: Exchange,
  ): Promise<PaymentAnswer>;

  createRefund(request: CreateRefundRequest, call: CallIdentity, exchange: Exchange): Promise<RefundAnswer>;
  /**
   * All refunds of this object, ours and others', as the channel's consistent list shows them.
   * @param known the refunds we know of: a channel without a list (Alipay) reads these one by one, others ignore them
   */
  listRefunds(
    target: RefundTarget,
    exchange: Exchange,
    known?: readonly KnownRefund[],
  ): Promise<readonly RefundSnapshot[]>;
  /** All disputes of this object; [] where the channel has none. */
  listDisputes(target: RefundTarget, exchange: Exchange): Promise<readonly DisputeSnapshot[]>;
}

/** What one inbound event is about; the object is read again, whatever the event says of it. */
export type InboundSubject = 'payment' | 'pre_auth' | 'refund' | 'dispute' | 'other';

/** Everything one account can be asked: the verbs of holds and those of payments. */
export type FullAdapter = ChannelAdapter & PaymentVerbs;
