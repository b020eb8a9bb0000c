/**
 * The customer pays in the very instant in which the payment expires or is cancelled, at each channel; and a hundred
 * refunds at once want more than was paid. Whoever wins, every cent is the payment's, or late money the merchant is told of.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../e2e/harness';
import { newNumber } from '../e2e/merchant-client';
import type { PaymentView } from '../e2e/payment-client';
import { seededRandom } from '../../dev/seeded-random';
import { RefundClient } from '../e2e/refund-client';
import { checkPaymentBooks } from './payment-books';
import type { PaymentEvidence } from './payment-books';
import { CHANNELS, CURRENCY, PaymentTown } from './payment-town';
import type { Channel } from './payment-town';
import { SEED, SOAK } from './victims';

const ROUNDS = SOAK ? 50 : 3;
const AT_ONCE = SOAK ? 5 : ROUNDS;
const AMOUNT = 50_000;
/** Long enough for the payments of one batch to be made. */
const EXPIRES_IN_SECONDS = 6;
const FAR_SECONDS = 30;
/** Either may be first at the channel, to which the end needs a moment longer than the customer. */
const FIRST_MS = 50;
const LAST_MS = 350;
const SETTLED_WITHIN_MS = 90_000;
const AFTERMATH_MS = 1_500;
const ENDS = ['expiry', 'cancel'] as const;
type End = (typeof ENDS)[number];

const REFUNDS = 100;
const REFUND_MIN = 500;
const REFUND_MAX = 1_500;

let town: PaymentTown;
const accepted: string[] = [];

beforeAll(async () => {
  town = await PaymentTown.open({ DB_POOL_SIZE: '10' });
}, 120_000);
afterAll(() => town?.close(), 30_000);

const open = async (channel: Channel, fields: object = {}): Promise<PaymentView> => {
  const payment = await town.payments.open({
    ...{ channel, amount: AMOUNT, currency: CURRENCY[channel], order_no: newNumber('ORDER') },
    ...fields,
  });
  accepted.push(payment.payment_no);
  return payment;
};

describe.each(ENDS)(`paid in the instant of its %s (HOLDFAST_SEED=${SEED})`, (end) => {
  const numbers = new Map<Channel, Set<string>>();
  let evidence: PaymentEvidence;

  beforeAll(
    async () => {
      const play = async (channel: Channel) => numbers.set(channel, await rounds(channel, end));
      if (SOAK) for (const channel of CHANNELS) await play(channel);
      // Few enough to be made before the first of them expires.
      else await Promise.all(CHANNELS.map(play));
      evidence = await town.settledEvidence(accepted, SETTLED_WITHIN_MS, AFTERMATH_MS);
    },
    SETTLED_WITHIN_MS + 30_000 * ROUNDS * CHANNELS.length,
  );

  it.each(CHANNELS)('at %s: success, or closed with a row of late money and its event', (channel) => {
    const own = evidence.payments.filter((row) => numbers.get(channel)?.has(row.payment_no));
    const late = evidence.late.filter((row) => numbers.get(channel)?.has(row.object_no));
    const paid = own.filter(({ status }) => status === 'success');
    process.stderr.write(
      `  ${channel}, ${end}: ${own.length} rounds, ${paid.length} success, ${own.length - paid.length} closed, ${late.length} late\n`,
    );
    expect(checkPaymentBooks(evidence)).toEqual([]);
    expect(own).toHaveLength(ROUNDS);
    // Coins cannot be refused: each of these customers has paid, and the merchant has heard of each.
    if (channel === 'crypto') expect(paid.length + late.length).toBe(ROUNDS);
  });
});

/** @returns the payments' numbers */
async function rounds(channel: Channel, end: End): Promise<Set<string>> {
  const random = seededRandom(SEED + CHANNELS.indexOf(channel) + 10 * ENDS.indexOf(end));
  const numbers = new Set<string>();
  for (let done = 0; done < ROUNDS; done += AT_ONCE) {
    const size = Math.min(AT_ONCE, ROUNDS - done);
    const leads = Array.from({ length: size }, () => FIRST_MS - random() * (FIRST_MS + LAST_MS));
    const batch = await Promise.all(leads.map((lead) => round(channel, end, lead)));
    batch.forEach((no) => numbers.add(no));
  }
  return numbers;
}

