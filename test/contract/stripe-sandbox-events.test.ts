/** What the sandbox sends, and what it keeps: signed events, and its state over a restart. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type Stripe from 'stripe';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import type { StripeSandbox } from '../../dev/stripe-sandbox/server';
import { closeReceivers, sandboxControl, startReceiver, until } from './sandbox-control';
import type { SandboxControl } from './sandbox-control';
import { officialSdk } from './stripe-harness';

let sandbox: StripeSandbox;
let control: SandboxControl;
let sdk: Stripe;

beforeAll(async () => {
  sandbox = await startStripeSandbox();
  control = sandboxControl(sandbox.url);
  sdk = officialSdk({ ...sandbox, apiBase: sandbox.url });
});
beforeEach(() => control.post('reset'));
afterEach(closeReceivers);
afterAll(() => sandbox.stop());

const params = () => ({
  amount: 50_000,
  currency: 'usd',
  capture_method: 'manual' as const,
  allowed_payment_method_types: ['card'],
});
const hold = async () => {
  const { id } = await sdk.paymentIntents.create(params());
  return sdk.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
};

describe('events', () => {
  const flow = async () => {
    const { id } = await hold();
    await sdk.paymentIntents.capture(id);
    return id;
  };
  const FLOW = [
    'payment_intent.created',
    'payment_intent.amount_capturable_updated',
    'charge.captured',
    'payment_intent.succeeded',
  ];

  test('are signed, complete, and the same on GET /v1/events/:id', async () => {
    const receiver = await startReceiver();
    await control.post('webhook-endpoint', { url: receiver.url });
    const id = await flow();
    await until(receiver.types, (types) => types.length === FLOW.length);
    expect(receiver.types().sort()).toEqual([...FLOW].sort());
    for (const { body, signature, id: eventId } of receiver.received) {
      const event = sdk.webhooks.constructEvent(body, signature, sandbox.webhookSecret);
      expect((await sdk.events.retrieve(eventId)).type).toBe(event.type);
    }
    const done = receiver.received.find(({ type }) => type === 'payment_intent.succeeded');
    const { data } = JSON.parse(done?.body ?? '') as { data: { object: Stripe.PaymentIntent } };
    expect(data.object).toMatchObject({ id, amount_received: 50_000 });
    expect(data.object.client_secret).toContain(`${id}_secret_`);
  });

  test('are repeated until they are acknowledged', async () => {
    const receiver = await startReceiver([500, 503]);
    await control.post('webhook-endpoint', { url: receiver.url });
    await sdk.paymentIntents.create(params());
    const received = await until(
      () => receiver.received,
      (list) => list.length === 3,
    );
    expect(new Set(received.map(({ id }) => id)).size).toBe(1);
  });

  test('can come twice and in another order', async () => {
    const receiver = await startReceiver();
    await control.post('webhook-endpoint', { url: receiver.url });
    await control.post('events-mode', { duplicate: true, reorder: true });
    await flow();
    await until(receiver.types, (types) => types.length === 2 * FLOW.length);
    expect(receiver.types()[0]).toBe('payment_intent.succeeded');
    expect(receiver.types().at(-1)).toBe('payment_intent.created');
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(FLOW.length);
  });

  test('can be held back', async () => {
    const receiver = await startReceiver();
    await control.post('webhook-endpoint', { url: receiver.url });
    await control.post('events-mode', { pause: true });
    await flow();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(receiver.received).toEqual([]);
    await control.post('events-mode', { pause: false });
    await until(receiver.types, (types) => types.length === FLOW.length);
  });
});

test('with a folder the state survives: objects, keys, books, endpoints and undelivered events', async () => {
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'stripe-sandbox-'));
  const receiver = await startReceiver([500]);
  const first = await startStripeSandbox({ dataDir });
  await sandboxControl(first.url).post('webhook-endpoint', { url: receiver.url });
  const firstSdk = officialSdk({ ...first, apiBase: first.url });
  const key = { idempotencyKey: 'kept' };
  const intent = await firstSdk.paymentIntents.create(params(), key);
  await firstSdk.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' });
  await until(receiver.types, (types) => types.length >= 1);
  const books = await sandboxControl(first.url).books();
  await first.stop();
  // A crash in the middle of a line loses that line and nothing else.
  fs.appendFileSync(path.join(dataDir, 'stripe-sandbox.jsonl'), '{"kind":"intent","value":{"id":"pi_half');

  const second = await startStripeSandbox({ dataDir });
  const secondSdk = officialSdk({ ...second, apiBase: second.url });
  expect(await sandboxControl(second.url).books()).toEqual(books);
  expect((await secondSdk.paymentIntents.create(params(), key)).id).toBe(intent.id);
  expect((await secondSdk.paymentIntents.capture(intent.id)).status).toBe('succeeded');
  await until(receiver.types, (types) => new Set(types).size === 4);
  await second.stop();
  fs.rmSync(dataDir, { recursive: true });
});
