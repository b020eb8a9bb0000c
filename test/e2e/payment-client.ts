/** A merchant that takes payments, its customers, and what must be true of a payment whatever happened to it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { confirmHold } from '../../dev/demo-client';
import { newNumber } from './merchant-client';
import type { MerchantClient, Reply } from './merchant-client';
import type { System } from './harness';

const POLL_MS = 40;
const WAIT_MS = 30_000;
const PATH = '/api/v1/payments';

/** Settings under which payments end within seconds. */
export const PAYMENT_SETTINGS = { PAYMENT_MIN_EXPIRES_IN: '1' };

export interface PaymentView {
  readonly payment_no: string;
  readonly order_no: string;
  readonly status: string;
  readonly amount: number;
  readonly amount_paid: number;
  readonly currency: string;
  readonly channel: string;
  readonly channel_payment_no: string | null;
  readonly routing?: { readonly level: string; readonly reason: string };
  readonly client_secret?: string;
  readonly next_action?: { readonly type: string };
  readonly decline_code?: string;
  readonly expires_at: number;
}

/** 500.00 USD for an order of its own. */
export function paymentOf(fields: object = {}) {
  return { order_no: newNumber('ORDER'), amount: 50_000, currency: 'USD', channel: 'stripe', ...fields };
}

export class PaymentClient {
  constructor(
    private readonly merchant: MerchantClient,
    private readonly stripeUrl: string,
  ) {}

  create(body: object, key?: string): Promise<Reply<PaymentView>> {
    return this.merchant.call(PATH, { json: body, ...(key !== undefined && { key }) });
  }

  get(paymentNo: string): Promise<Reply<PaymentView>> {
    return this.merchant.call(`${PATH}/${paymentNo}`);
  }

  list(query: string): Promise<Reply<{ items: PaymentView[]; next_cursor: string | null }>> {
    return this.merchant.call(`${PATH}?${query}`);
  }

  cancel(paymentNo: string, fields: object = {}, key?: string): Promise<Reply<PaymentView>> {
    return this.merchant.call(`${PATH}/${paymentNo}/cancel`, {
      json: fields,
      ...(key !== undefined && { key }),
    });
  }

  /** @throws Error when the answer is not 201 */
  async open(fields: object = {}): Promise<PaymentView> {
    const reply = await this.create(paymentOf(fields));
    if (reply.status !== 201) throw new Error(`create: ${reply.status} ${reply.code} ${reply.message}`);
    return reply.data;
  }

  /** The customer's part, in the browser. @throws Error when the card is declined or the payment is closed */
  pay(payment: PaymentView, card = 'pm_card_visa'): Promise<{ status: string }> {
    const paid = {
      channel_pre_auth_no: payment.channel_payment_no ?? '',
      client_secret: payment.client_secret ?? '',
    };
    return confirmHold(this.stripeUrl, paid, { paymentMethod: card });
  }

  /** Asks until the payment has one of these statuses. */
  async waitFor(paymentNo: string, ...statuses: string[]): Promise<PaymentView> {
    return this.waitUntil(paymentNo, statuses.join(' or '), ({ status }) => statuses.includes(status));
  }

  async waitUntil(
    paymentNo: string,
    what: string,
    isWanted: (view: PaymentView) => boolean,
  ): Promise<PaymentView> {
    const endMs = Date.now() + WAIT_MS;
    for (;;) {
      const { status, data, code } = await this.get(paymentNo);
      if (status === 200 && isWanted(data)) return data;
      if (Date.now() > endMs) {
        const now = status === 200 ? data.status : `${status} ${code}`;
        throw new Error(`${paymentNo} is ${now}, not ${what}, after ${WAIT_MS} ms`);
      }
      await sleep(POLL_MS);
    }
  }
}

interface PaymentRow {
  status: string;
  amount: number;
  amount_paid: number;
  order_no: string;
  event_sequence: number;
  channel_payment_no: string | null;
  needs_attention: string | null;
}

/** What the PaymentIntent's status must be for a payment of this status. */
const CHANNEL_STATUS: Readonly<Record<string, readonly string[]>> = {
  success: ['succeeded'],
  cancelled: ['canceled'],
  expired: ['canceled'],
  processing: ['processing'],
  requires_action: ['requires_payment_method', 'requires_action', 'requires_confirmation'],
};

export function paymentWorkflowId(system: System, paymentNo: string): string {
  return `payment/${system.merchant.merchantId}/${paymentNo}`;
}

/** Asserts that the payment's row, its calls, its events, its order's claim and the sandbox agree. */
export async function expectPaymentAgreement(system: System, paymentNo: string): Promise<PaymentRow> {
  const [row] = await system.rows<PaymentRow>('SELECT * FROM payments WHERE payment_no = $1', [paymentNo]);
  if (row === undefined) throw new Error(`there is no payment ${paymentNo}`);
  const intent = await system.sandbox.intentOf(paymentWorkflowId(system, paymentNo));
  expect(CHANNEL_STATUS[row.status]).toContain(intent.status);
  expect({ id: row.channel_payment_no, amount: row.amount, paid: row.amount_paid }).toEqual({
    id: intent.id,
    amount: intent.amount,
    paid: intent.amount_received,
  });
  const open = await system.rows(
    `SELECT 1 FROM channel_calls WHERE object_no = $1 AND object_kind = 'payment' AND state = 'open'`,
    [paymentNo],
  );
  expect(open).toEqual([]);
  const sequences = await system.rows<{ sequence: number }>(
    `SELECT sequence FROM payment_events WHERE object_no = $1 AND object_kind = 'payment' AND sequence > 0 ORDER BY sequence`,
    [paymentNo],
  );
  expect(sequences.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: row.event_sequence }, (_, i) => i + 1),
  );
  const [claim] = await system.rows<{ state: string; kind: string }>(
    'SELECT state, kind FROM order_claims WHERE merchant_id = $1 AND order_no = $2 AND number = $3',
    [system.merchant.merchantId, row.order_no, paymentNo],
  );
  const isFree = ['failed', 'cancelled', 'expired'].includes(row.status);
  expect(claim).toEqual(
    isFree ? undefined : { kind: 'payment', state: row.status === 'success' ? 'paid' : 'live' },
  );
  return row;
}
