import { randomUUID } from 'node:crypto';
import { expectAgreement, eventsOf, eventTypesOf } from './checks';
import { startSystem } from './harness';
import type { System } from './harness';
import { holdOf, newNumber } from './merchant-client';
import type { MerchantClient } from './merchant-client';

let system: System;
let client: MerchantClient;

beforeAll(async () => {
  system = await startSystem();
  client = system.client();
});
afterAll(() => system?.stop());

it('answers a new hold with the fields of the original description', async () => {
  const hold = holdOf({
    description: 'Deposit',
    customer_email: 'guest@example.com',
    metadata: { room: '7' },
  });
  const beforeSeconds = Math.floor(Date.now() / 1000);
  const { status, code, message, data } = await client.create(hold);
  expect({ status, code, message }).toEqual({
    status: 201,
    code: 'SUCCESS',
    message: 'Pre-authorization created',
  });
  expect(data).toMatchObject({
    ...{ pre_auth_no: hold['pre_auth_no'], order_no: hold.order_no, channel: 'stripe', amount: 50_000 },
    ...{ currency: 'USD', status: 'requires_payment_method', amount_capturable: 0, amount_captured: 0 },
    ...{ description: 'Deposit', metadata: { room: '7' }, next_action: { type: 'client_secret' } },
  });
  expect(data.channel_pre_auth_no).toMatch(/^pi_/);
  expect(data.client_secret).toMatch(new RegExp(`^${data.channel_pre_auth_no}_secret_`));
  expect(Number(data.expires_at) - beforeSeconds - 24 * 3600).toBeLessThan(30);
  expect(Number(data.expires_at) - beforeSeconds - 24 * 3600).toBeGreaterThanOrEqual(0);
});

it('captures a part and releases the rest, and tells every endpoint once', async () => {
  const notifyUrl = `https://hooks.example.com/${randomUUID()}`;
  const filtered = await addEndpoint('https://filtered.example.com/a', ['pre_auth.captured']);
  const all = await addEndpoint('https://all.example.com/b', []);
  const held = await client.held(system.sandbox.url, { notify_url: notifyUrl });
  expect(held).toMatchObject({ amount_capturable: 50_000 });
  expect(held.client_secret).toBeUndefined();

  const captured = await client.capture(held.pre_auth_no, { amount: 32_000, currency: 'USD' });
  expect(captured).toMatchObject({
    status: 200,
    data: {
      ...{ channel_trade_no: held.channel_pre_auth_no, status: 'succeeded', amount: 32_000 },
      ...{ amount_captured: 32_000, amount_capturable: 0 },
    },
  });

  await expectAgreement(system, held.pre_auth_no);
  const intent = await system.sandbox.intentOf(system.workflowId(held.pre_auth_no));
  expect(intent.released).toBe(18_000);
  const events = await eventsOf(system, held.pre_auth_no);
  expect(events.map(({ type, status }) => [type, status])).toEqual([
    ['pre_auth.authorized', 'requires_capture'],
    ['pre_auth.captured', 'succeeded'],
  ]);
  expect(events[1]?.data).toMatchObject({
    amount_this_capture: 32_000,
    amount_captured: 32_000,
    amount_released: 18_000,
  });

  const outbox = await notificationsOf(held.pre_auth_no);
  const urlsOf = (event: string) => outbox.filter((row) => row.event === event).map((row) => row.url);
  expect(urlsOf('pre_auth.authorized').sort()).toEqual(['https://all.example.com/b', notifyUrl]);
  expect(urlsOf('pre_auth.captured').sort()).toEqual([
    'https://all.example.com/b',
    'https://filtered.example.com/a',
    notifyUrl,
  ]);
  expect(JSON.parse(outbox.at(-1)?.body ?? '')).toMatchObject({
    ...{ event: 'pre_auth.captured', payment_no: held.pre_auth_no, order_no: held.order_no },
    ...{
      amount: 50_000,
      currency: 'USD',
      status: 'succeeded',
      extra: { sequence: 2, amount_released: 18_000 },
    },
  });
  await system.db.query('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = ANY ($1)', [
    [filtered, all],
  ]);
});

