/** What the contract of payments, refunds and disputes needs to know of a channel, and the verbs with their usual arguments. */
import { randomUUID } from 'node:crypto';
import type { CallIdentity, ChannelAdapter, CustomerStep, Decline } from '../../src/domain/channel';
import type {
  PaymentAnswer,
  PaymentSnapshot,
  PaymentVerbs,
  RefundAnswer,
  RefundSnapshot,
  RefundTarget,
} from '../../src/domain/channel-payment';
import type { Money } from '../../src/domain/money';

/** Where a channel differs from the plain case. Each flag takes away only what the channel itself has not. */
export interface PaymentRestrictions {
  /** As in PaymentCapabilities: a create whose answer was lost can be found by its identity. */
  readonly findable: boolean;
  /** False: create only signs something for the browser; nothing reaches the channel before the customer does. */
  readonly createsAtChannel: boolean;
  /** False: the channel shows nothing of a payment before the customer has opened it, so a read answers undefined. */
  readonly visibleBeforePay: boolean;
  /** Reads give back the `holdfast_id` and `holdfast_call` of the create. */
  readonly keepsIdentity: boolean;
  /**
   * `at_channel`: after a cancel nobody can pay, and a read says `canceled`. `by_us`: the channel cannot close it; the answer
   * to the cancel is `canceled`, and no money moves because completePayment is not called any more.
   */
  readonly cancels: 'at_channel' | 'by_us';
  /** The customer's approval is not the money yet: needsCompletion is true after `pay`, and completePayment takes it. */
  readonly ownCompletion: boolean;
  /** A refund is `pending` at first; `settleRefund` ends it. */
  readonly asyncRefunds: boolean;
  /** A refund must be claimed by the customer: its snapshot carries `claimUrl`. */
  readonly claimLinks: boolean;
  /** False: the channel has no list of refunds that could show others' than ours. */
  readonly listsRefunds: boolean;
  /** Reads of the payment say how much was refunded. */
  readonly showsRefunded: boolean;
  /** Events carry the time of their signature, so that an old one can be refused. */
  readonly eventsCarryTime: boolean;
}

/** The channel that has everything; harnesses say `{ ...PLAIN, ownCompletion: true }`. */
export const PLAIN: PaymentRestrictions = {
  findable: true,
  createsAtChannel: true,
  visibleBeforePay: true,
  keepsIdentity: true,
  cancels: 'at_channel',
  ownCompletion: false,
  asyncRefunds: false,
  claimLinks: false,
  listsRefunds: true,
  showsRefunded: true,
  eventsCarryTime: true,
};

export interface SignedEvent {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface PaymentHarness {
  readonly adapter: ChannelAdapter & PaymentVerbs;
  readonly withBadCredentials: ChannelAdapter & PaymentVerbs;
  readonly timeoutMs: number;
  /** What the tests pay with: a multiple of 400 minor units. */
  readonly money: Money;
  /** Money in currencies of other exponents that the channel takes; each is created, paid and refunded. */
  readonly otherMoney: readonly Money[];
  /** Money the channel cannot express or does not take: the adapter declines it without a call. */
  readonly refusedMoney: readonly Money[];
  readonly restrictions: PaymentRestrictions;
  /**
   * The customer pays (or approves, with `ownCompletion`). Resolves when the channel has the money. Rejects when the channel
   * does not let the customer pay any more.
   */
  pay(channelPaymentNo: string, customer: CustomerStep): Promise<void>;
  /** Absent: the customer's means cannot be declined here. Resolves after the decline; the payment stays open. */
  readonly payWithDecline?: (channelPaymentNo: string, customer: CustomerStep) => Promise<void>;
  /** Brings a pending refund to its end. Needed with asyncRefunds or claimLinks. */
  readonly settleRefund?: (channelRefundNo: string, outcome: 'succeeded' | 'failed') => Promise<void>;
  /** Somebody refunds by hand in the channel's dashboard. */
  readonly makeDashboardRefund?: (snapshot: PaymentSnapshot, money: Money) => Promise<void>;
  /** The cardholder disputes the whole payment. */
  readonly openDispute?: (snapshot: PaymentSnapshot) => Promise<void>;
  readonly closeDispute?: (snapshot: PaymentSnapshot, outcome: 'won' | 'lost') => Promise<void>;
  /** An event about this payment, unsigned. The body contains the number as plain text. */
  eventBody(channelPaymentNo: string, holdfastId: string): string;
  /** Signs as the channel does: in the headers, or in the body where the channel puts it there. */
  signEvent(body: string, unixSeconds: number, isForged: boolean): SignedEvent;
  /** A well-formed number of a payment that does not exist. */
  readonly missingId: string;
  close(): void | Promise<void>;
}

/** Identities of one fresh payment's calls. */
export type Identity = (operation: string) => CallIdentity;

export interface PaidPayment {
  readonly identity: Identity;
  readonly id: string;
  readonly snapshot: PaymentSnapshot;
  readonly target: RefundTarget;
}

export class PaymentSuite {
  harness!: PaymentHarness;
  get exchange() {
    return { timeoutMs: this.harness.timeoutMs };
  }
  get has(): PaymentRestrictions {
    return this.harness.restrictions;
  }
  get money(): Money {
    return this.harness.money;
  }

