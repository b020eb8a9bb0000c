/** The merchant and the customer of one story, who go on whatever the channels and the worker do meanwhile. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../e2e/harness';
import { newNumber } from '../e2e/merchant-client';
import type { PaymentView } from '../e2e/payment-client';
import { RefundClient } from '../e2e/refund-client';
import type { RefundView } from '../e2e/refund-client';
import { CURRENCY } from './payment-town';
import type { Channel, PaymentTown } from './payment-town';
import type { Story } from './payment-story';

/** Long enough for a customer who means to pay, whatever happens; short where nobody will. */
const PATIENCE_SECONDS = 60;
const SHORT_SECONDS = 5;
const MIDDLE_SECONDS = 30;
const PATIENCE_MS = 240_000;
const TRY_AGAIN_MS = 500;
/** A part of what is paid goes back. */
const PART = 0.6;

const CLOSED: readonly string[] = ['success', 'failed', 'cancelled', 'expired'];

export class Actors {
  /** Numbers of the payments that were answered 201 or 202. */
  readonly accepted: string[] = [];
  /** What the API should not have answered, in sentences. */
  readonly complaints: string[] = [];
  private readonly refunds: RefundClient;

  constructor(private readonly town: PaymentTown) {
    this.refunds = new RefundClient(town.system.client(), '');
  }

  async play(story: Story): Promise<void> {
    await sleep(story.delayMs);
    const orderNo = newNumber('ORDER');
    const first = await this.open(story, story.channel, orderNo);
    await this.goOn(story, first);
    if (story.again === undefined) return;
    const { status, amount_paid: paid } = await this.closed(first.payment_no);
    if (status === 'success' && (story.plot !== 'refunded' || paid === 0)) return;
    const second = await this.open({ ...story, plot: 'paid', faults: {} }, story.again, orderNo);
    await this.goOn({ ...story, plot: 'paid', faults: {} }, second);
  }

  private async open(story: Story, channel: Channel, orderNo: string): Promise<PaymentView> {
    const fields = { amount: story.amount, currency: CURRENCY[channel], channel, order_no: orderNo };
    const body = { ...fields, expires_in: secondsOf(story, channel) };
    if (story.faults.create !== undefined) await this.town.strike(channel, 'create', story.faults.create);
    const times = story.doubleClick ? 2 : 1;
    const replies = await Promise.all(
      Array.from({ length: times }, () => this.town.payments.create(body, randomUUID())),
    );
    const made = replies.filter(({ status }) => status === 201 || status === 202);
    this.accepted.push(...made.map(({ data }) => data.payment_no));
    const others = replies.filter(({ status }) => status !== 201 && status !== 202);
    const [{ data } = { data: undefined }] = made;
    if (data === undefined || made.length > 1 || others.some(({ code }) => code !== 'ORDER_IN_PROGRESS')) {
      const answers = replies.map(({ status, code }) => `${status} ${code}`).join(', ');
      throw new Error(`${channel} ${story.plot}: the order was answered ${answers}`);
    }
    return data;
  }

  private async goOn(story: Story, made: PaymentView): Promise<void> {
    const no = made.payment_no;
    const payment = await this.until(
      no,
      'has something for the customer',
      (view) => CLOSED.includes(view.status) || view.status === 'requires_action',
    );
    if (CLOSED.includes(payment.status)) return this.payTooLate(story, payment);
    switch (story.plot) {
      case 'paid':
        return this.pay(story, payment);
      case 'refunded in part':
      case 'refunded':
        await this.pay(story, payment);
        return this.refund(story, no);
      case 'declined':
        return this.ignoringRefusal(() => this.town.payBadly(payment));
      case 'left alone':
        return this.payTooLate(story, await this.closed(no));
      case 'cancelled':
        return this.cancel(story, payment);
    }
  }

  /** Coins can be sent to a closed payment, and some customers do. */
  private async payTooLate({ plot, stumbles }: Story, payment: PaymentView): Promise<void> {
    const isLate = plot === 'declined' || (plot === 'left alone' && stumbles);
    if (isLate && payment.channel === 'crypto') await this.ignoringRefusal(() => this.town.pay(payment));
  }

  private async pay(story: Story, payment: PaymentView): Promise<void> {
    const channel = payment.channel as Channel;
    const { completion } = story.faults;
    if (completion !== undefined) await this.town.strike(channel, 'completion', completion);
    // Too little in coins is no slip but money that came: another plot.
    if (story.stumbles && channel !== 'crypto') await this.ignoringRefusal(() => this.town.payBadly(payment));
    await this.payInTheEnd(payment);
    await this.closed(payment.payment_no);
  }

