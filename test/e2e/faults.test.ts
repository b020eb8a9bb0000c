/** A channel that misbehaves: the end is right, and no money call is repeated under a new key without a proof. */
import type { FaultKind } from '../../dev/stripe-sandbox/faults';
import { expectAgreement, eventTypesOf, findUnprovedKeys } from './checks';
import { SECRETS, SOAK, startSystem } from './harness';
import type { System } from './harness';
import { holdOf } from './merchant-client';
import type { MerchantClient } from './merchant-client';

const REPEATS = SOAK ? 8 : 1;
const PROOF = { gapMs: 1_000, afterSendMs: 2_000 };
const MULTI_KEY = 'sk_test_multi';
/** Beyond CHANNEL_TIMEOUT, so that the first try ends without an answer. */
const SLOW_MS = 3_000;
const FAULTS: readonly FaultKind[] = [
  'error_before',
  'error_after',
  'error_stored_not_executed',
  'timeout_after',
  'reset_before',
  'reset_after',
  'slow',
];

let system: System;
let client: MerchantClient;
let stripe: string;

beforeAll(async () => {
  system = await startSystem({ sandbox: 'process', stripeKeys: [SECRETS.stripeKey, MULTI_KEY] });
  client = system.client();
  stripe = system.sandbox.url;
});
afterAll(() => system?.stop());

/** How often a fault strikes: the SDK repeats a reset by itself, so one alone would never be seen. */
const timesOf = (fault: FaultKind) => (fault.startsWith('reset') ? 2 : 1);

async function strike(operation: string, fault: FaultKind, preAuthNo: string): Promise<void> {
  const holdfastId = system.workflowId(preAuthNo);
  await system.sandbox.fault(operation, fault, { times: timesOf(fault), delayMs: SLOW_MS, holdfastId });
}

async function expectProved(preAuthNo: string): Promise<void> {
  const { calls } = await system.sandbox.books();
  expect(findUnprovedKeys(calls, system.workflowId(preAuthNo), PROOF)).toEqual([]);
}

/** The n of the last key an operation was sent under: 2 only where the first was proved not executed. */
async function lastKeyOf(operation: string, preAuthNo: string): Promise<number> {
  const [row] = await system.rows<{ n: number }>(
    'SELECT max(n)::int AS n FROM channel_calls WHERE operation = $1 AND object_no = $2',
    [operation, preAuthNo],
  );
  return row?.n ?? 0;
}

const expectedKeys = (fault: FaultKind) => (fault === 'error_stored_not_executed' ? 2 : 1);

async function createUnder(fault: FaultKind): Promise<void> {
  const hold = holdOf();
  const no = String(hold['pre_auth_no']);
  await strike('create', fault, no);
  const reply = await client.create(hold);
  expect([201, 202]).toContain(reply.status);
  const open = await client.waitFor(no, 'requires_payment_method');
  await client.confirm(stripe, open);
  expect(await client.capture(no, { amount: 30_000 })).toMatchObject({
    status: 200,
    data: { status: 'succeeded' },
  });
  await expectAgreement(system, no);
  await expectProved(no);
  expect(await lastKeyOf('create', no)).toBe(expectedKeys(fault));
}

async function captureUnder(fault: FaultKind): Promise<void> {
  const { pre_auth_no: no } = await client.held(stripe);
  await strike('capture', fault, no);
  const reply = await client.capture(no, { amount: 30_000 });
  expect([200, 202]).toContain(reply.status);
  expect(await client.waitFor(no, 'succeeded')).toMatchObject({ amount_captured: 30_000 });
  await expectAgreement(system, no);
  await expectProved(no);
  expect(await eventTypesOf(system, no)).toEqual(['pre_auth.authorized', 'pre_auth.captured']);
  expect(await lastKeyOf('capture', no)).toBe(expectedKeys(fault));
}

async function cancelUnder(fault: FaultKind): Promise<void> {
  const { pre_auth_no: no } = await client.held(stripe);
  await strike('cancel', fault, no);
  const reply = await client.cancel(no);
  expect([200, 202]).toContain(reply.status);
  await client.waitFor(no, 'canceled');
  await expectAgreement(system, no);
  await expectProved(no);
  expect(await eventTypesOf(system, no)).toEqual(['pre_auth.authorized', 'pre_auth.canceled']);
  expect(await lastKeyOf('cancel', no)).toBe(expectedKeys(fault));
}

const OPERATIONS = { create: createUnder, capture: captureUnder, cancel: cancelUnder };

it.each(Object.entries(OPERATIONS))(
  'comes to the right end whatever goes wrong on %s',
  async (_operation, under) => {
    for (let i = 0; i < REPEATS; i += 1) await Promise.all(FAULTS.map(under));
  },
  60_000 * REPEATS,
);

it('judges a capture against the one before it, whose answer was lost', async () => {
  const { pre_auth_no: no } = await client.held(stripe);
  await strike('capture', 'timeout_after', no);
  const [first, second] = await Promise.all([
    client.capture(no, { amount: 30_000 }),
    new Promise((resolve) => setTimeout(resolve, 300)).then(() => client.capture(no, { amount: 20_000 })),
  ]);
  expect(first).toMatchObject({ status: 200, data: { amount_captured: 30_000 } });
  expect(second).toMatchObject({ status: 409 });
  await expectAgreement(system, no);
  await expectProved(no);
});

