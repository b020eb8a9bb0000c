/** What operators stop takes nothing new, in every process, and finishes what it has. */
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

interface Numbered {
  readonly pre_auth_no?: string;
  readonly payment_no?: string;
}

const numbersOf = ({ pre_auth_no: hold, payment_no: payment }: Numbered = {}) =>
  hold === undefined ? { payment_no: payment } : { pre_auth_no: hold };

interface Quote {
  readonly channel: string;
  readonly candidates: { channel: string; eligible: boolean; excluded?: { code: string } }[];
}

test('an account that is switched off takes nothing new, whoever asks for it, and what it holds goes on', async () => {
  const client = system.client();
  const [captured, released] = [await client.held(stripe), await client.held(stripe)];
  const waiting = await client.open();
  const begun = [
    { path: CREATE_PATH, key: newNumber('key'), json: holdOf() },
    {
      path: CREATE_PATH,
      key: newNumber('key'),
      json: { ...holdOf({ channel: undefined }), pre_auth_no: undefined },
    },
    { path: '/api/v1/payments', key: newNumber('key'), json: paymentOf() },
    { path: '/api/v1/payments', key: newNumber('key'), json: paymentOf({ channel: undefined }) },
  ];
  const first = await Promise.all(begun.map(({ path, ...asked }) => client.call<Numbered>(path, asked)));
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
    // What was taken before is told to a repeat: by its key, also where no answer was kept, and by its number.
    await system.rows('UPDATE idempotency_records SET response_status = NULL, response_sealed = NULL');
    for (const [i, { path: where, ...asked }] of begun.entries())
      expect(await each.call<Numbered>(where, asked)).toMatchObject({
        status: 201,
        data: numbersOf(first[i]?.data),
      });
    const [numbered = { json: {} }] = begun;
    expect((await each.call(CREATE_PATH, { json: numbered.json })).status).toBe(200);
    const other = await each.call(CREATE_PATH, { json: { ...numbered.json, amount: 1 } });
    expect([other.status, other.code]).toEqual([409, 'PRE_AUTH_CONFLICT']);
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
