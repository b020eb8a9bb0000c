/** What operators stop takes nothing new, in every process, and finishes what it has; what they tell workflows is kept. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expectAgreement } from './checks';
import { eventually, startSystem } from './harness';
import type { SeededMerchant, System } from './harness';
import { CREATE_PATH, holdOf, MerchantClient, newNumber } from './merchant-client';
import { PaymentClient, paymentOf } from './payment-client';

/** Of what a process knows of a merchant, and of routing. */
const KNOWN_MS = 5_000;

let system: System;
let stripe: string;

beforeAll(async () => {
  system = await startSystem({ apiCount: 2 });
  stripe = system.sandbox.url;
});
afterAll(() => system?.stop());

const root = () => new MerchantClient(system.apiUrl, system.adminKey);
const put = <T>(path: string, json: object) =>
  root().call<T>(`/api/v1/admin/${path}`, { method: 'PUT', json });

interface Entry {
  readonly actor: string;
  readonly action: string;
  readonly after: object;
}

async function audited(query: string): Promise<Entry[]> {
  const { data } = await root().call<{ items: Entry[] }>(`/api/v1/admin/audit?limit=100&${query}`);
  return data.items;
}

/** The same merchant at each of the two processes. */
const everywhere = (merchant: SeededMerchant) => system.apis.map((api) => system.client(merchant, api));

/** That every process of the API goes by it, as soon as it says so, within the time it may take. */
async function everywhereWithin5s(merchant: SeededMerchant, code: string): Promise<void> {
  const asked = everywhere(merchant).map((client) =>
    eventually(
      code,
      // Not more often than a small tier may.
      () => sleep(250).then(() => client.call(CREATE_PATH, { json: holdOf() })),
      (reply) => reply.code === code,
      KNOWN_MS,
    ),
  );
  await Promise.all(asked);
}

const suspend = (merchant: SeededMerchant, status: 'active' | 'suspended') =>
  put(`merchants/${merchant.merchantId}/status`, { status });

test('a suspended merchant begins nothing anywhere after 5 seconds, ends what it has, and is let in again', async () => {
  const merchant = await system.createMerchant('Suspended');
  const client = system.client(merchant);
  const payments = new PaymentClient(client, stripe);
  const [captured, released, read] = [
    await client.held(stripe),
    await client.held(stripe),
    await client.held(stripe),
  ];
  const paid = await payments.open();
  await payments.pay(paid);
  await payments.waitFor(paid.payment_no, 'success');
  const key = newNumber('key');
  const begun = holdOf();
  const first = await client.call(CREATE_PATH, { json: begun, key });
  expect(first.status).toBe(201);

  expect((await suspend(merchant, 'suspended')).status).toBe(200);
  await everywhereWithin5s(merchant, 'MERCHANT_SUSPENDED');
  for (const each of everywhere(merchant)) {
    const answers = [
      await each.call(CREATE_PATH, { json: holdOf() }),
      await new PaymentClient(each, stripe).create(paymentOf()),
      await each.call('/api/v1/routing/quote', { json: { amount: 1_000, currency: 'USD' } }),
    ];
    expect(answers.map(({ status, code }) => [status, code])).toEqual(
      Array.from({ length: 3 }, () => [403, 'MERCHANT_SUSPENDED']),
    );
    // What was taken before is told to a repeat, by its key and by its number.
    expect((await each.call(CREATE_PATH, { json: begun, key })).data).toEqual(first.data);
    expect((await each.call(CREATE_PATH, { json: begun })).status).toBe(200);
  }
  const [, other] = everywhere(merchant);
  expect((await client.capture(captured.pre_auth_no, {})).status).toBe(200);
  expect((await (other ?? client).cancel(released.pre_auth_no)).status).toBe(200);
  const refund = await client.call(`/api/v1/payments/${paid.payment_no}/refunds`, {
    json: { amount: 1_000 },
  });
  expect([200, 201, 202]).toContain(refund.status);
  expect((await client.get(read.pre_auth_no)).data).toMatchObject({ status: 'requires_capture' });
  const told = `SELECT type FROM payment_events WHERE merchant_id = $1 AND type IN ('pre_auth.captured', 'pre_auth.canceled')`;
  expect(await system.rows(told, [merchant.merchantId])).toHaveLength(2);
  // Another merchant does not notice.
  expect((await system.client().call(CREATE_PATH, { json: holdOf() })).status).toBe(201);

  await suspend(merchant, 'active');
  await everywhereWithin5s(merchant, 'SUCCESS');
}, 60_000);

