/** What a merchant does about payments and refunds over HTTP. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { callApi, expectOk } from '../demo-client';

const POLL_MS = 50;

export interface Payment {
  readonly payment_no: string;
  readonly order_no: string;
  readonly status: string;
  /** minor units, as all amounts here */
  readonly amount: number;
  readonly amount_paid: number;
  readonly currency: string;
  readonly channel: string;
  readonly channel_payment_no: string | null;
  readonly client_secret?: string;
  /** `redirect`: where the customer pays */
  readonly next_action?: { readonly type: string; readonly url?: string };
}

export interface Refund {
  readonly refund_no: string;
  readonly status: string;
  readonly amount: number;
  readonly channel_refund_no: string | null;
  readonly next_action?: { readonly type: string; readonly url?: string };
}

export class PaymentClient {
  constructor(
    private readonly apiUrl: string,
    private readonly apiKey: string,
  ) {}

  create(body: object): Promise<Payment> {
    return this.ask('/api/v1/payments', body);
  }

  read(paymentNo: string): Promise<Payment> {
    return this.ask(`/api/v1/payments/${paymentNo}`);
  }

  /** Every payment there ever was for this order. */
  async ofOrder(orderNo: string): Promise<readonly Payment[]> {
    return (await this.ask<{ items: Payment[] }>(`/api/v1/payments?order_no=${orderNo}`)).items;
  }

  refund(paymentNo: string, body: object): Promise<Refund> {
    return this.ask(`/api/v1/payments/${paymentNo}/refunds`, body);
  }

  async refundsOf(paymentNo: string): Promise<readonly Refund[]> {
    return (await this.ask<{ items: Refund[] }>(`/api/v1/payments/${paymentNo}/refunds`)).items;
  }

  waitFor(paymentNo: string, status: string, timeoutMs: number): Promise<Payment> {
    return waitFor(paymentNo, () => this.read(paymentNo), status, timeoutMs);
  }

  waitForRefund(refundNo: string, status: string, timeoutMs: number): Promise<Refund> {
    return waitFor(refundNo, () => this.ask<Refund>(`/api/v1/refunds/${refundNo}`), status, timeoutMs);
  }

  private ask<T>(path: string, body?: object): Promise<T> {
    const call = body === undefined ? {} : { body, idempotencyKey: randomUUID() };
    return expectOk(
      `${body === undefined ? 'GET' : 'POST'} ${path}`,
      callApi<T>(this.apiUrl, this.apiKey, path, call),
    );
  }
}

/** @throws Error when the status is another one after this time */
async function waitFor<T extends { readonly status: string }>(
  no: string,
  read: () => Promise<T>,
  status: string,
  timeoutMs: number,
): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const now = await read();
    if (now.status === status) return now;
    if (Date.now() > deadlineMs)
      throw new Error(`${no} is ${now.status}, not ${status}, after ${timeoutMs / 1000} s`);
    await sleep(POLL_MS);
  }
}
