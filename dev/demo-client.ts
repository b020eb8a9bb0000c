/** What a merchant, the merchant's customer and the platform's operator do over HTTP; for the demo and the tests. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { STRIPE_EVENTS } from '../src/channels/stripe/events';
import { SANDBOX_PUBLISHABLE_KEY } from './stack/settings';

const REQUEST_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

export interface Answer<T> {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly data: T;
}

/** An answer of the API that was not the one hoped for; its message carries status, code and the API's sentence. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
  constructor(
    readonly status: number,
    readonly code: string,
    what: string,
    sentence: string,
  ) {
    super(`${what}: ${status} ${code} ${sentence}`);
  }
}

export interface Hold {
  readonly pre_auth_no: string;
  readonly channel_pre_auth_no: string;
  readonly order_no: string;
  readonly channel: string;
  readonly status: string;
  readonly amount: number;
  readonly amount_capturable: number;
  readonly amount_captured: number;
  readonly currency: string;
  readonly client_secret?: string;
  readonly expires_at?: string;
}

export interface NewHold {
  readonly order_no: string;
  /** minor units */
  readonly amount: number;
  readonly currency: string;
  readonly [field: string]: unknown;
}

interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  readonly idempotencyKey?: string;
}

/** One request; every answer is returned, also a refusal. Rejects only when there is none. */
export async function callApi<T>(
  baseUrl: string,
  key: string,
  path: string,
  call: Call = {},
): Promise<Answer<T>> {
  const response = await fetch(`${baseUrl}${path}`, {
    method: call.method ?? (call.body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      ...(call.idempotencyKey !== undefined && { 'idempotency-key': call.idempotencyKey }),
    },
    ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const envelope = (await response.json()) as Omit<Answer<T>, 'status'>;
  return { ...envelope, status: response.status };
}

/** The data of an answer that is a success. @throws UnexpectedAnswer for any other */
export async function expectOk<T>(what: string, answering: Promise<Answer<T>>): Promise<T> {
  const answer = await answering;
  if (answer.status >= 200 && answer.status < 300) return answer.data;
  throw new UnexpectedAnswer(answer.status, answer.code, what, answer.message);
}

export interface DemoMerchant {
  readonly merchantId: string;
  readonly liveMerchantId: string;
  readonly apiKey: string;
  readonly webhookSecret: string;
}

/** A merchant of the highest tier in its test world, and an API key there: a demo asks often whether something has happened. */
export async function createDemoMerchant(
  apiUrl: string,
  adminKey: string,
  name: string,
): Promise<DemoMerchant> {
  const admin = <T>(path: string, body: unknown) =>
    expectOk(`POST ${path}`, callApi<T>(apiUrl, adminKey, path, { body }));
  const merchant = await admin<{
    merchants: { live: { id: string }; test: { id: string } };
    webhook_secrets: { live: string; test: string };
  }>('/api/v1/admin/merchants', { name });
  const merchantId = merchant.merchants.test.id;
  const path = `/api/v1/admin/merchants/${merchantId}`;
  const call = { method: 'PATCH', body: { tier: 'premium' } } as const;
  await expectOk(`PATCH ${path}`, callApi(apiUrl, adminKey, path, call));
  const { key } = await admin<{ key: string }>(`${path}/api-keys`, {
    name: 'demo',
  });
  return {
    merchantId,
    liveMerchantId: merchant.merchants.live.id,
    apiKey: key,
    webhookSecret: merchant.webhook_secrets.test,
  };
}

export interface StripeAccount {
  readonly name: string;
  readonly secretKey: string;
  readonly webhookSecret: string;
  /** absent: the platform's account, for every merchant without one */
  readonly merchantId?: string;
}

/** @returns the account's id, or undefined when there is an enabled one already */
export async function createStripeAccount(
  apiUrl: string,
  adminKey: string,
  account: StripeAccount,
): Promise<string | undefined> {
  const path = '/api/v1/admin/channel-accounts';
  const body = {
    channel: 'stripe',
    world: 'test',
    name: account.name,
    ...(account.merchantId !== undefined && { merchant_id: account.merchantId }),
    credentials: { secret_key: account.secretKey, webhook_secret: account.webhookSecret },
  };
  const answer = await callApi<{ id: string }>(apiUrl, adminKey, path, { body });
  if (answer.status === 409) return undefined;
  return (await expectOk(`POST ${path}`, Promise.resolve(answer))).id;
}

/** Tells the sandbox where the events of its account go. */
export async function registerSandboxEvents(
  sandboxUrl: string,
  apiUrl: string,
  accountId: string,
): Promise<void> {
  const url = `${apiUrl}/api/v1/channels/stripe/${accountId}/events`;
  await askSandbox(`${sandboxUrl}/_sandbox/webhook-endpoint`, { url, enabled_events: STRIPE_EVENTS });
}

/** What only a developer may do to a sandbox: a POST of the body, or a GET. @throws Error when it refuses */
export async function askSandbox<T>(url: string, body?: object): Promise<T> {
  const response = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok)
    throw new Error(`the sandbox refused ${new URL(url).pathname}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

export function createHold(apiUrl: string, apiKey: string, hold: NewHold): Promise<Hold> {
  const path = '/api/v1/channel/pre-auth';
  return expectOk(
    `POST ${path}`,
    callApi<Hold>(apiUrl, apiKey, path, { body: hold, idempotencyKey: randomUUID() }),
  );
}

export function getHold(apiUrl: string, apiKey: string, preAuthNo: string): Promise<Hold> {
  const path = `/api/v1/pre-auth/${preAuthNo}`;
  return expectOk(`GET ${path}`, callApi<Hold>(apiUrl, apiKey, path));
}

/**
 * The customer's part: pays with a card in the browser, where only the publishable key and the hold's secret are known.
 * @param paymentMethod one of Stripe's test cards
 */
export async function confirmHold(
  stripeUrl: string,
  hold: Pick<Hold, 'channel_pre_auth_no' | 'client_secret'>,
  options: { paymentMethod?: string; key?: string } = {},
): Promise<{ status: string }> {
  const form = new URLSearchParams({ payment_method: options.paymentMethod ?? 'pm_card_visa' });
  const key = options.key ?? SANDBOX_PUBLISHABLE_KEY;
  if (key.startsWith('pk_')) form.set('client_secret', hold.client_secret ?? '');
  else form.set('return_url', 'https://example.com/');
  const response = await fetch(`${stripeUrl}/v1/payment_intents/${hold.channel_pre_auth_no}/confirm`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: form,
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  const answer = (await response.json()) as { status: string; error?: { message: string } };
  if (!response.ok)
    throw new Error(`the customer's confirmation was refused: ${answer.error?.message ?? response.status}`);
  return answer;
}

type ByChannelNumber = Pick<Hold, 'channel' | 'channel_pre_auth_no' | 'currency'>;

/** @param amount minor units; absent: everything that is held */
export function captureHold(
  apiUrl: string,
  apiKey: string,
  hold: ByChannelNumber,
  amount?: number,
  final?: boolean,
): Promise<Hold> {
  const path = '/api/v1/channel/pre-auth/capture';
  const body = {
    channel: hold.channel,
    channel_pre_auth_no: hold.channel_pre_auth_no,
    currency: hold.currency,
    ...(amount !== undefined && { amount }),
    ...(final !== undefined && { final }),
  };
  return expectOk(
    `POST ${path}`,
    callApi<Hold>(apiUrl, apiKey, path, { body, idempotencyKey: randomUUID() }),
  );
}

export function cancelHold(
  apiUrl: string,
  apiKey: string,
  hold: ByChannelNumber,
  reason?: string,
): Promise<Hold> {
  const path = '/api/v1/channel/pre-auth/cancel';
  const body = {
    channel: hold.channel,
    channel_pre_auth_no: hold.channel_pre_auth_no,
    ...(reason !== undefined && { reason }),
  };
  return expectOk(
    `POST ${path}`,
    callApi<Hold>(apiUrl, apiKey, path, { body, idempotencyKey: randomUUID() }),
  );
}

/** Asks until the hold has one of these statuses; a request that gets no answer is asked again. */
export async function waitForHold(
  apiUrl: string,
  apiKey: string,
  preAuthNo: string,
  statuses: readonly string[],
  timeoutMs = 30_000,
): Promise<Hold> {
  const deadline = Date.now() + timeoutMs;
  let last = 'no answer';
  while (Date.now() < deadline) {
    const hold = await getHold(apiUrl, apiKey, preAuthNo).catch((error: unknown) => {
      last = (error as Error).message;
      return undefined;
    });
    if (hold !== undefined && statuses.includes(hold.status)) return hold;
    if (hold !== undefined) last = hold.status;
    await sleep(POLL_MS);
  }
  throw new Error(
    `hold ${preAuthNo} was not ${statuses.join(' or ')} within ${timeoutMs / 1000} s, but: ${last}`,
  );
}