test('suspended in the midst of orders: each is refused whole or taken whole, and after 5 seconds none is taken', async () => {
  const merchant = await system.createMerchant('Busy');
  const clients = everywhere(merchant);
  const taken: string[] = [];
  const codes = new Set<string>();
  let suspendedAtMs = Infinity;
  let lateTaken = 0;
  const shop = async (client: MerchantClient) => {
    while (Date.now() < suspendedAtMs + KNOWN_MS + 1_000) {
      const askedAtMs = Date.now();
      const json = holdOf();
      const { status, code } = await client.call(CREATE_PATH, { json });
      codes.add(`${status} ${code}`);
      await sleep(50);
      if (status >= 300) continue;
      taken.push(String(json.pre_auth_no));
      if (askedAtMs > suspendedAtMs + KNOWN_MS) lateTaken += 1;
    }
  };
  const shops = clients.map(shop);
  await sleep(500);
  expect((await suspend(merchant, 'suspended')).status).toBe(200);
  suspendedAtMs = Date.now();
  await Promise.all(shops);
  expect([lateTaken, codes.has('403 MERCHANT_SUSPENDED')]).toEqual([0, true]);
  expect(
    [...codes].filter(
      (one) => !/^(20[12] SUCCESS|403 MERCHANT_SUSPENDED|429 RATE_LIMIT_EXCEEDED)$/.test(one),
    ),
  ).toEqual([]);
  expect(taken.length).toBeGreaterThan(2);
  const rows = await system.rows<{ pre_auth_no: string }>(
    'SELECT pre_auth_no FROM pre_auths WHERE merchant_id = $1',
    [merchant.merchantId],
  );
  expect(rows.map((row) => row.pre_auth_no).sort()).toEqual(taken.sort());
  const [one = ''] = taken;
  expect((await system.client(merchant).cancel(one)).status).toBe(200);
  await expectAgreement(system, one, merchant.merchantId);
}, 60_000);

interface Quote {
  readonly channel: string;
  readonly candidates: { channel: string; eligible: boolean; excluded?: { code: string } }[];
}

test('an account that is switched off takes nothing new, whoever asks for it, and what it holds goes on', async () => {
  const client = system.client();
  const [captured, released] = [await client.held(stripe), await client.held(stripe)];
  const waiting = await client.open();
  const path = `channel-accounts/${system.accountId}/switch`;
  const off = await put<{ switched_off_at: string | null }>(path, { on: false });
  expect([off.status, typeof off.data.switched_off_at]).toEqual([200, 'string']);
  await everywhereWithin5s(system.merchant, 'CHANNEL_SWITCHED_OFF');
  for (const each of everywhere(system.merchant)) {
    const hold = await each.call(CREATE_PATH, { json: holdOf() });
    const payment = await new PaymentClient(each, stripe).create(paymentOf({ channel: undefined }));
    for (const { status, code, details } of [hold, payment])
      expect([status, code, details]).toEqual([422, 'CHANNEL_SWITCHED_OFF', { channel: 'stripe' }]);
    const { data } = await each.call<Quote>('/api/v1/routing/quote', {
      json: { amount: 1_000, currency: 'USD' },
    });
    const excluded = data.candidates.find(({ channel }) => channel === 'stripe')?.excluded;
    expect(excluded?.code).toBe('account_switched_off');
  }
  expect((await client.capture(captured.pre_auth_no, {})).status).toBe(200);
  expect((await client.cancel(released.pre_auth_no)).status).toBe(200);
  // The channel's events of it are taken: the customer confirms now.
  await client.confirm(stripe, waiting);
  expect(await client.waitFor(waiting.pre_auth_no, 'requires_capture')).toMatchObject({ amount: 50_000 });
  for (const { pre_auth_no: no } of [captured, released]) await expectAgreement(system, no);

  expect((await put(path, { on: true })).status).toBe(200);
  await everywhereWithin5s(system.merchant, 'SUCCESS');
  const changes = await audited(
    `entity=channel-account&entity_id=${system.accountId}&action=channel-account.switch`,
  );
  expect(changes.map(({ actor, after }) => [actor, after])).toEqual([
    ['root', { on: true }],
    ['root', { on: false }],
  ]);
}, 60_000);

