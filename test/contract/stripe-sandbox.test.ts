/** The sandbox itself: as strict as Stripe, seen through the official SDK. */
import type Stripe from 'stripe';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import type { StripeSandbox } from '../../dev/stripe-sandbox/server';
import { createStripeAdapter } from '../../src/channels/stripe/adapter';
import { closeReceivers, newHold, sandboxControl, startReceiver, until } from './sandbox-control';
import type { SandboxControl } from './sandbox-control';
import { officialSdk, stripeAccount } from './stripe-harness';

const OTHER_KEY = 'sk_test_somebody_else';
let sandbox: StripeSandbox;
let control: SandboxControl;
let sdk: Stripe;

beforeAll(async () => {
  sandbox = await startStripeSandbox({ secretKey: `sk_test_holdfast_sandbox,${OTHER_KEY}` });
  control = sandboxControl(sandbox.url);
  sdk = officialSdk({ ...sandbox, apiBase: sandbox.url });
});
beforeEach(() => control.post('reset'));
afterEach(closeReceivers);
afterAll(() => sandbox.stop());

const params = (more: object = {}) => ({
  amount: 50_000,
  currency: 'usd',
  capture_method: 'manual' as const,
  allowed_payment_method_types: ['card'],
  ...more,
});
const hold = async (method = 'pm_card_visa', more: object = {}, client = sdk) => {
  const { id } = await client.paymentIntents.create(params(more));
  return client.paymentIntents.confirm(id, { payment_method: method });
};
const errorOf = (work: Promise<unknown>) =>
  work.then(
    () => new Error('no error'),
    (error: unknown) => error as Stripe.errors.StripeError,
  );

describe('strictness', () => {
  test.each<[string, object, string, string]>([
    ['an unknown parameter', { colour: 'red' }, 'parameter_unknown', 'colour'],
    [
      'a parameter this API version has no more',
      { payment_method_types: ['card'] },
      'parameter_unknown',
      'payment_method_types',
    ],
    ['less than 50 cents', { amount: 49 }, 'amount_too_small', 'amount'],
    ['more than eight digits', { amount: 100_000_000 }, 'amount_too_large', 'amount'],
    ['a fraction', { amount: 10.5 }, 'parameter_invalid_integer', 'amount'],
    ['ISK that does not end in 00', { amount: 550, currency: 'isk' }, 'parameter_invalid_integer', 'amount'],
    ['KWD that does not end in 0', { amount: 5_124, currency: 'kwd' }, 'parameter_invalid_integer', 'amount'],
    ['a bad address', { receipt_email: 'nobody' }, 'email_invalid', 'receipt_email'],
  ])('%s is refused and not stored', async (_what, more, code, param) => {
    const key = { idempotencyKey: newHold()('create/1').idempotencyKey };
    const error = await errorOf(sdk.paymentIntents.create(params(more), key));
    expect(error).toMatchObject({ statusCode: 400, code, param, rawType: 'invalid_request_error' });
    expect((await sdk.paymentIntents.create(params(), key)).status).toBe('requires_payment_method');
  });

  test.each<[string, object, string]>([
    ['a currency Stripe has not', { currency: 'iqd' }, 'currency'],
    ['a return_url without confirm', { return_url: 'https://shop.example' }, 'return_url'],
    ['a value of 501 characters', { metadata: { note: 'x'.repeat(501) } }, 'metadata[note]'],
    ['an expansion that does not exist', { expand: ['everything'] }, 'expand'],
  ])('%s is refused', async (_what, more, param) => {
    expect(await errorOf(sdk.paymentIntents.create(params(more)))).toMatchObject({ statusCode: 400, param });
  });

  test('keys belong to the account, may have 255 characters, and remember the endpoint', async () => {
    const idempotencyKey = 'k'.repeat(255);
    const mine = await sdk.paymentIntents.create(params(), { idempotencyKey });
    const theirs = officialSdk({ ...sandbox, secretKey: OTHER_KEY, apiBase: sandbox.url });
    expect((await theirs.paymentIntents.create(params(), { idempotencyKey })).id).not.toBe(mine.id);
    expect(await errorOf(sdk.paymentIntents.cancel(mine.id, {}, { idempotencyKey }))).toMatchObject({
      rawType: 'idempotency_error',
    });
    expect(
      await errorOf(sdk.paymentIntents.create(params(), { idempotencyKey: `${idempotencyKey}k` })),
    ).toMatchObject({
      statusCode: 400,
    });
    expect(await errorOf(theirs.paymentIntents.retrieve(mine.id))).toMatchObject({
      code: 'resource_missing',
    });
  });

  test('a browser confirms with the publishable key and its client_secret, and can do nothing else', async () => {
    const intent = await sdk.paymentIntents.create(params());
    const post = (verb: string, body: Record<string, string>) =>
      fetch(`${sandbox.url}/v1/payment_intents/${intent.id}/${verb}`, {
        method: 'POST',
        headers: { authorization: 'Bearer pk_test_holdfast_sandbox' },
        body: new URLSearchParams(body),
      });
    const good = { payment_method: 'pm_card_visa', client_secret: intent.client_secret ?? '' };
    expect((await post('confirm', { ...good, client_secret: 'wrong' })).status).toBe(404);
    expect((await post('capture', {})).status).toBe(403);
    expect((await post('confirm', good)).status).toBe(200);
    expect((await sdk.paymentIntents.retrieve(intent.id)).status).toBe('requires_capture');
  });
});