it('tells an endpoint once when a notify_url is that endpoint', async () => {
  const url = `https://same.example.com/${randomUUID()}`;
  const id = await addEndpoint(url, []);
  const held = await client.held(system.sandbox.url, { notify_url: url });
  const outbox = await notificationsOf(held.pre_auth_no);
  expect(outbox.map((row) => [row.event, row.url, row.endpoint_id])).toEqual([
    ['pre_auth.authorized', url, id],
  ]);
  await system.db.query('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = $1', [id]);
});

it('captures everything, by the channel number, when no amount is given', async () => {
  const held = await client.held(system.sandbox.url);
  const json = { channel: 'stripe', channel_pre_auth_no: held.channel_pre_auth_no, currency: 'USD' };
  const reply = await client.call('/api/v1/channel/pre-auth/capture', { json });
  expect(reply).toMatchObject({
    status: 200,
    data: { amount: 50_000, amount_captured: 50_000, amount_capturable: 0 },
  });
  await expectAgreement(system, held.pre_auth_no);
  const read = await client.call(`/api/v1/channel/pre-auth/${held.channel_pre_auth_no}?channel=stripe`);
  expect(read.data).toEqual((await client.get(held.pre_auth_no)).data);
  expect(read.data.status).toBe('succeeded');
});

it('captures the whole amount when it is named', async () => {
  const held = await client.held(system.sandbox.url);
  const reply = await client.capture(held.pre_auth_no, { amount: 50_000 });
  expect(reply).toMatchObject({ status: 200, data: { status: 'succeeded', amount: 50_000 } });
  await expectAgreement(system, held.pre_auth_no);
  const events = await eventsOf(system, held.pre_auth_no);
  expect(events.at(-1)?.data['amount_released']).toBeUndefined();
});

it('cancels before and after the confirmation', async () => {
  const open = await client.open();
  const json = { channel: 'stripe', channel_pre_auth_no: open.channel_pre_auth_no, reason: 'guest left' };
  const early = await client.call('/api/v1/channel/pre-auth/cancel', { json });
  expect(early).toMatchObject({ status: 200, data: { status: 'canceled', amount_captured: 0 } });
  await expectAgreement(system, open.pre_auth_no);

  const held = await client.held(system.sandbox.url);
  const late = await client.cancel(held.pre_auth_no);
  expect(late).toMatchObject({ status: 200, data: { status: 'canceled', amount_released: 50_000 } });
  await expectAgreement(system, held.pre_auth_no);
  expect(await eventTypesOf(system, held.pre_auth_no)).toEqual(['pre_auth.authorized', 'pre_auth.canceled']);
  expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.canceled']);
  const [row] = await system.rows('SELECT cancel_reason FROM pre_auths WHERE pre_auth_no = $1', [
    open.pre_auth_no,
  ]);
  expect(row).toEqual({ cancel_reason: 'guest left' });
});

it('knows the same hold again, and another one under the same number', async () => {
  const hold = holdOf();
  const first = await client.create(hold);
  const again = await client.create(hold);
  expect([first.status, again.status]).toEqual([201, 200]);
  expect(again.data).toEqual(first.data);
  expect(await client.create({ ...hold, amount: 49_999 })).toMatchObject({
    status: 409,
    code: 'PRE_AUTH_CONFLICT',
    details: { pre_auth_no: hold['pre_auth_no'] },
  });
  await client.cancel(first.data.pre_auth_no);
  expect(await client.create(hold)).toMatchObject({ status: 200, data: { status: 'canceled' } });
});

