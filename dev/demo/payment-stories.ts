/** The stories of payments: one at each channel, and one whose answer was lost. Amounts in minor units. */
import type { Books as PayPalBooks } from '../paypal-sandbox/books';
import { askSandbox } from '../demo-client';
import { money } from '../terminal';
import { CHANNEL_TITLES, readChannelBooks } from './channel-books';
import type { ChannelName } from './channel-books';
import { approveAtPayPal, claimRefund, mineBlocks, payAtAlipay, payAtStripe, sendCoins } from './customers';
import type { Payment, Refund } from './payment-client';
import { BACK, clientOf, counted, create, workflowOf } from './payment-steps';
import type { Stage } from './stage';
import { WAIT_MS } from './steps';
import type { Telling } from './steps';
import type { Story } from './story';

const CARD: Telling = {
  title: '8  A room paid by card',
  about: 'The whole price at once, at Stripe; one night less gives a part of it back.',
  tell: async (stage, story) => {
    const payment = await open(stage, story, { channel: 'stripe', amount: 50_000 });
    await story.step(50_000, 'paid: the guest has confirmed in the browser, success', async () => {
      await payAtStripe(stage, payment);
      await clientOf(stage).waitFor(payment.payment_no, 'success', WAIT_MS);
    });
    await giveBack(stage, story, payment, 20_000);
    return end(stage, story, payment, { paid: 50_000, refunded: 20_000, status: 'succeeded' });
  },
};

const PAYPAL: Telling = {
  title: '9  A dinner paid with PayPal',
  about: 'The guest approves at PayPal’s page; the money moves when Holdfast captures what was approved.',
  tell: async (stage, story) => {
    const payment = await open(stage, story, { channel: 'paypal', amount: 18_000, ...BACK });
    await approve(story, payment);
    await story.step(18_000, 'captured by Holdfast: success', () =>
      clientOf(stage).waitFor(payment.payment_no, 'success', WAIT_MS),
    );
    await giveBack(stage, story, payment, 3_000);
    return end(stage, story, payment, { paid: 18_000, refunded: 3_000, status: 'COMPLETED' });
  },
};

const ALIPAY: Telling = {
  title: '10  A tea house paid with Alipay',
  about:
    'The page is signed by Holdfast, the news of it by Alipay; there is a trade only once the guest opens it.',
  currency: 'CNY',
  tell: async (stage, story) => {
    const payment = await open(stage, story, { channel: 'alipay', amount: 26_800, ...BACK });
    await story.step(26_800, 'paid: the guest has opened the page and paid, success', async () => {
      await payAtAlipay(payment);
      await clientOf(stage).waitFor(payment.payment_no, 'success', WAIT_MS);
    });
    await giveBack(stage, story, payment, 6_800);
    return end(stage, story, payment, { paid: 26_800, refunded: 6_800, status: 'TRADE_SUCCESS' });
  },
};

const CRYPTO: Telling = {
  title: '11  A night paid with coins',
  about:
    'An invoice at a BTCPay Server: what is seen in the mempool is not yet paid, and a refund must be claimed.',
  tell: async (stage, story) => {
    const client = clientOf(stage);
    const payment = await open(stage, story, { channel: 'crypto', amount: 12_000 });
    await story.step(12_000, 'seen in the mempool: processing', async () => {
      await sendCoins(stage, payment);
      await client.waitFor(payment.payment_no, 'processing', WAIT_MS);
    });
    await story.step(12_000, 'paid: the blocks are mined, success', async () => {
      await mineBlocks(stage, payment);
      await client.waitFor(payment.payment_no, 'success', WAIT_MS);
    });
    const refund = await giveBack(stage, story, payment, 5_000, 'pending: the guest has a link to claim it');
    await story.step(5_000, 'claimed to an address of the guest and paid out: success', async () => {
      await claimRefund(stage, refund);
      await client.waitForRefund(refund.refund_no, 'success', WAIT_MS);
    });
    return end(stage, story, payment, { paid: 12_000, refunded: 5_000, status: 'Settled' });
  },
};

const LOST: Telling = {
  title: '12  An answer that was lost',
  about:
    'PayPal captures the money and its answer never arrives. Holdfast reads the order again, and finds it paid.',
  tell: async (stage, story) => {
    const client = clientOf(stage);
    const payment = await open(stage, story, { channel: 'paypal', amount: 50_000, ...BACK });
    const id = workflowOf(stage, payment);
    await askSandbox(`${stage.paypalUrl}/_control/faults`, {
      match: { operation: 'capture_order', holdfast_id: id },
      fault: 'timeout_after',
      times: 1,
    });
    await approve(story, payment);
    const startedAt = Date.now();
    const booksAreFull = async () => (await readChannelBooks(stage, 'paypal', id)).paid === 50_000;
    while (!(await booksAreFull()) && Date.now() - startedAt < WAIT_MS) await pause();
    const { status } = await client.read(payment.payment_no);
    story.line(50_000, `captured in PayPal’s books; for Holdfast it is still ${status}`, startedAt);
    await story.step(50_000, 'settled by reading the order: success', () =>
      client.waitFor(payment.payment_no, 'success', WAIT_MS),
    );
    await showCaptures(stage, story, id);
    return end(stage, story, payment, { paid: 50_000, refunded: 0, status: 'COMPLETED' });
  },
};