test('what an operator tells a hold in Temporal is in the audit, once, under the name given; what a merchant asks is not', async () => {
  const client = system.client();
  const [part, bare, canceled, own] = await Promise.all([
    ...([client.held(stripe), client.held(stripe)] as const),
    ...([client.held(stripe), client.held(stripe)] as const),
  ]);
  const command = { amount: 12_345, by: 'ann', reason: 'guest phoned from +49 170', command_id: 'phone-1' };
  await system.workflow(part.pre_auth_no).signal('capture', command);
  await system.workflow(part.pre_auth_no).signal('capture', command);
  await system.workflow(bare.pre_auth_no).signal('capture');
  await system.workflow(canceled.pre_auth_no).signal('cancel', { by: 'ben' });
  await client.waitFor(part.pre_auth_no, 'succeeded');
  await client.waitFor(bare.pre_auth_no, 'succeeded');
  await client.waitFor(canceled.pre_auth_no, 'canceled');
  await client.capture(own.pre_auth_no, {});
  const of = ({ pre_auth_no: no }: { pre_auth_no: string }) =>
    audited(`entity=pre_auth&entity_id=${system.merchant.merchantId}/${no}`);
  expect(await of(part)).toMatchObject([
    {
      via: 'temporal',
      actor: 'ann',
      action: 'signal.capture',
      request_id: 'phone-1',
      after: { amount: 12_345, currency: 'USD' },
    },
  ]);
  expect(JSON.stringify(await of(part))).not.toContain('+49');
  expect(await of(bare)).toMatchObject([{ actor: 'temporal', action: 'signal.capture' }]);
  expect(await of(canceled)).toMatchObject([{ actor: 'ben', action: 'signal.cancel', status: null }]);
  expect(await of(own)).toEqual([]);
}, 60_000);

test('so is how an unknown outcome was decided', async () => {
  const { pre_auth_no: no } = await system.client().held(stripe);
  const workflow = system.workflow(no);
  await system.sandbox.fault('cancel', 'error_before', { times: 1_000, holdfastId: system.workflowId(no) });
  const asking = system.client().cancel(no);
  const ofCall = `object_no = $1 AND operation = 'cancel'`;
  await eventually(
    'it was sent',
    () => system.rows<{ attempts: number }>(`SELECT attempts FROM channel_calls WHERE ${ofCall}`, [no]),
    ([call]) => (call?.attempts ?? 0) > 0,
  );
  await system.rows(
    `UPDATE channel_calls SET created_at = created_at - interval '24 hours' WHERE ${ofCall}`,
    [no],
  );
  const settled = async () => {
    await workflow.signal('resync');
    await workflow.signal('settle', { by: 'ann', reason: 'seen', outcome: 'not_executed' });
    return audited(`action=signal.settle&entity_id=${system.merchant.merchantId}/${no}`);
  };
  const entries = await eventually('it is decided', settled, ({ length }) => length > 0);
  expect(entries).toMatchObject([{ actor: 'ann', after: { operation: 'cancel', outcome: 'not_executed' } }]);
  await system.sandbox.clearFaults();
  await asking;
}, 60_000);
