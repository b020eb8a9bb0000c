import { expectAgreement, eventsOf, eventTypesOf } from './checks';
import { eventually, startSystem } from './harness';
import type { SeededMerchant, System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';

const KEYS = {
  platform: 'sk_test_holdfast_sandbox',
  own: 'sk_test_own',
  multi: 'sk_test_multi',
  live: 'sk_live_platform',
};
const SHORT_HOLD_SECONDS = 2;

let system: System;
let client: MerchantClient;
let stripe: string;

beforeAll(async () => {
  system = await startSystem({ stripeKeys: Object.values(KEYS) });
  client = system.client();
  stripe = system.sandbox.url;
  await system.sandbox.config({ shortHoldSeconds: SHORT_HOLD_SECONDS });
});
afterAll(() => system?.stop());

it('warns while money is held, and releases it when its time is over', async () => {
  const held = await client.held(stripe, { expires_in: 4 });
  const warned = await eventually(
    'the warning',
    () => eventTypesOf(system, held.pre_auth_no),
    (types) => types.length > 1,
  );
  expect(warned).toEqual(['pre_auth.authorized', 'pre_auth.expiring']);
  expect((await client.get(held.pre_auth_no)).data.status).toBe('requires_capture');
  const expired = await client.waitFor(held.pre_auth_no, 'expired');
  expect(expired).toMatchObject({ amount_capturable: 0, amount_captured: 0 });
  await expectAgreement(system, held.pre_auth_no);
  const events = await eventsOf(system, held.pre_auth_no);
  expect(events.map(({ type }) => type)).toEqual([
    'pre_auth.authorized',
    'pre_auth.expiring',
    'pre_auth.expired',
  ]);
  expect(events[1]?.data).toMatchObject({ expires_at: held.expires_at, amount_capturable: 50_000 });
  expect(events[2]?.data).toMatchObject({ amount_released: 50_000 });
});

it('lets a hold expire that nobody confirmed, without a warning', async () => {
  const open = await client.open({ expires_in: 2 });
  await client.waitFor(open.pre_auth_no, 'expired');
  await expectAgreement(system, open.pre_auth_no);
  expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.expired']);
  // Its order is free again.
  expect((await client.create(holdOf({ order_no: open.order_no }))).status).toBe(201);
});

it("takes over the channel's own deadline, and releases the hold in time", async () => {
  const open = await client.open();
  await client.confirm(stripe, open, 'pm_card_shortHold');
  const held = await client.waitFor(open.pre_auth_no, 'requires_capture');
  expect(Number(held.expires_at)).toBeLessThanOrEqual(Date.now() / 1000 + SHORT_HOLD_SECONDS);
  await client.waitFor(open.pre_auth_no, 'expired');
  await expectAgreement(system, open.pre_auth_no);
});

it("counts the channel's own cancellation at its deadline as expired", async () => {
  const open = await client.open();
  const { channel_pre_auth_no: paymentIntent } = open;
  // Our release comes too late: the channel refuses to hear it until its own deadline has passed.
  await system.sandbox.fault('cancel', 'error_before', { times: 3, paymentIntent });
  await client.confirm(stripe, open, 'pm_card_shortHold');
  await client.waitFor(open.pre_auth_no, 'expired');
  await expectAgreement(system, open.pre_auth_no);
  expect((await eventTypesOf(system, open.pre_auth_no)).at(-1)).toBe('pre_auth.expired');
  const { calls } = await system.sandbox.books(system.workflowId(open.pre_auth_no));
  expect(calls.filter((call) => call.operation === 'cancel' && call.executed)).toEqual([]);
  await system.sandbox.clearFaults();
});

it('counts a cancellation in the dashboard as canceled', async () => {
  const held = await client.held(stripe);
  await system.sandbox.byDashboard('cancel', held.channel_pre_auth_no);
  await client.waitFor(held.pre_auth_no, 'canceled');
  await expectAgreement(system, held.pre_auth_no);
  expect((await eventsOf(system, held.pre_auth_no)).at(-1)).toMatchObject({
    type: 'pre_auth.canceled',
    data: { amount_released: 50_000 },
  });
});

it('takes over a capture made in the dashboard', async () => {
  const held = await client.held(stripe);
  await system.sandbox.byDashboard('capture', held.channel_pre_auth_no, { amount: 12_300 });
  const captured = await client.waitFor(held.pre_auth_no, 'succeeded');
  expect(captured.amount_captured).toBe(12_300);
  const intent = await system.sandbox.intentOf(system.workflowId(held.pre_auth_no));
  expect([intent.amount_received, intent.released]).toEqual([12_300, 37_700]);
  expect(await client.capture(held.pre_auth_no)).toMatchObject({
    status: 409,
    code: 'PRE_AUTH_CLOSED',
    details: { status: 'succeeded' },
  });
});

it('leaves the hold open for another card when the first is declined', async () => {
  const open = await client.open();
  await expect(client.confirm(stripe, open, 'pm_card_chargeDeclined')).rejects.toThrow('declined');
  expect(await client.capture(open.pre_auth_no)).toMatchObject({
    status: 409,
    code: 'PRE_AUTH_NOT_CAPTURABLE',
  });
  expect((await client.get(open.pre_auth_no)).data).toMatchObject({
    status: 'requires_payment_method',
    client_secret: open.client_secret,
  });
  await client.confirm(stripe, open, 'pm_card_mastercard');
  await client.waitFor(open.pre_auth_no, 'requires_capture');
  await expectAgreement(system, open.pre_auth_no);
});

it("follows the customer through the bank's page", async () => {
  const open = await client.open();
  await client.confirm(stripe, open, 'pm_card_authenticationRequired');
  await client.waitFor(open.pre_auth_no, 'requires_action');
  await system.sandbox.post(`payment_intents/${open.channel_pre_auth_no}/authenticate`);
  await client.waitFor(open.pre_auth_no, 'requires_capture');
  await expectAgreement(system, open.pre_auth_no);
});

it('captures at once what was confirmed a moment ago, without having heard of it', async () => {
  await system.sandbox.eventsMode({ pause: true });
  const open = await client.open();
  await client.confirm(stripe, open);
  expect((await client.get(open.pre_auth_no)).data.status).toBe('requires_payment_method');
  const captured = await client.capture(open.pre_auth_no, { amount: 100 });
  expect(captured).toMatchObject({ status: 200, data: { status: 'succeeded', amount_captured: 100 } });
  await expectAgreement(system, open.pre_auth_no);
  expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.authorized', 'pre_auth.captured']);
  await system.sandbox.eventsMode({ pause: false });
});

it('captures several times where the contract grants it, and releases the rest', async () => {
  await system.sandbox.config({ multicapture: true, secret_key: KEYS.multi });
  const merchant = await system.createMerchant('Car rental');
  const { merchantId } = merchant;
  await system.createAccount({ secretKey: KEYS.multi, merchantId, multipleCaptures: true });
  const rental = system.client(merchant);
  const held = await heldAt(rental, KEYS.multi);

  const first = await rental.capture(held.pre_auth_no, { amount: 10_000, final: false });
  expect(first).toMatchObject({
    status: 200,
    data: {
      status: 'partially_captured',
      amount: 10_000,
      amount_captured: 10_000,
      amount_capturable: 40_000,
    },
  });
  await expectAgreement(system, held.pre_auth_no, merchantId);
  expect(await rental.capture(held.pre_auth_no, { amount: 40_001 })).toMatchObject({
    status: 422,
    code: 'CAPTURE_AMOUNT_EXCEEDS_HOLD',
    details: { amount: 40_001, amount_capturable: 40_000 },
  });
  const second = await rental.capture(held.pre_auth_no, { amount: 5_000, final: false });
  expect(second.data).toMatchObject({ amount: 5_000, amount_captured: 15_000, amount_capturable: 35_000 });

  const released = await rental.cancel(held.pre_auth_no);
  expect(released).toMatchObject({
    status: 200,
    data: { status: 'succeeded', amount_captured: 15_000, amount_released: 35_000 },
  });
  await expectAgreement(system, held.pre_auth_no, merchantId);
  expect((await eventsOf(system, held.pre_auth_no, merchantId)).at(-1)).toMatchObject({
    type: 'pre_auth.canceled',
    status: 'succeeded',
    data: { amount_released: 35_000 },
  });
});

it('releases the rest of a partly captured hold when its time is over', async () => {
  const merchant = await system.createMerchant('Car rental 2');
  const { merchantId } = merchant;
  await system.createAccount({ secretKey: KEYS.multi, merchantId, multipleCaptures: true });
  const rental = system.client(merchant);
  const held = await heldAt(rental, KEYS.multi, { expires_in: 3 });
  expect((await rental.capture(held.pre_auth_no, { amount: 10_000, final: false })).status).toBe(200);
  const closed = await rental.waitFor(held.pre_auth_no, 'succeeded');
  expect(closed).toMatchObject({ amount_captured: 10_000, amount_capturable: 0 });
  await expectAgreement(system, held.pre_auth_no, merchantId);
  expect((await eventsOf(system, held.pre_auth_no, merchantId)).at(-1)).toMatchObject({
    type: 'pre_auth.expired',
    status: 'succeeded',
    data: { amount_released: 40_000 },
  });
});

it("prefers the merchant's own account to the platform's", async () => {
  const merchant = await system.createMerchant('Own account');
  const accountId = await system.createAccount({ secretKey: KEYS.own, merchantId: merchant.merchantId });
  const own = system.client(merchant);
  const held = await heldAt(own, KEYS.own);
  const rows = await system.rows('SELECT channel_account_id FROM pre_auths WHERE pre_auth_no = $1', [
    held.pre_auth_no,
  ]);
  expect(rows).toEqual([{ channel_account_id: accountId }]);
  // Another merchant still uses the platform's.
  await client.held(stripe);
});

it('keeps the live and the test world apart', async () => {
  const live = await liveClient(system.merchant);
  const hold = holdOf();
  expect(await live.create(hold)).toMatchObject({ status: 422, code: 'CHANNEL_NOT_AVAILABLE' });
  await system.createAccount({ secretKey: KEYS.live, world: 'live' });
  const [inLive, inTest] = [await live.create(hold), await client.create(hold)];
  expect([inLive.status, inTest.status]).toEqual([201, 201]);
  expect(inLive.data.channel_pre_auth_no).not.toBe(inTest.data.channel_pre_auth_no);
  const path = `/api/v1/channel/pre-auth/${inLive.data.channel_pre_auth_no}?channel=stripe`;
  expect(await client.call(path)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  expect((await live.call(path)).status).toBe(200);
  await live.confirm(stripe, inLive.data, 'pm_card_visa', KEYS.live.replace('sk_', 'pk_'));
  await live.waitFor(inLive.data.pre_auth_no, 'requires_capture');
  expect((await client.get(inTest.data.pre_auth_no)).data.status).toBe('requires_payment_method');
});

async function liveClient(merchant: SeededMerchant): Promise<MerchantClient> {
  const path = `merchants/${merchant.liveMerchantId}/api-keys`;
  const { data } = await system.admin<{ key: string }>(path, { body: { name: 'live' } });
  expect(data.key).toMatch(/^hf_live_/);
  return system.client({ apiKey: data.key });
}

/** A confirmed hold of a merchant whose account has this secret key: the customer's browser has its publishable one. */
async function heldAt(merchant: MerchantClient, secretKey: string, fields: object = {}) {
  const open = await merchant.open(fields);
  await merchant.confirm(stripe, open, 'pm_card_visa', secretKey.replace('sk_', 'pk_'));
  return merchant.waitFor(open.pre_auth_no, 'requires_capture');
}
