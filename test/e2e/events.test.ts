/** What channels send on their own: verified, stored once, understood in whatever order it comes. */
import { randomUUID } from 'node:crypto';
import { signEvent } from '../../dev/stripe-sandbox/events';
import { countAllRows, expectAgreement, eventsOf, eventTypesOf } from './checks';
import { eventually, SECRETS, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';

let system: System;
let client: MerchantClient;
let stripe: string;

beforeAll(async () => {
  system = await startSystem();
  client = system.client();
  stripe = system.sandbox.url;
});
afterAll(() => system?.stop());

interface StoredRow {
  event_id: string;
  state: string;
  attempts: number;
  type: string;
}

const storedFor = (objectId: string) =>
  system.rows<StoredRow>('SELECT event_id, state, attempts, type FROM channel_events WHERE object_id = $1', [
    objectId,
  ]);

function eventBody(object: object, id = `evt_${randomUUID()}`): string {
  const type = 'payment_intent.canceled';
  return JSON.stringify({
    id,
    object: 'event',
    type,
    data: { object: { object: 'payment_intent', ...object } },
  });
}

async function deliver(
  body: string,
  options: { secret?: string; account?: string; atSeconds?: number } = {},
) {
  const { secret = SECRETS.webhookSecret, account = system.accountId } = options;
  const { atSeconds = Math.floor(Date.now() / 1000) } = options;
  const response = await fetch(`${system.apiUrl}/api/v1/channels/stripe/${account}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': signEvent(body, secret, atSeconds) },
    body,
  });
  return { status: response.status, body: (await response.json()) as { code?: string } };
}

it('understands events that come twice and in the wrong order', async () => {
  await system.sandbox.eventsMode({ duplicate: true, reorder: true });
  const holds = await Promise.all([client.held(stripe), client.held(stripe), client.open()]);
  const [captured, canceled, open] = holds;
  await client.capture(captured.pre_auth_no, { amount: 1_000 });
  await client.cancel(canceled.pre_auth_no);
  await system.sandbox.byDashboard('cancel', open.channel_pre_auth_no);
  await client.waitFor(open.pre_auth_no, 'canceled');
  for (const hold of holds) {
    const stored = await eventually(
      'all events are processed',
      () => storedFor(hold.channel_pre_auth_no),
      (rows) => rows.length >= 2 && rows.every(({ state }) => state === 'processed'),
    );
    expect(new Set(stored.map((row) => row.event_id)).size).toBe(stored.length);
    await expectAgreement(system, hold.pre_auth_no);
  }
  expect(await eventTypesOf(system, captured.pre_auth_no)).toEqual([
    'pre_auth.authorized',
    'pre_auth.captured',
  ]);
  expect(await eventTypesOf(system, canceled.pre_auth_no)).toEqual([
    'pre_auth.authorized',
    'pre_auth.canceled',
  ]);
  expect(await eventTypesOf(system, open.pre_auth_no)).toEqual(['pre_auth.canceled']);
  await system.sandbox.eventsMode({ duplicate: false, reorder: false });
});

it('refuses forged events and stores nothing of them', async () => {
  const open = await client.open();
  const body = eventBody({ id: open.channel_pre_auth_no });
  const before = await countAllRows(system);
  const forged = [
    await deliver(body, { secret: 'whsec_somebody_else' }),
    await deliver(body, { atSeconds: Math.floor(Date.now() / 1000) - 3_600 }),
    await deliver('not even JSON', { secret: 'whsec_somebody_else' }),
  ];
  for (const { status, body: answer } of forged) {
    expect({ status, code: answer.code }).toEqual({ status: 401, code: 'SIGNATURE_INVALID' });
  }
  expect((await deliver(body, { account: randomUUID() })).status).toBe(404);
  expect(await countAllRows(system)).toEqual(before);
  expect((await client.get(open.pre_auth_no)).data.status).toBe('requires_payment_method');
});

it('believes the channel and not the event', async () => {
  const held = await client.held(stripe);
  expect((await deliver(eventBody({ id: held.channel_pre_auth_no, status: 'canceled' }))).status).toBe(200);
  await eventually(
    'the event is processed',
    () => storedFor(held.channel_pre_auth_no),
    (rows) => rows.some(({ type, state }) => type === 'payment_intent.canceled' && state === 'processed'),
  );
  expect((await client.capture(held.pre_auth_no)).status).toBe(200);
  await expectAgreement(system, held.pre_auth_no);
});

it('keeps an event that comes before the answer it belongs to', async () => {
  const hold = holdOf();
  const no = String(hold['pre_auth_no']);
  const holdfastId = system.workflowId(no);
  await system.sandbox.fault('create', 'timeout_after', { holdfastId });
  const creating = client.create(hold);
  const [echo] = await eventually(
    'the event of our own create is stored',
    () => system.rows<StoredRow>('SELECT * FROM channel_events WHERE holdfast_id = $1', [holdfastId]),
    (rows) => rows.length > 0,
  );
  const id = (echo as StoredRow & { object_id: string }).object_id;
  expect((await client.get(no)).data.channel_pre_auth_no).toBeNull();
  // Its own answer is on the way, so it needs nobody; news that somebody else caused waits for the object.
  expect(echo?.state).toBe('processed');
  await deliver(eventBody({ id, metadata: { holdfast_id: holdfastId } }));
  const early = (await storedFor(id)).find(({ type }) => type === 'payment_intent.canceled');
  expect(early?.state).toBe('stored');
  expect((await creating).status).toBe(201);
  await eventually(
    'the early event is processed',
    () => storedFor(id),
    (rows) => rows.length > 1 && rows.every(({ state }) => state === 'processed'),
  );
  await expectAgreement(system, no);
});

it('keeps an event that matches no object, and tries it again later', async () => {
  const id = `pi_${randomUUID()}`;
  const body = eventBody({ id });
  expect([(await deliver(body)).status, (await deliver(body)).status]).toEqual([200, 200]);
  const [row] = await eventually(
    'the pick-up has tried',
    () => storedFor(id),
    (rows) => (rows[0]?.attempts ?? 0) > 0,
  );
  expect(row).toMatchObject({ state: 'stored', attempts: 1 });
});

it("takes no word about another account's object", async () => {
  const held = await client.held(stripe);
  const merchant = await system.createMerchant('Intruder');
  const account = await system.createAccount({
    secretKey: SECRETS.stripeKey,
    merchantId: merchant.merchantId,
  });
  const before = await eventsOf(system, held.pre_auth_no);
  const object = {
    id: held.channel_pre_auth_no,
    metadata: { holdfast_id: system.workflowId(held.pre_auth_no) },
  };
  const body = eventBody(object);
  expect((await deliver(body, { account })).status).toBe(200);
  const [stored] = await eventually(
    'the pick-up has tried',
    () =>
      system.rows<StoredRow>(
        'SELECT * FROM channel_events WHERE channel_account_id = $1 AND object_id = $2',
        [account, held.channel_pre_auth_no],
      ),
    (rows) => rows.some(({ attempts, state }) => attempts > 0 || state !== 'stored'),
  );
  expect(stored?.state).toBe('stored');
  expect(await eventsOf(system, held.pre_auth_no)).toEqual(before);
});