describe('cards', () => {
  test.each([
    ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
    ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
    ['pm_card_chargeDeclinedExpiredCard', 'expired_card', ''],
  ])('%s is declined with %s %s', async (method, code, declineCode) => {
    const error = await errorOf(hold(method));
    expect(error).toMatchObject({ statusCode: 402, rawType: 'card_error', code, decline_code: declineCode });
    expect(error).toMatchObject({ payment_intent: { status: 'requires_payment_method' } });
  });

  test('authentication comes first where the bank wants it', async () => {
    const intent = await hold('pm_card_authenticationRequired');
    expect(intent.status).toBe('requires_action');
    await control.post(`payment_intents/${intent.id}/authenticate`);
    expect((await sdk.paymentIntents.retrieve(intent.id)).status).toBe('requires_capture');
  });

  test('a capture that is declined leaves a hold that can be released', async () => {
    const { id } = await hold('pm_card_captureDeclined');
    expect(await errorOf(sdk.paymentIntents.capture(id))).toMatchObject({
      statusCode: 402,
      code: 'card_declined',
    });
    expect((await sdk.paymentIntents.retrieve(id)).amount_capturable).toBe(50_000);
    expect((await sdk.paymentIntents.cancel(id)).status).toBe('canceled');
  });

  test('a hold whose deadline passes cannot be captured, and cancels itself', async () => {
    const receiver = await startReceiver();
    await control.post('webhook-endpoint', { url: receiver.url });
    await control.post('config', { shortHoldSeconds: 1, expiryLagMs: 1_500 });
    const { id } = await hold('pm_card_shortHold');
    const { latest_charge: charge } = await sdk.paymentIntents.retrieve(id, { expand: ['latest_charge'] });
    const deadline = (charge as Stripe.Charge).payment_method_details?.card?.capture_before ?? 0;
    await until(
      () => Date.now(),
      (now) => now >= deadline * 1000,
    );
    expect(await errorOf(sdk.paymentIntents.capture(id))).toMatchObject({
      code: 'charge_expired_for_capture',
    });
    await until(
      receiver.types,
      (types) => types.includes('charge.expired') && types.includes('payment_intent.canceled'),
    );
    expect(await sdk.paymentIntents.retrieve(id)).toMatchObject({
      status: 'canceled',
      cancellation_reason: 'automatic',
    });
  });
});

describe('multicapture', () => {
  test('is off unless the account has it', async () => {
    const { id } = await hold();
    const error = await errorOf(
      sdk.paymentIntents.capture(id, { amount_to_capture: 100, final_capture: false }),
    );
    expect(error).toMatchObject({ statusCode: 400, param: 'final_capture' });
  });

  test('through the adapter: the rest stays held, and the release ends as succeeded', async () => {
    await control.post('config', { multicapture: true });
    const adapter = createStripeAdapter(
      stripeAccount({ ...sandbox, apiBase: sandbox.url }, true),
      sandbox.url,
    );
    const call = newHold();
    const exchange = { timeoutMs: 2_000 };
    const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: 50_000, currency: 'USD' };
    const { answer } = await adapter.createPreAuth(request, call('create/1'), exchange);
    const channelPreAuthNo = answer.kind === 'declined' ? '' : answer.snapshot.channelPreAuthNo;
    await sdk.paymentIntents.confirm(channelPreAuthNo, { payment_method: 'pm_card_visa' });
    const part = { channelPreAuthNo, amount: 20_000, currency: 'USD', final: false };
    expect(await adapter.capturePreAuth(part, call('capture/1'), exchange)).toMatchObject({
      kind: 'done',
      snapshot: { status: 'requires_capture', amountCapturable: 30_000, amountCaptured: 20_000 },
    });
    expect(await adapter.cancelPreAuth(part, call('cancel/1'), exchange)).toMatchObject({
      kind: 'done',
      snapshot: { status: 'succeeded', amountCapturable: 0, amountCaptured: 20_000 },
    });
    expect((await control.books()).totals['usd']).toEqual({ held: 0, captured: 20_000, released: 30_000 });
    adapter.close();
  });
});

describe('looking for objects', () => {
  test('the list is complete at once, page after page, newest first', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) ids.unshift((await sdk.paymentIntents.create(params())).id);
    const listed: string[] = [];
    for await (const { id } of sdk.paymentIntents.list({ limit: 3, created: { gte: 1 } })) listed.push(id);
    expect(listed).toEqual(ids);
    const future = Math.floor(Date.now() / 1000) + 100;
    expect((await sdk.paymentIntents.list({ created: { gte: future } })).data).toEqual([]);
  });

  test('the search lags behind', async () => {
    await control.post('config', { searchLagMs: 1_000 });
    const { id } = await sdk.paymentIntents.create(params({ metadata: { holdfast_id: 'h1' } }));
    const find = async () =>
      (await sdk.paymentIntents.search({ query: "metadata['holdfast_id']:'h1'" })).data;
    expect(await find()).toEqual([]);
    expect(await until(find, (found) => found.length > 0)).toMatchObject([{ id }]);
  });
});

test('the dashboard cancels and captures like a person, and the adapter can tell', async () => {
  const adapter = createStripeAdapter(stripeAccount({ ...sandbox, apiBase: sandbox.url }), sandbox.url);
  const [one, other] = [await hold(), await hold()];
  await control.post(`payment_intents/${one.id}/cancel-by-dashboard`);
  await control.post(`payment_intents/${other.id}/capture-by-dashboard`, { amount: 100 });
  const query = (id: string) => adapter.queryPreAuth(id, { timeoutMs: 2_000 });
  expect(await query(one.id)).toMatchObject({ status: 'canceled', releaseCause: 'dashboard' });
  expect(await query(other.id)).toMatchObject({ status: 'succeeded', amountCaptured: 100 });
  adapter.close();
});
