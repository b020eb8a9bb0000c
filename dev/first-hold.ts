/** The proof at the end of `npm start`: one hold, created, confirmed by its customer and captured in part. */
import { randomUUID } from 'node:crypto';
import { captureHold, confirmHold, createHold, waitForHold } from './demo-client';
import { done, money, took } from './terminal';

export interface FirstHoldOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly stripeUrl: string;
  /** the publishable key, or Stripe's secret key where there is no sandbox */
  readonly confirmKey: string;
  readonly notifyUrl: string;
}

const AMOUNT = 50_000;
const CAPTURED = 32_000;

export async function proveFirstHold(options: FirstHoldOptions): Promise<void> {
  const { apiUrl, apiKey } = options;
  let startedAt = Date.now();
  const hold = await createHold(apiUrl, apiKey, {
    order_no: `START-${randomUUID().slice(0, 8)}`,
    amount: AMOUNT,
    currency: 'USD',
    channel: 'stripe',
    description: 'Deposit for room 12',
    notify_url: options.notifyUrl,
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
}
