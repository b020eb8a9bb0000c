/** Payments in the sandbox: what the customer can do, what events tell of it, and what a restart keeps. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type Stripe from 'stripe';
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import type { StripeSandbox } from '../../dev/stripe-sandbox/server';
import { createStripeAdapter } from '../../src/channels/stripe/adapter';
import type { StripeAdapter } from '../../src/channels/stripe/adapter';
import { STRIPE_EVENTS } from '../../src/channels/stripe/events';
import type { CallIdentity } from '../../src/domain/channel';
import type { PaymentAnswer } from '../../src/domain/channel-payment';
import { closeReceivers, newHold, sandboxControl, startReceiver, until } from './sandbox-control';
import type { SandboxControl } from './sandbox-control';
import { officialSdk, stripeAccount } from './stripe-harness';

const EXCHANGE = { timeoutMs: 2_000 };
let sandbox: StripeSandbox;
let control: SandboxControl;
let sdk: Stripe;
let adapter: StripeAdapter;

beforeAll(async () => {
  sandbox = await startStripeSandbox();
  control = sandboxControl(sandbox.url);
  sdk = officialSdk({ ...sandbox, apiBase: sandbox.url });
  adapter = createStripeAdapter(stripeAccount({ ...sandbox, apiBase: sandbox.url }), sandbox.url);
});
beforeEach(() => control.post('reset'));
afterEach(closeReceivers);
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

const idOf = (answer: PaymentAnswer) => (answer.kind === 'declined' ? '' : answer.snapshot.channelPaymentNo);

async function create(call: CallIdentity, returnUrl?: string, of = adapter): Promise<string> {
  const request = {
    paymentNo: 'PY1',
    orderNo: 'O1',
    amount: 50_000,
    currency: 'USD',
    expiresAtUnixSeconds: 2_000_000_000,
    ...(returnUrl === undefined ? {} : { returnUrl }),
  };
  return idOf((await of.createPayment(request, call, EXCHANGE)).answer);
}
const confirm = (id: string, method = 'pm_card_visa', more: object = {}) =>
  sdk.paymentIntents.confirm(id, { payment_method: method, ...more });
const query = (id: string) => adapter.queryPayment(id, EXCHANGE);
const targetOf = (id: string) =>
  ({ kind: 'payment', channelNo: id, amount: 50_000, currency: 'USD' }) as const;

describe('means of payment', () => {
  test('those that lead the customer away are offered only to merchants with an address to come back to', async () => {
    const away = await create(newHold()('create/1'), 'https://shop.example/back');
    await expect(confirm(away)).rejects.toMatchObject({ param: 'return_url' });
    const back = { return_url: 'https://shop.example/back' };
    expect((await confirm(away, 'pm_card_visa', back)).status).toBe('succeeded');
    const here = await create(newHold()('create/1'));
    expect((await sdk.paymentIntents.retrieve(here)).automatic_payment_methods).toEqual({
      allow_redirects: 'never',
      enabled: true,
    });
    expect((await confirm(here)).status).toBe('succeeded');
  });

  test('declined twice, then authenticated: one payment, one sum', async () => {
    const id = await create(newHold()('create/1'));
    await expect(confirm(id, 'pm_card_chargeDeclined')).rejects.toMatchObject({ statusCode: 402 });
    await expect(confirm(id, 'pm_card_chargeDeclinedInsufficientFunds')).rejects.toMatchObject({
      statusCode: 402,
    });
    expect(await query(id)).toMatchObject({
      status: 'requires_action',
      lastDecline: { code: 'insufficient_funds', providerCode: 'card_declined:insufficient_funds' },
    });
    await confirm(id, 'pm_card_authenticationRequired');
    expect(await query(id)).toMatchObject({ status: 'requires_action', amountPaid: 0 });
    await control.post(`payment_intents/${id}/authenticate`);
    expect(await query(id)).toMatchObject({ status: 'succeeded', amountPaid: 50_000 });
    await expect(confirm(id)).rejects.toMatchObject({ code: 'payment_intent_unexpected_state' });
    expect((await control.books()).totals['usd']).toEqual({ held: 0, captured: 50_000, released: 0 });
  });

  test('a bank debit is processing until the bank has moved the money, and is not closed meanwhile', async () => {
    const hold = newHold();
    const id = await create(hold('create/1'));
    await confirm(id, 'pm_usBankAccount');
    expect(await query(id)).toMatchObject({ status: 'processing', amountPaid: 0 });
    const request = { channelPaymentNo: id, currency: 'USD' };
    expect(await adapter.cancelPayment(request, hold('cancel/1'), EXCHANGE)).toMatchObject({
      kind: 'declined',
      code: 'invalid_state',
    });
    await control.post(`payment_intents/${id}/settle`, { succeed: false });
    expect(await query(id)).toMatchObject({
      status: 'requires_action',
      lastDecline: { code: 'insufficient_funds' },
    });
    await confirm(id, 'pm_usBankAccount');
    await control.post(`payment_intents/${id}/settle`);
    expect(await query(id)).toMatchObject({ status: 'succeeded', amountPaid: 50_000 });
  });

  test('a hold takes no bank debit', async () => {
    const { id } = await sdk.paymentIntents.create({
      amount: 500,
      currency: 'usd',
      capture_method: 'manual',
      allowed_payment_method_types: ['card'],
    });
    await expect(confirm(id, 'pm_usBankAccount')).rejects.toMatchObject({ param: 'payment_method' });
  });

  test.each<[string, object, string]>([
    ['a switch that is no boolean', { enabled: 'maybe' }, 'enabled'],
    ['a switch that is missing', { allow_redirects: 'never' }, 'enabled'],
    ['redirects sometimes', { enabled: true, allow_redirects: 'sometimes' }, 'allow_redirects'],
  ])('%s is refused', async (_what, automatic, param) => {
    const params = { amount: 500, currency: 'usd', automatic_payment_methods: automatic };
    const work = sdk.paymentIntents.create(params as Stripe.PaymentIntentCreateParams);
    await expect(work).rejects.toMatchObject({ statusCode: 400, param });
  });
});

test.each(['error_after', 'timeout_after', 'reset_after'])(
  'a create that ends in %s is found by its identity, and was made once',
  async (fault) => {
    const call = newHold()('create/1');
    await control.fault('create', fault, { times: 2 });
    await create(call).catch(() => undefined);
    const created = { fromUnixSeconds: Date.now() / 1000 - 60, toUnixSeconds: Date.now() / 1000 };
    const found = await adapter.findPayments(call, created, EXCHANGE);
    expect(found).toHaveLength(1);
    expect(found[0]?.customer.clientSecret).toMatch(/_secret_/);
    expect((await control.books(call.holdfastId)).payment_intents).toHaveLength(1);
  },
);

describe('events', () => {
  test('whatever they tell of, they name the payment that is to be read again', async () => {
    const receiver = await startReceiver();
    await control.post('webhook-endpoint', { url: receiver.url, enabled_events: STRIPE_EVENTS });
    await control.post('config', { refundSettleMs: 3_600_000 });
    const call = newHold();
    const id = await create(call('create/1'));
    await confirm(id, 'pm_card_chargeDeclined').catch(() => undefined);
    await confirm(id, 'pm_card_pendingRefund');
    const refundCall = newHold()('refund/1');
    const request = { refundNo: 'RF1', target: targetOf(id), amount: 700, currency: 'USD' };
    const answer = await adapter.createRefund(request, refundCall, EXCHANGE);
    const refundId = answer.kind === 'declined' ? '' : answer.snapshot.channelRefundNo;
    await control.post(`refunds/${refundId}/settle`, { outcome: 'succeeded' });
    await control.post(`refunds/${refundId}/settle`, { outcome: 'failed' });
    await control.post(`payment_intents/${id}/refund-by-dashboard`, { amount: 100 });
    await control.post(`payment_intents/${id}/dispute`);
    await control.post(`payment_intents/${id}/close-dispute`, { outcome: 'won' });
    const expected = [
      'payment_intent.payment_failed',
      'payment_intent.succeeded',
      ...['charge.refunded', 'refund.created'],
      ...['refund.updated', 'charge.refund.updated'],
      ...['refund.updated', 'charge.refund.updated', 'refund.failed'],
      ...['charge.refunded', 'refund.created'],
      ...['charge.dispute.created', 'charge.dispute.closed'],
    ];
    await until(receiver.types, (types) => types.length === expected.length);
    expect(receiver.types().sort()).toEqual([...expected].sort());
    const parsed = await Promise.all(
      receiver.received.map(async ({ body, signature }) =>
        adapter.parseInboundEvent(Buffer.from(body), { 'stripe-signature': signature }),
      ),
    );
    expect(new Set(parsed.map(({ objectId }) => objectId))).toEqual(new Set([id]));
    const of = (type: string) => parsed.filter((event) => event.type === type);
    expect(of('payment_intent.succeeded')[0]?.holdfastId).toBe(call('').holdfastId);
    expect(of('refund.failed')[0]?.holdfastId).toBe(refundCall.holdfastId);
    expect(
      of('refund.created')
        .map(({ causedByKey }) => causedByKey)
        .sort(),
    ).toEqual([refundCall.idempotencyKey, undefined]);
    expect(of('charge.dispute.created')[0]).not.toHaveProperty('holdfastId');
    expect(of('charge.dispute.created')[0]?.subject).toBe('dispute');
    expect(of('refund.failed')[0]?.subject).toBe('refund');
    // The identity tells which of the two it is, and these calls carry a hold's.
    expect(of('payment_intent.succeeded')[0]?.subject).toBe('pre_auth');
  });
});

describe('with a folder', () => {
  let dataDir = '';
  beforeEach(() => {
    dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'stripe-sandbox-'));
  });
  afterEach(() => fs.rmSync(dataDir, { recursive: true }));

  test('refunds, disputes and what is still due survive a restart', async () => {
    const first = await startStripeSandbox({ dataDir });
    const before = createStripeAdapter(stripeAccount({ ...first, apiBase: first.url }), first.url);
    const firstControl = sandboxControl(first.url);
    await firstControl.post('config', { refundSettleMs: 300 });
    const id = await create(newHold()('create/1'), undefined, before);
    const firstSdk = officialSdk({ ...first, apiBase: first.url });
    await firstSdk.paymentIntents.confirm(id, { payment_method: 'pm_card_pendingRefund' });
    const request = { refundNo: 'RF1', target: targetOf(id), amount: 700, currency: 'USD' };
    expect((await before.createRefund(request, newHold()('refund/1'), EXCHANGE)).kind).toBe('pending');
    await firstControl.post(`payment_intents/${id}/dispute`);
    before.close();
    await first.stop();

    const second = await startStripeSandbox({ dataDir });
    const after = createStripeAdapter(stripeAccount({ ...second, apiBase: second.url }), second.url);
    const list = () => after.listRefunds(targetOf(id), EXCHANGE);
    const [refund] = await until(list, ([read]) => read?.status === 'succeeded');
    expect(refund).toMatchObject({ refundNo: 'RF1', amount: 700 });
    expect(await after.queryPayment(id, EXCHANGE)).toMatchObject({ amountRefunded: 700 });
    expect(await after.listDisputes(targetOf(id), EXCHANGE)).toMatchObject([
      { status: 'open', amount: 49_300 },
    ]);
    after.close();
    await second.stop();
  });

  test('what a sandbox without refunds has written can be refunded', async () => {
    const first = await startStripeSandbox({ dataDir });
    const firstSdk = officialSdk({ ...first, apiBase: first.url });
    const params = { amount: 500, currency: 'usd', allowed_payment_method_types: ['card' as const] };
    const { id } = await firstSdk.paymentIntents.create(params);
    await firstSdk.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
    await first.stop();
    const file = path.join(dataDir, 'stripe-sandbox.jsonl');
    const older = fs.readFileSync(file, 'utf8').replaceAll('"amountRefunded":0,"isDisputed":false,', '');
    expect(older).not.toContain('amountRefunded');
    fs.writeFileSync(file, older);

    const second = await startStripeSandbox({ dataDir });
    const secondSdk = officialSdk({ ...second, apiBase: second.url });
    await secondSdk.refunds.create({ payment_intent: id, amount: 200 });
    const read = await secondSdk.paymentIntents.retrieve(id, { expand: ['latest_charge'] });
    expect(read.latest_charge).toMatchObject({ amount_refunded: 200, refunded: false, disputed: false });
    await second.stop();
  });
});
