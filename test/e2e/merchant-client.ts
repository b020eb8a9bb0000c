/** A merchant's server: every answer is returned as it came, refusals too. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { confirmHold } from '../../dev/demo-client';
import type { Hold, NewHold } from '../../dev/demo-client';
import { SANDBOX_PUBLISHABLE_KEY } from '../../dev/stack/settings';

const REQUEST_TIMEOUT_MS = 40_000;
const POLL_MS = 40;

export interface Reply<T = Hold> {
  readonly status: number;
  readonly headers: Headers;
  readonly code: string;
  readonly message: string;
  readonly data: T;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly request_id?: string;
}

export interface CallOptions {
  readonly method?: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string;
  /** The Idempotency-Key. */
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface CaptureReply {
  readonly pre_auth_no: string;
  readonly channel_pre_auth_no: string;
  readonly channel_trade_no: string;
  readonly status: string;
  readonly amount: number;
  readonly currency: string;
  readonly amount_captured: number;
  readonly amount_capturable: number;
}

export interface CancelReply {
  readonly pre_auth_no: string;
  readonly status: string;
  readonly amount_captured: number;
  readonly amount_released: number;
}

export const CREATE_PATH = '/api/v1/channel/pre-auth';

/** A number nobody has used. */
export function newNumber(prefix = 'PA'): string {
  return `${prefix}-${randomUUID()}`;
}

/** A hold of 500.00 USD for an order of its own. */
export function holdOf(fields: Partial<NewHold> = {}): NewHold {
  return {
    pre_auth_no: newNumber(),
    order_no: newNumber('ORDER'),
    amount: 50_000,
    currency: 'USD',
    channel: 'stripe',
    ...fields,
  };
}

export class MerchantClient {
  constructor(
    readonly baseUrl: string,
    readonly apiKey: string,
  ) {}

  async call<T = Hold>(path: string, options: CallOptions = {}): Promise<Reply<T>> {
    const body = options.body ?? (options.json === undefined ? undefined : JSON.stringify(options.json));
    const response = await fetch(`${this.baseUrl}${path}`, {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: {
        authorization: `Bearer ${this.apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(options.key !== undefined && { 'idempotency-key': options.key }),
        ...options.headers,
      },
      ...(body !== undefined && { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const envelope = (await response.json()) as Omit<Reply<T>, 'status' | 'headers'>;
    return { ...envelope, status: response.status, headers: response.headers };
  }

  create(hold: NewHold, key?: string): Promise<Reply> {
    return this.call(CREATE_PATH, { json: hold, ...(key !== undefined && { key }) });
  }

  get(preAuthNo: string): Promise<Reply> {
    return this.call(`/api/v1/pre-auth/${preAuthNo}`);
  }

  /** By the merchant's own number. */
  capture(preAuthNo: string, fields: object = {}, key?: string): Promise<Reply<CaptureReply>> {
    return this.call(`/api/v1/pre-auth/${preAuthNo}/capture`, {
      json: fields,
      ...(key !== undefined && { key }),
    });
  }

  cancel(preAuthNo: string, fields: object = {}, key?: string): Promise<Reply<CancelReply>> {
    return this.call(`/api/v1/pre-auth/${preAuthNo}/cancel`, {
      json: fields,
      ...(key !== undefined && { key }),
    });
  }

  /** Creates a hold, lets the customer confirm it, and waits until we have heard of it. */
  async held(stripeUrl: string, fields: Partial<NewHold> = {}, card = 'pm_card_visa'): Promise<Hold> {
    const hold = await this.open(fields);
    await this.confirm(stripeUrl, hold, card);
    return this.waitFor(hold.pre_auth_no, 'requires_capture');
  }

  /** Creates a hold. @throws Error when the answer is not 201 */
  async open(fields: Partial<NewHold> = {}): Promise<Hold> {
    const reply = await this.create(holdOf(fields));
    if (reply.status !== 201) throw new Error(`create: ${reply.status} ${reply.code} ${reply.message}`);
    return reply.data;
  }

  /** The customer's part, in the browser. @throws Error when the card is declined */
  confirm(
    stripeUrl: string,
    hold: Hold,
    card = 'pm_card_visa',
    key = SANDBOX_PUBLISHABLE_KEY,
  ): Promise<{ status: string }> {
    return confirmHold(stripeUrl, hold, { paymentMethod: card, key });
  }

  /** Asks until the hold has one of these statuses. */
  async waitFor(preAuthNo: string, ...statuses: string[]): Promise<Hold> {
    return this.waitUntil(preAuthNo, statuses, 25_000);
  }

  async waitUntil(preAuthNo: string, statuses: readonly string[], timeoutMs: number): Promise<Hold> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      const { status, data, code } = await this.get(preAuthNo);
      if (status === 200 && statuses.includes(data.status)) return data;
      if (Date.now() > endMs) {
        const now = status === 200 ? data.status : `${status} ${code}`;
        throw new Error(`${preAuthNo} is ${now}, not ${statuses.join(' or ')}, after ${timeoutMs} ms`);
      }
      await sleep(POLL_MS);
    }
  }
}
