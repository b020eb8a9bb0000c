/**
 * The proof at the end of `npm start`: one hold, created, confirmed by its customer and captured in part, and the signed
 * news of it at the merchant's server.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ReceivedRequest } from './demo/receiver';
import { holdsBothWays } from './demo/signatures';
import { captureHold, confirmHold, createHold, waitForHold } from './demo-client';
import { rememberedSeed } from './seed';
import { defaultDataDir } from './stack/paths';
import { done, failed, money, took } from './terminal';

export interface FirstHoldOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly stripeUrl: string;
  /** the publishable key, or Stripe's secret key where there is no sandbox */
  readonly confirmKey: string;
  /** At the receiver of `npm start`; the hold's own number is put behind it. */
  readonly notifyUrl: string;
}

const AMOUNT = 50_000;
const CAPTURED = 32_000;
const EVENTS = ['pre_auth.authorized', 'pre_auth.captured'];
const NEWS_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

export async function proveFirstHold(options: FirstHoldOptions): Promise<void> {
  const { apiUrl, apiKey } = options;
  const orderNo = `START-${randomUUID().slice(0, 8)}`;
  // A path of its own: an endpoint that somebody has registered there would sign with another secret.
  const notifyUrl = `${options.notifyUrl}/${orderNo}`;
  let startedAt = Date.now();
  const hold = await createHold(apiUrl, apiKey, {
    order_no: orderNo,
    amount: AMOUNT,
    currency: 'USD',
    channel: 'stripe',
    description: 'Deposit for room 12',
    notify_url: notifyUrl,
  });
  done(`${money(AMOUNT, 'USD')} asked for   ${hold.pre_auth_no}, ${hold.status} (${took(startedAt)})`);
  startedAt = Date.now();
  await confirmHold(options.stripeUrl, hold, { key: options.confirmKey });
  const held = await waitForHold(apiUrl, apiKey, hold.pre_auth_no, ['requires_capture']);
  done(`${money(AMOUNT, 'USD')} held        confirmed by the customer, ${held.status} (${took(startedAt)})`);
  startedAt = Date.now();
  const captured = await captureHold(apiUrl, apiKey, { ...held, currency: 'USD' }, CAPTURED);
  if (captured.status !== 'succeeded' || captured.amount_captured !== CAPTURED) {
    throw new Error(`the capture answered ${captured.status} with ${captured.amount_captured} captured`);
  }
  const released = money(AMOUNT - CAPTURED, 'USD');
  done(`${money(CAPTURED, 'USD')} captured    ${released} released, ${captured.status} (${took(startedAt)})`);
  await proveNews(notifyUrl);
}

/** News that does not come is shown and no reason to stop: the merchant may have switched this address off. */
async function proveNews(notifyUrl: string): Promise<void> {
  const startedAt = Date.now();
  const requests = await waitForNews(notifyUrl);
  const events = EVENTS.filter((event) =>
    requests.some(({ headers }) => headers['x-webhook-event'] === event),
  );
  if (events.length < EVENTS.length) {
    failed(
      `webhooks arrived   ${events.join(', ') || 'none'} within ${NEWS_TIMEOUT_MS / 1000} s at ${notifyUrl}`,
    );
    return;
  }
  const secret = rememberedSeed(defaultDataDir(process.env))?.webhookSecret ?? '';
  const areSigned = requests.every((request) => holdsBothWays(request, secret));
  const line = `${requests.length} webhooks arrived     ${events.join(', ')}`;
  if (areSigned) done(`${line}, signatures true (${took(startedAt)})`);
  else failed(`${line}, but a signature is not true`);
}

async function waitForNews(notifyUrl: string): Promise<ReceivedRequest[]> {
  const { origin, pathname } = new URL(notifyUrl);
  const deadlineMs = Date.now() + NEWS_TIMEOUT_MS;
  for (;;) {
    const response = await fetch(`${origin}/_received`, { signal: AbortSignal.timeout(NEWS_TIMEOUT_MS) });
    const requests = ((await response.json()) as ReceivedRequest[]).filter(({ path }) => path === pathname);
    if (requests.length >= EVENTS.length || Date.now() > deadlineMs) return requests;
    await sleep(POLL_MS);
  }
}
