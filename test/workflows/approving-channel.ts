/** A channel in memory whose customers approve first and whose money is taken by a call of ours. */
import { ChannelFault } from '../../src/domain/channel';
import type { Decline } from '../../src/domain/channel';
import type { PaymentAnswer, PaymentSnapshot, PaymentVerbs } from '../../src/domain/channel-payment';

export const TRADE_AMOUNT = 5_000;

/** What happens to the next call of an operation. */
type Mishap = 'lost_after' | 'stored_error' | Decline | { readonly tryAgain: Decline };

/** One payment at the channel. */
interface Trade {
  status: PaymentSnapshot['status'];
  isApproved: boolean;
  lastDecline: Decline | undefined;
}

/** Keys are kept and answered again, as long as the horizon lasts. */
export class ApprovingChannel implements Pick<
  PaymentVerbs,
  'createPayment' | 'queryPayment' | 'findPayments' | 'completePayment' | 'needsCompletion' | 'cancelPayment'
> {
  readonly trades = new Map<string, Trade>();
  readonly taken: string[] = [];
  readonly mishaps = new Map<string, Mishap[]>();
  /** Thrown at the next creates instead of an answer. */
  readonly crashes: Error[] = [];
  /** Operations that are executed neither now nor later, and never answered. */
  readonly down = new Set<string>();
  private readonly kept = new Map<string, () => PaymentAnswer>();

  private show(no: string): PaymentSnapshot {
    const trade = this.trades.get(no);
    if (trade === undefined) throw new Error(`no trade ${no}`);
    const isPaid = trade.status === 'succeeded';
    const isOpen = trade.status === 'requires_action';
    return {
      channelPaymentNo: no,
      ...(isPaid ? { channelTradeNo: `T-${no}` } : {}),
      status: isOpen && trade.isApproved ? 'processing' : trade.status,
      currency: 'USD',
      amount: TRADE_AMOUNT,
      amountPaid: isPaid ? TRADE_AMOUNT : 0,
      amountRefunded: 0,
      ...(trade.lastDecline === undefined ? {} : { lastDecline: trade.lastDecline }),
    };
  }

  needsCompletion({ status, channelTradeNo }: PaymentSnapshot): boolean {
    return status === 'processing' && channelTradeNo === undefined;
  }

  createPayment: PaymentVerbs['createPayment'] = async ({ paymentNo }, { idempotencyKey }) => {
    const crash = this.crashes.shift();
    if (crash !== undefined) throw crash;
    const answer = await this.once('create', idempotencyKey, () => {
      this.trades.set(paymentNo, { status: 'requires_action', isApproved: false, lastDecline: undefined });
      return { kind: 'pending', snapshot: this.show(paymentNo) };
    });
    return { answer, customer: { nextAction: { type: 'redirect', url: 'https://channel.example/' } } };
  };

  queryPayment: PaymentVerbs['queryPayment'] = (no) => Promise.resolve(this.show(no));
  findPayments: PaymentVerbs['findPayments'] = () => Promise.resolve([]);

  completePayment: PaymentVerbs['completePayment'] = (no, { idempotencyKey }) =>
    this.once('complete', idempotencyKey, () => {
      const trade = this.trades.get(no);
      if (trade?.isApproved !== true || trade.status !== 'requires_action')
        return { kind: 'declined', code: 'invalid_state', providerCode: 'NOT_APPROVED' };
      trade.status = 'succeeded';
      this.taken.push(no);
      return { kind: 'done', snapshot: this.show(no) };
    }, (decline) => {
      const trade = this.trades.get(no);
      if (trade !== undefined) Object.assign(trade, { isApproved: false, lastDecline: decline });
      return { kind: 'pending', snapshot: this.show(no) };
    }); // prettier-ignore

  cancelPayment: PaymentVerbs['cancelPayment'] = ({ channelPaymentNo: no }, { idempotencyKey }) =>
    this.once('cancel', idempotencyKey, () => {
      const trade = this.trades.get(no);
      if (trade?.status !== 'requires_action')
        return { kind: 'declined', code: 'invalid_state', providerCode: 'CAPTURED' };
      trade.status = 'canceled';
      return { kind: 'done', snapshot: this.show(no) };
    });

  private once(
    operation: string,
    key: string,
    work: () => PaymentAnswer,
    tryAgain?: (decline: Decline) => PaymentAnswer,
  ): Promise<PaymentAnswer> {
    if (this.down.has(operation)) throw new ChannelFault('maybe_executed', 'no answer');
    const kept = this.kept.get(key);
    if (kept !== undefined) return Promise.resolve().then(kept);
    const mishap = this.mishaps.get(operation)?.shift();
    const answer = this.answerUnder(mishap, work, tryAgain);
    this.kept.set(key, answer);
    if (mishap === 'lost_after') throw new ChannelFault('maybe_executed', 'lost');
    return Promise.resolve().then(answer);
  }

  private answerUnder(
    mishap: Mishap | undefined,
    work: () => PaymentAnswer,
    tryAgain: ((decline: Decline) => PaymentAnswer) | undefined,
  ): () => PaymentAnswer {
    if (mishap === 'stored_error') {
      return () => {
        throw new ChannelFault('maybe_executed', 'stored', true);
      };
    }
    if (mishap !== undefined && mishap !== 'lost_after' && 'tryAgain' in mishap && tryAgain !== undefined) {
      const declined = tryAgain(mishap.tryAgain);
      return () => declined;
    }
    const answer = mishap !== undefined && mishap !== 'lost_after' && 'kind' in mishap ? mishap : work();
    return () => answer;
  }
}
