/** A merchant that gives money back, of payments and of captured holds alike, and what must be true of it afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BookedRefund, BooksWithRefunds } from '../../dev/stripe-sandbox/books';
import type { System } from './harness';
import { newNumber } from './merchant-client';
import type { MerchantClient, Reply } from './merchant-client';
import { PaymentClient } from './payment-client';

const POLL_MS = 40;
const WAIT_MS = 40_000;
export const PAID = 50_000;

export interface RefundView {
  readonly refund_no: string;
  readonly payment_no?: string;
  readonly pre_auth_no?: string;
  readonly order_no: string;
  readonly channel: string;
  readonly channel_refund_no: string | null;
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
  readonly reason?: string;
  readonly next_action?: { readonly type: string; readonly url: string };
  readonly decline_code?: string;
  readonly created_at: number;
  readonly closed_at?: number;
}

export const KINDS = ['payment', 'pre_auth'] as const;
export type Kind = (typeof KINDS)[number];

/** A payment or a captured hold of 500.00 USD. */
export interface PaidObject {
  readonly kind: Kind;
  readonly no: string;
  readonly orderNo: string;
  readonly channelNo: string;
}

const newRefundNo = () => newNumber('RF');

export class RefundClient {
  constructor(
    readonly merchant: MerchantClient,
    private readonly stripeUrl: string,
  ) {}

  /** Something that was paid with this card. */
  async paid(kind: Kind, card = 'pm_card_visa'): Promise<PaidObject> {
    return kind === 'payment' ? this.paidPayment(card) : this.capturedHold(card);
  }

  private async paidPayment(card: string): Promise<PaidObject> {
    const payments = new PaymentClient(this.merchant, this.stripeUrl);
    const payment = await payments.open({ amount: PAID });
    await payments.pay(payment, card);
    const { payment_no: no, channel_payment_no: channelNo } = await payments.waitFor(
      payment.payment_no,
      'success',
    );
    return { kind: 'payment', no, orderNo: payment.order_no, channelNo: channelNo ?? '' };
  }

  private async capturedHold(card: string): Promise<PaidObject> {
    const orderNo = newNumber('ORDER');
    const hold = await this.merchant.held(this.stripeUrl, { amount: PAID, order_no: orderNo }, card);
    const captured = await this.merchant.capture(hold.pre_auth_no);
    if (captured.status !== 200) throw new Error(`capture: ${captured.status} ${captured.code}`);
    const channelNo = captured.data.channel_pre_auth_no;
    return { kind: 'pre_auth', no: hold.pre_auth_no, orderNo, channelNo };
  }

  path({ kind, no }: Pick<PaidObject, 'kind' | 'no'>): string {
    return `/api/v1/${kind === 'payment' ? 'payments' : 'pre-auth'}/${no}/refunds`;
  }

  refund(
    object: Pick<PaidObject, 'kind' | 'no'>,
    fields: object = {},
    key?: string,
  ): Promise<Reply<RefundView>> {
    return this.merchant.call(this.path(object), { json: fields, ...(key !== undefined && { key }) });
  }

  /** With a number that is known before the request is made. */
  numbered(fields: object = {}): { readonly refund_no: string } {
    return { refund_no: newRefundNo(), ...fields };
  }

  get(refundNo: string): Promise<Reply<RefundView>> {
    return this.merchant.call(`/api/v1/refunds/${refundNo}`);
  }

  list(object: PaidObject, query = ''): Promise<Reply<{ items: RefundView[]; next_cursor: string | null }>> {
    return this.merchant.call(`${this.path(object)}${query}`);
  }

  async waitFor(refundNo: string, status: string): Promise<RefundView> {
    const endMs = Date.now() + WAIT_MS;
    for (;;) {
      const reply = await this.get(refundNo);
      if (reply.status === 200 && reply.data.status === status) return reply.data;
      if (Date.now() > endMs) {
        const now = reply.status === 200 ? reply.data.status : `${reply.status} ${reply.code}`;
        throw new Error(`${refundNo} is ${now}, not ${status}, after ${WAIT_MS} ms`);
      }
      await sleep(POLL_MS);
    }
  }
}

export function refundWorkflowId(system: System, refundNo: string): string {
  return `refund/${system.merchant.merchantId}/${refundNo}`;
}