/** @param leadMs how long before the end the customer pays; below zero: after it */
async function round(channel: Channel, end: End, leadMs: number): Promise<string> {
  const payment = await open(channel, { expires_in: end === 'expiry' ? EXPIRES_IN_SECONDS : FAR_SECONDS });
  const { payment_no: no } = payment;
  // The channel may refuse: then nothing was paid.
  const pay = () => town.pay(payment).catch(() => undefined);
  if (end === 'expiry') {
    await sleep(Math.max((await endMsOf(no)) - leadMs - Date.now(), 0));
    await pay();
  } else {
    const cancelling = sleep(Math.max(leadMs, 0)).then(() => town.payments.cancel(no, {}, randomUUID()));
    await sleep(Math.max(-leadMs, 0)).then(pay);
    const { status, code } = await cancelling;
    if (status >= 300) expect(code).toMatch(/^PAYMENT_(CLOSED|BUSY|NOT_CANCELLABLE)$/);
  }
  return no;
}

/** To the millisecond; what the merchant is told is in whole seconds. */
async function endMsOf(paymentNo: string): Promise<number> {
  const [row] = await town.system.rows<{ expires_at: Date }>(
    'SELECT expires_at FROM payments WHERE payment_no = $1',
    [paymentNo],
  );
  if (row === undefined) throw new Error(`there is no payment ${paymentNo}`);
  return row.expires_at.getTime();
}

it.each(SOAK ? CHANNELS : (['stripe'] as const))(
  `${REFUNDS} refunds at once at %s: exactly those that fit succeed (HOLDFAST_SEED=${SEED})`,
  async (channel) => {
    const random = seededRandom(SEED + 100 + CHANNELS.indexOf(channel));
    const refunds = new RefundClient(town.system.client(), '');
    const payment = await open(channel, { expires_in: FAR_SECONDS });
    await town.pay(payment);
    await town.payments.waitFor(payment.payment_no, 'success');
    const object = { kind: 'payment', no: payment.payment_no } as const;
    const amounts = Array.from({ length: REFUNDS }, () =>
      Math.floor(REFUND_MIN + random() * (REFUND_MAX - REFUND_MIN)),
    );
    const replies = await Promise.all(
      amounts.map(async (amount) => ({
        amount,
        reply: await refunds.refund(object, refunds.numbered({ amount }), randomUUID()),
      })),
    );
    const taken = replies.filter(({ reply }) => reply.status === 201 || reply.status === 202);
    const refused = replies.filter((one) => !taken.includes(one));
    const given = taken.reduce((sum, { amount }) => sum + amount, 0);
    expect(given).toBeLessThanOrEqual(AMOUNT);
    // What was refused did not fit, and still does not.
    expect(refused.filter(({ amount }) => amount <= AMOUNT - given)).toEqual([]);
    expect(new Set(refused.map(({ reply }) => reply.status))).toEqual(new Set([422]));
    for (const { reply } of taken) {
      const known = await eventually(
        'the channel knows the refund',
        () => refunds.get(reply.data.refund_no),
        ({ data }) => typeof data.channel_refund_no === 'string',
        SETTLED_WITHIN_MS,
      );
      if (known.data.status === 'pending') await town.claim(channel, known.data.channel_refund_no ?? '');
    }
    const evidence = await town.settledEvidence(accepted, SETTLED_WITHIN_MS, AFTERMATH_MS);
    expect(checkPaymentBooks(evidence)).toEqual([]);
    const own = evidence.refunds.filter((row) => row.object_no === payment.payment_no);
    expect(own.filter(({ status }) => status === 'success')).toHaveLength(taken.length);
    process.stderr.write(
      `  ${channel}: ${taken.length} of ${REFUNDS} refunds fitted, ${given} of ${AMOUNT} went back\n`,
    );
  },
  SETTLED_WITHIN_MS + 120_000,
);
