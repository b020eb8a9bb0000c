/** The books of the four channels' sandboxes, told in one form. */
import { askSandbox } from '../demo-client';
import type { Books as AlipayBooks } from '../alipay-sandbox/books';
import type { Books as BtcpayBooks } from '../btcpay-sandbox/books';
import type { Books as PayPalBooks } from '../paypal-sandbox/books';
import type { BooksWithRefunds } from '../stripe-sandbox/books';
import type { Stage } from './stage';

export interface ChannelBooks {
  /** The numbers of what the channel has for this payment: there must be one. */
  readonly objects: readonly string[];
  /** minor units, as `refunded` */
  readonly paid: number;
  readonly refunded: number;
  /** The channel's own status of the only object. */
  readonly status: string;
}

export type ChannelName = 'stripe' | 'paypal' | 'alipay' | 'crypto';

export const CHANNEL_TITLES: Readonly<Record<ChannelName, string>> = {
  stripe: 'Stripe’s books',
  paypal: 'PayPal’s books',
  alipay: 'Alipay’s books',
  crypto: 'BTCPay’s books',
};

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

/** @param id of the payment's workflow, which every call to a channel carries */
export async function readChannelBooks(
  stage: Stage,
  channel: ChannelName,
  id: string,
): Promise<ChannelBooks> {
  const query = `?holdfast_id=${encodeURIComponent(id)}`;
  switch (channel) {
    case 'stripe':
      return ofStripe(await askSandbox(`${stage.stripeUrl}/_sandbox/books`), id);
    case 'paypal':
      return ofPayPal(await askSandbox(`${stage.paypalUrl}/_books${query}`));
    case 'alipay':
      return ofAlipay(await askSandbox(`${stage.alipayUrl}/_books${query}`));
    case 'crypto':
      return ofBtcpay(await askSandbox(`${stage.btcpayUrl}/_books${query}`));
  }
}

/** Its refunds carry the id of their own workflow, so all books are read. */
function ofStripe({ payment_intents: intents, refunds }: BooksWithRefunds, id: string): ChannelBooks {
  const own = intents.filter(({ metadata }) => metadata['holdfast_id'] === id);
  const back = refunds.filter(
    (one) => one.status !== 'failed' && own.some((i) => i.id === one.payment_intent),
  );
  return {
    objects: own.map((intent) => intent.id),
    paid: sum(own.map((intent) => intent.amount_received)),
    refunded: sum(back.map(({ amount }) => amount)),
    status: own[0]?.status ?? 'nothing',
  };
}

function ofPayPal({ orders }: PayPalBooks): ChannelBooks {
  return {
    objects: orders.map(({ id }) => id),
    paid: sum(orders.map(({ captured }) => captured)),
    refunded: sum(orders.map(({ refunded }) => refunded)),
    status: orders[0]?.status ?? 'nothing',
  };
}

function ofAlipay({ trades }: AlipayBooks): ChannelBooks {
  return {
    objects: trades.map(({ outTradeNo }) => outTradeNo),
    paid: sum(trades.filter(({ paidMs }) => paidMs > 0).map(({ amount }) => amount)),
    refunded: sum(trades.map(({ refunded }) => refunded)),
    status: trades[0]?.status ?? 'nothing',
  };
}

/** Paid in full when the satoshis that are final cover what was due. */
function ofBtcpay({ invoices }: BtcpayBooks): ChannelBooks {
  const paid = invoices.filter((one) => one.settled_sats > 0 && one.settled_sats === one.due_sats);
  const payouts = invoices.flatMap(({ refunds }) => refunds.flatMap((refund) => refund.payouts));
  return {
    objects: invoices.map(({ id }) => id),
    paid: sum(paid.map(({ amount }) => minor(amount))),
    refunded: sum(payouts.filter(({ state }) => state === 'Completed').map(({ amount }) => minor(amount))),
    status: invoices[0]?.status ?? 'nothing',
  };
}

const minor = (decimal: string) => Math.round(Number(decimal) * 100);
