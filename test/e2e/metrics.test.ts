/** What Prometheus reads of whole processes, after holds, payments and webhooks that went well, and some that did not. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { freePort } from '../../dev/stack/ports';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';
import { PaymentClient } from './payment-client';

/** Answers 200, but 404 under /gone and 500 under /broken. */
const receiver = createServer((request, response) => {
  request.resume();
  response.writeHead(request.url === '/gone' ? 404 : request.url === '/broken' ? 500 : 200).end();
});
const address = { api: '', worker: '', webhooks: '' };
type Process = keyof typeof address;
let system: System;
let merchant: MerchantClient;
let payments: PaymentClient;

beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  for (const process of Object.keys(address) as Process[]) address[process] = `127.0.0.1:${await freePort()}`;
  system = await startSystem({
    workerCount: 0,
    environment: { WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8', API_METRICS_ADDRESS: address.api },
  });
  await Promise.all([
    system.startWorker({ WORKER_METRICS_ADDRESS: address.worker }),
    system.startWebhooks({ WORKER_METRICS_ADDRESS: address.webhooks }),
  ]);
  merchant = system.client();
  payments = new PaymentClient(merchant, system.sandbox.url);
}, 120_000);
afterAll(async () => {
  await system?.stop();
  receiver.close();
  receiver.closeAllConnections();
});

const notify = (path: string) =>
  ({ notify_url: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${path}` }) as const;

const pageOf = async (process: Process) => (await fetch(`http://${address[process]}/metrics`)).text();

/** The sum over all series of this name with these labels; undefined: there is none. */
async function read(
  process: Process,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const found = (await pageOf(process))
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
    .map((line) => Number(line.split(' ').at(-1)));
  return found.length === 0 ? undefined : found.reduce((sum, value) => sum + value, 0);
}

const until = (process: Process, name: string, labels: Readonly<Record<string, string>>, value: number) =>
  eventually(
    `${name} ${JSON.stringify(labels)} is ${value}`,
    () => read(process, name, labels),
    (found) => found === value,
  );

const STRIPE = { channel: 'stripe' };

test('money: what was paid, its fees, and those of the default channel, by merchant', async () => {
  const hold = await merchant.held(system.sandbox.url);
  await merchant.capture(hold.pre_auth_no, { amount: 20_000 });
  const payment = await payments.open({ amount: 10_000, currency: 'EUR' });
  await payments.pay(payment);
  await payments.waitFor(payment.payment_no, 'success');
  const labels = { merchant: system.merchant.merchantId, world: 'test', ...STRIPE };
  const sums = async (name: string) => [
    await read('worker', name, { ...labels, currency: 'USD' }),
    await read('worker', name, { ...labels, currency: 'EUR' }),
  ];
  expect(await sums('holdfast_paid_minor_total')).toEqual([20_000, 10_000]);
  // 2.9 % + 0.30 USD, or 0.25 EUR: Stripe is the default channel.
  expect(await sums('holdfast_fees_paid_minor_total')).toEqual([610, 315]);
  expect(await sums('holdfast_fees_at_default_minor_total')).toEqual([610, 315]);
});

test('channels: calls by what came of them, how long they take, and why they were declined', async () => {
  const done = { ...STRIPE, operation: 'capture_pre_auth', outcome: 'done' };
  const before = (await read('worker', 'holdfast_channel_calls_total', done)) ?? 0;
  const { pre_auth_no: no } = await merchant.held(system.sandbox.url);
  await system.sandbox.fault('capture', 'reset_before', { holdfastId: system.workflowId(no) });
  await merchant.capture(no);
  await until('worker', 'holdfast_channel_calls_total', done, before + 1);
  expect(
    (await pageOf('worker')).split('\n').filter((line) => line.startsWith('holdfast_channel_calls_total')),
  ).toEqual(
    expect.arrayContaining([expect.stringContaining('operation="create_pre_auth",outcome="pending"')]),
  );
  const seconds = { ...STRIPE, operation: 'capture_pre_auth' };
  const count = await read('worker', 'holdfast_channel_call_duration_seconds_count', seconds);
  expect(count).toBeGreaterThan(before);
  expect(
    await read('worker', 'holdfast_channel_call_duration_seconds_bucket', { ...seconds, le: '25' }),
  ).toBe(count);
  // The merchant's account is closed: a card that is refused is the customer's matter, and is seen in the browser.
  const ours = { ...STRIPE, operation: 'create_payment', reason: 'account_invalid' };
  expect(await read('worker', 'holdfast_channel_declines_total', ours)).toBe(0);
  const refused = await system.createMerchant('Refused');
  await system.createAccount({ secretKey: 'sk_test_unknown', merchantId: refused.merchantId });
  const reply = await new PaymentClient(system.client(refused), system.sandbox.url).create({
    ...{ order_no: 'REFUSED', amount: 1_000, currency: 'USD', channel: 'stripe' },
  });
  expect(reply.status).toBe(402);
  await until('worker', 'holdfast_channel_declines_total', ours, 1);
});

test('routing: decisions by level and strategy, and whether a channel is out of service', async () => {
  const labels = { ...STRIPE, level: 'explicit', strategy: '' };
  const before = (await read('api', 'holdfast_routing_decisions_total', labels)) ?? 0;
  await payments.open();
  expect(await read('api', 'holdfast_routing_decisions_total', labels)).toBe(before + 1);
  for (const channel of ['stripe', 'paypal', 'alipay', 'crypto'])
    expect(await read('api', 'holdfast_channel_out_of_service', { channel })).toBe(0);
});

test('webhooks: attempts and ends by outcome, what waits and what is tried again', async () => {
  expect(await read('webhooks', 'holdfast_webhook_notifications_total', { outcome: 'dropped' })).toBe(0);
  await merchant.held(system.sandbox.url, notify('/taken'));
  await until('webhooks', 'holdfast_webhook_notifications_total', { outcome: 'delivered' }, 1);
  await merchant.held(system.sandbox.url, notify('/gone'));
  await until('webhooks', 'holdfast_webhook_notifications_total', { outcome: 'given_up' }, 1);
  await merchant.held(system.sandbox.url, notify('/broken'));
  await eventually(
    'it is tried again',
    () => read('webhooks', 'holdfast_webhook_attempts_total', { outcome: 'try_again' }),
    (count) => (count ?? 0) >= 1,
  );
  expect(await read('webhooks', 'holdfast_webhook_attempts_total', { outcome: 'delivered' })).toBe(1);
  expect(await read('webhooks', 'holdfast_webhook_attempts_total', { outcome: 'refused' })).toBe(1);
  await eventually(
    'the API shows it',
    () => read('api', 'holdfast_webhook_in_retry'),
    (count) => count === 1,
    25_000,
  );
  expect(await read('api', 'holdfast_webhook_oldest_waiting_seconds')).toBeGreaterThanOrEqual(0);
  expect(await read('api', 'holdfast_webhook_gated_endpoints')).toBe(0);
}, 60_000);