  /** A page that takes no money now (at PayPal: until our completion brought the decline back) is tried again. */
  private async payInTheEnd(payment: PaymentView): Promise<void> {
    const isPaid = () =>
      this.town.pay(payment).then(
        () => true,
        () => false,
      );
    const isClosed = async () => {
      const { status, data } = await this.town.payments.get(payment.payment_no);
      return status === 200 && CLOSED.includes(data.status);
    };
    while (!(await isPaid()) && !(await isClosed())) await sleep(TRY_AGAIN_MS);
  }

  private async cancel(story: Story, payment: PaymentView): Promise<void> {
    const channel = payment.channel as Channel;
    // Somebody looks at the code; otherwise Alipay has no trade to close.
    if (story.stumbles && channel === 'alipay') await this.ignoringRefusal(() => this.town.payBadly(payment));
    if (story.faults.cancel !== undefined) await this.town.strike(channel, 'cancel', story.faults.cancel);
    const { status, code } = await this.town.payments.cancel(payment.payment_no, {}, randomUUID());
    const isRight = [200, 202].includes(status) || ['PAYMENT_BUSY', 'PAYMENT_CLOSED'].includes(code);
    if (!isRight) this.complaints.push(`${payment.payment_no}: its cancel was answered ${status} ${code}`);
  }

  /** Two refunds at once that fit, and one more that does not. */
  private async refund(story: Story, paymentNo: string): Promise<void> {
    const { status, amount_paid: paid, channel } = await this.closed(paymentNo);
    if (status !== 'success') return;
    const back = story.plot === 'refunded' ? paid : Math.floor(paid * PART);
    const first = Math.max(Math.floor(back * story.split), 1);
    const object = { kind: 'payment', no: paymentNo } as const;
    if (story.faults.refund !== undefined)
      await this.town.strike(channel as Channel, 'refund', story.faults.refund);
    const wishes = [first, back - first].map((amount) => this.refunds.numbered({ amount }));
    const replies = await Promise.all(wishes.map((wish) => this.refunds.refund(object, wish, randomUUID())));
    for (const { status: answer, code } of replies)
      if (answer !== 201 && answer !== 202)
        this.complaints.push(`${paymentNo}: a refund was answered ${answer} ${code}`);
    const tooMuch = await this.refunds.refund(object, { amount: paid - back + 1 }, randomUUID());
    if (tooMuch.status !== 422 && tooMuch.status !== 409)
      this.complaints.push(`${paymentNo}: too large a refund was answered ${tooMuch.status} ${tooMuch.code}`);
    for (const { refund_no: no } of wishes) await this.fetchRefund(channel as Channel, no);
  }

  private async fetchRefund(channel: Channel, refundNo: string): Promise<void> {
    const until = (what: string, isWanted: (view: RefundView) => boolean) =>
      eventually(
        `refund ${refundNo} ${what}`,
        () => this.refunds.get(refundNo),
        ({ status, data }) => status === 200 && isWanted(data),
        PATIENCE_MS,
      );
    const isOver = ({ status }: RefundView) => status !== 'pending';
    const { data } = await until('is known there', (view) => isOver(view) || view.channel_refund_no !== null);
    if (!isOver(data)) await this.town.claim(channel, data.channel_refund_no ?? '');
    await until('is over', isOver);
  }

  private closed(no: string): Promise<PaymentView> {
    return this.until(no, 'is closed', ({ status }) => CLOSED.includes(status));
  }

  private async until(
    no: string,
    what: string,
    isWanted: (view: PaymentView) => boolean,
  ): Promise<PaymentView> {
    const { data } = await eventually(
      `${no} ${what}`,
      () => this.town.payments.get(no),
      (reply) => reply.status === 200 && isWanted(reply.data),
      PATIENCE_MS,
    );
    return data;
  }

  /** It was closed before the customer was there: the channel's right. */
  private async ignoringRefusal(act: () => Promise<unknown>): Promise<void> {
    await act().catch(() => undefined);
  }
}

function secondsOf({ plot }: Story, channel: Channel): number {
  // Whoever sends too little in coins must be able to.
  if (plot === 'left alone' || (plot === 'declined' && channel !== 'crypto')) return SHORT_SECONDS;
  return plot === 'cancelled' || plot === 'declined' ? MIDDLE_SECONDS : PATIENCE_SECONDS;
}