it('lets an order have one live or paid hold at most', async () => {
  const first = await client.held(system.sandbox.url);
  const order = { order_no: first.order_no };
  const named = { kind: 'pre_auth', number: first.pre_auth_no };
  expect(await client.create(holdOf(order))).toMatchObject({
    status: 409,
    code: 'ORDER_IN_PROGRESS',
    details: named,
  });
  await client.capture(first.pre_auth_no);
  expect(await client.create(holdOf(order))).toMatchObject({
    status: 409,
    code: 'ORDER_ALREADY_PAID',
    details: named,
  });

  const released = await client.open();
  await client.cancel(released.pre_auth_no);
  expect((await client.create(holdOf({ order_no: released.order_no }))).status).toBe(201);
});

it('lists with filters, and pages that inserts do not shift', async () => {
  const merchant = await system.createMerchant('Lister');
  const lister = system.client(merchant);
  const made: string[] = [];
  for (let i = 0; i < 5; i += 1) made.unshift((await lister.open()).pre_auth_no);
  await lister.cancel(made[2] ?? '');
  type Page = { items: { pre_auth_no: string; client_secret?: string }[]; next_cursor: string | null };
  const list = (query: string) => lister.call<Page>(`/api/v1/channel/pre-auth?${query}`);

  const seen: string[] = [];
  let cursor = '';
  for (let pages = 0; pages < 5; pages += 1) {
    const { status, data } = await list(`limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    expect(status).toBe(200);
    seen.push(...data.items.map((item) => item.pre_auth_no));
    expect(data.items.every((item) => item.client_secret === undefined)).toBe(true);
    if (data.next_cursor === null) break;
    cursor = data.next_cursor;
    // A hold made while somebody reads shifts no page.
    await lister.open();
  }
  expect(seen).toEqual(made);

  const canceled = await list('status=canceled');
  expect(canceled.data.items.map((item) => item.pre_auth_no)).toEqual([made[2]]);
  const wanted = (await lister.get(made[0] ?? '')).data;
  const byOrder = await list(`order_no=${wanted.order_no}`);
  expect(byOrder.data.items.map((item) => item.pre_auth_no)).toEqual([wanted.pre_auth_no]);
  const before = await list(
    `created_to=${encodeURIComponent(new Date(Date.now() - 3_600_000).toISOString())}`,
  );
  expect(before.data).toEqual({ items: [], next_cursor: null });
});

it('says what the channel declined, and gives the order back', async () => {
  // Below what the channel takes: only the channel knows its minimum.
  const hold = holdOf({ amount: 10 });
  const reply = await client.create(hold);
  expect(reply).toMatchObject({
    status: 402,
    code: 'CHANNEL_DECLINED',
    details: { pre_auth_no: hold['pre_auth_no'], decline_code: 'invalid_amount', status: 'failed' },
  });
  expect(await eventTypesOf(system, String(hold['pre_auth_no']))).toEqual(['pre_auth.failed']);
  expect((await client.create(hold)).data).toMatchObject({
    status: 'failed',
    decline_code: 'invalid_amount',
  });
  expect((await client.create(holdOf({ order_no: hold.order_no }))).status).toBe(201);
});

it('generates a number when the merchant gives none', async () => {
  const { order_no: orderNo, amount, currency } = holdOf();
  const reply = await client.create({ order_no: orderNo, amount, currency });
  expect(reply.status).toBe(201);
  expect(reply.data.pre_auth_no).toMatch(/^PA\d{14}[a-z]{8}$/);
  expect(reply.data.channel).toBe('stripe');
  expect(newNumber()).not.toBe(newNumber());
});

async function addEndpoint(url: string, filter: string[]): Promise<string> {
  const id = randomUUID();
  await system.db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url, event_filter) VALUES ($1, $2, 'explicit', $3, $4)`,
    [id, system.merchant.merchantId, url, filter],
  );
  return id;
}

interface Notification {
  event: string;
  url: string;
  body: string;
  endpoint_id: string;
}

function notificationsOf(preAuthNo: string): Promise<Notification[]> {
  return system.rows<Notification>(
    `SELECT event, url, body, endpoint_id FROM webhook_notifications
     WHERE merchant_id = $1 AND payment_no = $2 ORDER BY payload -> 'extra' -> 'sequence', url`,
    [system.merchant.merchantId, preAuthNo],
  );
}