it.each(['timeout_after', 'error_after', 'error_stored_not_executed'] as const)(
  'counts a part whose answer was lost before the next one is judged (%s)',
  async (fault) => {
    await system.sandbox.config({ multicapture: true, secret_key: MULTI_KEY });
    const merchant = await system.createMerchant('Car rental');
    const { merchantId } = merchant;
    await system.createAccount({ secretKey: MULTI_KEY, merchantId, multipleCaptures: true });
    const rental = system.client(merchant);
    const open = await rental.open();
    const no = open.pre_auth_no;
    await rental.confirm(stripe, open, 'pm_card_visa', MULTI_KEY.replace('sk_', 'pk_'));
    const holdfastId = system.workflowId(no, merchantId);
    await system.sandbox.fault('capture', fault, { holdfastId });
    const first = await rental.capture(no, { amount: 30_000, final: false });
    expect(first).toMatchObject({ status: 200, data: { amount: 30_000, amount_captured: 30_000 } });
    expect(await rental.capture(no, { amount: 20_001 })).toMatchObject({
      status: 422,
      code: 'CAPTURE_AMOUNT_EXCEEDS_HOLD',
    });
    expect(await rental.capture(no, { amount: 20_000 })).toMatchObject({
      status: 200,
      data: { amount: 20_000, amount_captured: 50_000, status: 'succeeded' },
    });
    await expectAgreement(system, no, merchantId);
    const { calls } = await system.sandbox.books();
    expect(findUnprovedKeys(calls, holdfastId, PROOF)).toEqual([]);
  },
);

it.each(['timeout_after', 'error_after'] as const)(
  "never adopts another merchant's hold of the same number (%s)",
  async (fault) => {
    const other = await system.createMerchant('Other');
    const otherClient = system.client(other);
    const hold = holdOf();
    const no = String(hold['pre_auth_no']);
    await strike('create', fault, no);
    await system.sandbox.fault('create', fault, { holdfastId: system.workflowId(no, other.merchantId) });
    const replies = await Promise.all([client.create(hold), otherClient.create({ ...hold, amount: 12_300 })]);
    expect(replies.map(({ status }) => status)).toEqual([201, 201]);
    const [mine, theirs] = replies.map(({ data }) => data);
    expect(mine?.channel_pre_auth_no).not.toBe(theirs?.channel_pre_auth_no);
    expect([mine?.amount, theirs?.amount]).toEqual([50_000, 12_300]);
    for (const merchantId of [system.merchant.merchantId, other.merchantId])
      await expectAgreement(system, no, merchantId);
    expect(
      (await otherClient.call(`/api/v1/channel/pre-auth/${mine?.channel_pre_auth_no}?channel=stripe`)).status,
    ).toBe(404);
    if (theirs === undefined || mine === undefined) throw new Error('no hold');
    await otherClient.confirm(stripe, theirs);
    expect((await otherClient.capture(no)).data.amount_captured).toBe(12_300);
    expect((await client.get(no)).data.status).toBe('requires_payment_method');
  },
);

it('makes the hold when the channel is back', async () => {
  const server = system.sandboxServer;
  if (server === undefined) throw new Error('the sandbox is no process');
  await server.kill();
  const hold = holdOf();
  const creating = client.create(hold);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect((await client.get(String(hold['pre_auth_no']))).data).toMatchObject({
    status: 'processing',
    channel_pre_auth_no: null,
  });
  await server.restart();
  expect([201, 202]).toContain((await creating).status);
  await client.waitFor(String(hold['pre_auth_no']), 'requires_payment_method');
  await expectAgreement(system, String(hold['pre_auth_no']));
});

const HOLD = 'pre-auth/m/PA1';
const call = (operation: string, n: number, status: number, at: number, executed = false) => ({
  ...{ operation, idempotency_key: `${HOLD}/${operation}/${n}`, payment_intent: 'pi_1', holdfast_id: HOLD },
  ...{ holdfast_call: `${operation}/${n}`, executed, replayed: false, status, at },
});
const read = (at: number) => ({ ...call('retrieve', 1, 200, at), idempotency_key: null });

it.each([
  [
    'a new key after a time-out alone',
    [call('capture', 1, 0, 0, true), call('capture', 2, 200, 100, true)],
    1,
  ],
  [
    'a new key after one read',
    [call('capture', 1, 500, 0), read(2_500), call('capture', 2, 200, 2_600, true)],
    1,
  ],
  [
    'two reads too close',
    [call('capture', 1, 500, 0), read(2_400), read(2_500), call('capture', 2, 200, 2_600, true)],
    1,
  ],
  [
    'reads from before the last send',
    [
      call('capture', 1, 500, 0),
      read(100),
      read(1_500),
      call('capture', 1, 500, 1_600),
      call('capture', 2, 200, 9_000, true),
    ],
    1,
  ],
  ['another operation after no answer', [call('capture', 1, 0, 0), call('cancel', 1, 200, 500, true)], 1],
  [
    'the old key sent after the new one',
    [call('capture', 2, 200, 0, true), call('capture', 1, 200, 9, true), call('capture', 2, 200, 10)],
    1,
  ],
  ['a proof', [call('capture', 1, 500, 0), read(900), read(2_100), call('capture', 2, 200, 2_200, true)], 0],
  ['a decline', [call('capture', 1, 402, 0, true), call('cancel', 1, 200, 10, true)], 0],
  [
    'an execution that was read',
    [call('capture', 1, 500, 0, true), read(50), call('cancel', 1, 200, 60, true)],
    0,
  ],
  ['the same key again', [call('capture', 1, 0, 0, true), call('capture', 1, 200, 50)], 0],
])('checks the call log itself: %s', (_what, calls, breaches) => {
  expect(findUnprovedKeys(calls, HOLD, PROOF)).toHaveLength(breaches);
});