  newIdentity(): Identity {
    const holdfastId = `payment/contract/${randomUUID()}`;
    return (operation) => ({
      idempotencyKey: `${holdfastId}/${operation}`,
      holdfastId,
      holdfastCall: operation,
    });
  }
  create(call: CallIdentity, money = this.money, adapter: PaymentVerbs = this.harness.adapter) {
    const request = {
      paymentNo: 'PY-contract',
      orderNo: 'ORDER-contract',
      // The same in every request of this suite, because a repeat must send the same body.
      expiresAtUnixSeconds: this.startSeconds + 1_800,
      ...money,
    };
    return adapter.createPayment(request, call, this.exchange);
  }
  private readonly startSeconds = Math.floor(Date.now() / 1000);

  query(id: string): Promise<PaymentSnapshot | undefined> {
    return this.harness.adapter.queryPayment(id, this.exchange);
  }
  cancel(id: string, call: CallIdentity) {
    const request = { channelPaymentNo: id, currency: this.money.currency };
    return this.harness.adapter.cancelPayment(request, call, this.exchange);
  }
  complete(id: string, call: CallIdentity) {
    return this.harness.adapter.completePayment(id, call, this.exchange);
  }

  async created(money = this.money) {
    const identity = this.newIdentity();
    const { answer, customer } = await this.create(identity('create/1'), money);
    return { identity, id: paymentOf(answer).channelPaymentNo, customer };
  }
  /** A payment whose money has arrived, completed where that is a call of its own. */
  async paid(money = this.money): Promise<PaidPayment> {
    const { identity, id, customer } = await this.created(money);
    await this.harness.pay(id, customer);
    if (this.has.ownCompletion) paymentOf(await this.complete(id, identity('complete/1')));
    const snapshot = await this.query(id);
    if (snapshot?.status !== 'succeeded') throw new Error(`not paid: ${JSON.stringify(snapshot)}`);
    return { identity, id, snapshot, target: targetOf(snapshot) };
  }

  refund(paid: PaidPayment, refundNo: string, amount: number, call = paid.identity(`refund/${refundNo}`)) {
    const money = { amount, currency: paid.snapshot.currency };
    return this.harness.adapter.createRefund(
      { refundNo, target: paid.target, ...money },
      call,
      this.exchange,
    );
  }
  /** A refund brought to its end. */
  async refunded(paid: PaidPayment, refundNo: string, amount: number): Promise<RefundSnapshot> {
    const snapshot = refundOf(await this.refund(paid, refundNo, amount));
    if (snapshot.status === 'pending')
      await this.harness.settleRefund?.(snapshot.channelRefundNo, 'succeeded');
    return snapshot;
  }
  listRefunds({ target }: PaidPayment) {
    return this.harness.adapter.listRefunds(target, this.exchange);
  }
}

function targetOf(snapshot: PaymentSnapshot): RefundTarget {
  return {
    kind: 'payment',
    channelNo: snapshot.channelPaymentNo,
    ...(snapshot.channelTradeNo === undefined ? {} : { channelTradeNo: snapshot.channelTradeNo }),
    currency: snapshot.currency,
    amount: snapshot.amountPaid,
  };
}

export function paymentOf(answer: PaymentAnswer): PaymentSnapshot {
  return accepted(answer);
}

export function refundOf(answer: RefundAnswer): RefundSnapshot {
  return accepted(answer);
}

function accepted<T>(answer: { readonly kind: 'done' | 'pending'; readonly snapshot: T } | Decline): T {
  if (answer.kind === 'declined') throw new Error(`declined: ${answer.code} ${answer.providerCode}`);
  return answer.snapshot;
}

export const faultOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => ({ accepted: value }),
    (error: unknown) => error,
  );