export const PAYMENT_STORIES: readonly Telling[] = [CARD, PAYPAL, ALIPAY, CRYPTO, LOST];

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

function open(
  stage: Stage,
  story: Story,
  wanted: { readonly channel: ChannelName; readonly amount: number; readonly return_url?: string },
): Promise<Payment> {
  return story.step(
    wanted.amount,
    ({ payment_no: no, status }) => `asked for: ${no}, ${status}`,
    () => create(stage, { currency: story.currency, ...wanted }),
  );
}

function approve(story: Story, payment: Payment): Promise<void> {
  return story.step(payment.amount, 'approved by the guest at PayPal', () => approveAtPayPal(payment));
}

function giveBack(
  stage: Stage,
  story: Story,
  payment: Payment,
  amount: number,
  expected = 'success',
): Promise<Refund> {
  const client = clientOf(stage);
  return story.step(amount, `given back in part: ${expected}`, async () => {
    const { refund_no: no } = await client.refund(payment.payment_no, { amount, reason: 'one night less' });
    return client.waitForRefund(no, expected.split(':')[0] ?? '', WAIT_MS);
  });
}

/** What PayPal was asked about the capture, as it wrote it down. */
async function showCaptures(stage: Stage, story: Story, id: string): Promise<void> {
  const query = `?holdfast_id=${encodeURIComponent(id)}`;
  const { calls } = await askSandbox<PayPalBooks>(`${stage.paypalUrl}/_books${query}`);
  const asked = calls.filter(({ operation }) => operation !== 'create_order');
  const firstAt = asked[0]?.at ?? 0;
  story.table([
    ['call', 'after', 'executed', 'answer'],
    ...asked.map(({ operation, at, executed, status }) => [
      operation,
      `${((at - firstAt) / 1000).toFixed(1)} s`,
      executed ? 'yes' : '',
      status === 0 ? 'none arrived' : String(status),
    ]),
  ]);
  const captures = asked.filter(({ operation }) => operation === 'capture_order');
  const executed = captures.filter((call) => call.executed).length;
  const names = new Set(captures.map((call) => call.request_id)).size;
  const unanswered = captures.filter(({ status }) => status === 0).length;
  story.check(
    executed === 1 && names === 1 && unanswered === 1,
    'The capture',
    `sent ${captures.length} x under ${names} PayPal-Request-Id, executed ${executed} x, unanswered ${unanswered} x`,
  );
}

interface Ending {
  readonly paid: number;
  readonly refunded: number;
  /** The channel's. */
  readonly status: string;
}

/** Compares both sides, and returns the id of the payment's workflow. */
async function end(stage: Stage, story: Story, payment: Payment, ending: Ending): Promise<string> {
  const client = clientOf(stage);
  const id = workflowOf(stage, payment);
  const channel = payment.channel as ChannelName;
  const rows = await client.ofOrder(payment.order_no);
  const refunds = await client.refundsOf(payment.payment_no);
  const given = refunds.filter(({ status }) => status === 'success').reduce((n, { amount }) => n + amount, 0);
  const [row] = rows;
  const figures = (paid: number, refunded: number) =>
    `paid ${money(paid, story.currency)}, refunded ${money(refunded, story.currency)}`;
  story.check(
    rows.length === 1 &&
      row?.status === 'success' &&
      row.amount_paid === ending.paid &&
      given === ending.refunded,
    'Holdfast',
    `${counted(rows.length, 'payment')} of this order: ${figures(row?.amount_paid ?? 0, given)}, ${row?.status}`,
  );
  const books = await readChannelBooks(stage, channel, id);
  // What Holdfast keeps of an Alipay trade says more, behind a dot, than the number Alipay sees.
  const [seenNumber] = (row?.channel_payment_no ?? '').split('.');
  story.check(
    books.objects.join() === seenNumber &&
      books.status === ending.status &&
      books.paid === ending.paid &&
      books.refunded === ending.refunded,
    CHANNEL_TITLES[channel],
    `${counted(books.objects.length, THING[channel])}: ${figures(books.paid, books.refunded)}, ${books.status}`,
  );
  return id;
}

const THING: Readonly<Record<ChannelName, string>> = {
  stripe: 'PaymentIntent',
  paypal: 'order',
  alipay: 'trade',
  crypto: 'invoice',
};