/** The sandbox's refunds of an object, dashboard ones too. */
export async function bookedRefunds(system: System, { channelNo }: PaidObject): Promise<BookedRefund[]> {
  const books = (await system.sandbox.books()) as BooksWithRefunds;
  return books.refunds.filter(({ payment_intent: intent }) => intent === channelNo);
}

interface ObjectRow {
  paid: number;
  refund_reserved: number;
  refunded_external: number;
  version: number;
}

export async function objectRow(system: System, { kind, no }: PaidObject): Promise<ObjectRow> {
  const [row] = await system.rows<ObjectRow>(
    kind === 'payment'
      ? 'SELECT amount_paid AS paid, refund_reserved, refunded_external, version FROM payments WHERE payment_no = $1'
      : 'SELECT amount_captured AS paid, refund_reserved, refunded_external, version FROM pre_auths WHERE pre_auth_no = $1',
    [no],
  );
  if (row === undefined) throw new Error(`there is no ${kind} ${no}`);
  return row;
}

const BOOKED_STATUS: Readonly<Record<string, string>> = {
  success: 'succeeded',
  pending: 'pending',
  failed: 'failed',
};

/**
 * Asserts that the object's reservation, its refunds, their calls and events, and the sandbox's books tell the same.
 * @param byHand what was refunded in the dashboard, in minor units
 */
export async function expectRefundAgreement(system: System, object: PaidObject, byHand = 0): Promise<void> {
  const rows = await system.rows<{
    refund_no: string;
    amount: number;
    status: string;
    event_sequence: number;
    channel_refund_no: string | null;
    has_open_call: boolean;
    events: number[];
  }>(
    `SELECT refund_no, amount, status, event_sequence, channel_refund_no,
       EXISTS (SELECT 1 FROM channel_calls c WHERE c.object_kind = 'refund' AND c.object_no = refund_no AND c.state = 'open') AS has_open_call,
       ARRAY (SELECT e.sequence FROM payment_events e WHERE e.object_kind = 'refund' AND e.object_no = refund_no AND e.sequence > 0 ORDER BY 1) AS events
     FROM refunds WHERE object_kind = $1 AND object_no = $2`,
    [object.kind, object.no],
  );
  const moved = rows.filter(({ status }) => status !== 'failed').reduce((sum, { amount }) => sum + amount, 0);
  const row = await objectRow(system, object);
  expect(row.refund_reserved).toBe(moved);
  expect(row.refund_reserved + row.refunded_external).toBeLessThanOrEqual(row.paid);
  const booked = await bookedRefunds(system, object);
  const ofBooks = booked
    .filter(({ status }) => status !== 'failed')
    .reduce((sum, { amount }) => sum + amount, 0);
  expect(ofBooks).toBe(moved + byHand);
  for (const refund of rows) {
    expect(refund.has_open_call).toBe(false);
    expect(refund.events).toEqual(Array.from({ length: refund.event_sequence }, (_, index) => index + 1));
    const theirs = booked.filter(({ metadata }) => metadata['refund_no'] === refund.refund_no);
    // A refund that the channel declined is in no book.
    if (refund.channel_refund_no === null) expect({ status: refund.status, theirs }).toEqual({ status: 'failed', theirs: [] });
    else expect(theirs).toMatchObject([{ id: refund.channel_refund_no, amount: refund.amount, status: BOOKED_STATUS[refund.status] }]);
  }
} // prettier-ignore

/** What merchants are told, in order. */
export async function refundEventsOf(system: System, refundNo: string): Promise<string[]> {
  const rows = await system.rows<{ type: string }>(
    `SELECT type FROM payment_events WHERE object_kind = 'refund' AND object_no = $1 AND sequence > 0 ORDER BY sequence`,
    [refundNo],
  );
  return rows.map(({ type }) => type);
}

/** The refund's calls, the first one first: each stands for a key. */
export function callsOf(
  system: System,
  refundNo: string,
): Promise<{ n: number; state: string; attempts: number }[]> {
  return system.rows(
    `SELECT n, state, attempts FROM channel_calls WHERE object_kind = 'refund' AND object_no = $1 ORDER BY n`,
    [refundNo],
  );
}
