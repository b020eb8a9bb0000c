import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectAgreement, eventsOf, eventTypesOf } from './checks';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';
import type { PreAuthState } from '../../src/workflows/messages';

let system: System;
let client: MerchantClient;
let stripe: string;

beforeAll(async () => {
  system = await startSystem();
  client = system.client();
  stripe = system.sandbox.url;
});
afterAll(() => system?.stop());

const stateOf = (preAuthNo: string) => system.workflow(preAuthNo).query<PreAuthState>('state');

it('releases a hold whose capture was declined when its time is over', async () => {
  // Time enough for the capture on a busy machine: it must be declined while the hold is held.
  const held = await client.held(stripe, { expires_in: 8 }, 'pm_card_captureDeclined');
  expect(await client.capture(held.pre_auth_no, { amount: 20_000 })).toMatchObject({
    status: 402,
    code: 'CHANNEL_DECLINED',
    details: { operation: 'capture', decline_code: 'card_declined', status: 'requires_capture' },
  });
  expect((await client.get(held.pre_auth_no)).data).toMatchObject({
    amount_capturable: 50_000,
    amount_captured: 0,
  });
  await client.waitFor(held.pre_auth_no, 'expired');
  await expectAgreement(system, held.pre_auth_no);
  const events = await eventsOf(system, held.pre_auth_no);
  expect(events.map(({ type }) => type).filter((type) => type !== 'pre_auth.expiring')).toEqual([
    'pre_auth.authorized',
    'pre_auth.capture_failed',
    'pre_auth.expired',
  ]);
  expect(events.find(({ type }) => type === 'pre_auth.capture_failed')?.data).toMatchObject({
    decline_code: 'card_declined',
    amount_this_capture: 20_000,
  });
});

it('captures on a signal without input, with an amount, and cancels on one', async () => {
  const [all, part, none] = await Promise.all([
    client.held(stripe),
    client.held(stripe),
    client.held(stripe),
  ]);
  await system.workflow(all.pre_auth_no).signal('capture');
  await system.workflow(part.pre_auth_no).signal('capture', { amount: 12_345, by: 'ops', reason: 'phone' });
  await system.workflow(none.pre_auth_no).signal('cancel', { by: 'ops', reason: 'guest left' });
  expect(await client.waitFor(all.pre_auth_no, 'succeeded')).toMatchObject({ amount_captured: 50_000 });
  expect(await client.waitFor(part.pre_auth_no, 'succeeded')).toMatchObject({ amount_captured: 12_345 });
  await client.waitFor(none.pre_auth_no, 'canceled');
  for (const hold of [all, part, none]) await expectAgreement(system, hold.pre_auth_no);
  const commands = await system.rows<{ command: object }>(
    `SELECT command FROM channel_calls WHERE operation <> 'create' AND object_no = ANY ($1) ORDER BY operation`,
    [[part.pre_auth_no, none.pre_auth_no]],
  );
  expect(commands.map(({ command }) => command)).toEqual([
    { by: 'ops', reason: 'guest left' },
    { by: 'ops', reason: 'phone' },
  ]);
});

const BAD_SIGNALS: readonly (readonly [signal: string, input: unknown, sentence: RegExp])[] = [
  ['capture', 'everything', /^capture: the input must be a JSON object/],
  ['capture', [100], /^capture: the input must be a JSON object/],
  ['capture', { amuont: 100 }, /^capture: unknown field "amuont"/],
  ['capture', { amount: -1 }, /^capture: "amount" must be a positive integer/],
  ['capture', { amount: '100' }, /^capture: "amount" must be a positive integer/],
  ['capture', { amount: 1.5 }, /^capture: "amount" must be a positive integer/],
  ['capture', { amount: 50_001 }, /^capture: .*more than what is left/],
  ['capture', { final: 'no' }, /^capture: "final" must be true or false/],
  ['cancel', 7, /^cancel: the input must be a JSON object/],
  ['cancel', { amount: 1 }, /^cancel: unknown field "amount"/],
  ['cancel', { by: '' }, /^cancel: "by" must be a/],
  ['settle', {}, /^settle: "by", "reason" and "outcome"/],
  ['settle', { by: 'ops', reason: 'x', outcome: 'perhaps' }, /^settle: "by", "reason" and "outcome"/],
  ['settle', { by: 'ops', reason: 'x', outcome: 'executed' }, /^settle: no outcome waits for a decision/],
];

it('survives whatever an operator types, and says what was wrong', async () => {
  const held = await client.held(stripe);
  const workflow = system.workflow(held.pre_auth_no);
  for (const [signal, input, sentence] of BAD_SIGNALS) {
    await workflow.signal(signal, input);
    const state = await eventually(
      `${signal} ${JSON.stringify(input)} is refused`,
      () => stateOf(held.pre_auth_no),
      ({ lastRefusal }) => sentence.test(lastRefusal ?? ''),
    );
    expect(state.hold).toMatchObject({
      status: 'requires_capture',
      amountCapturable: 50_000,
      amountCaptured: 0,
    });
  }
  expect((await workflow.describe()).status.name).toBe('RUNNING');
  expect((await client.capture(held.pre_auth_no, { amount: 1_000 })).status).toBe(200);
  await expectAgreement(system, held.pre_auth_no);
});

it('carries out a signal that comes twice once, and lets a second one wait its turn', async () => {
  const held = await client.held(stripe);
  const workflow = system.workflow(held.pre_auth_no);
  const command = { amount: 700, command_id: randomUUID() };
  await Promise.all([
    workflow.signal('capture', command),
    workflow.signal('capture', command),
    workflow.signal('cancel'),
  ]);
  expect(await client.waitFor(held.pre_auth_no, 'succeeded', 'canceled')).toMatchObject({
    amount_capturable: 0,
  });
  await workflow.result();
  await expectAgreement(system, held.pre_auth_no);
});

it('takes Request Cancellation for a cancel', async () => {
  const [open, held] = await Promise.all([client.open(), client.held(stripe)]);
  for (const { pre_auth_no: no } of [open, held]) {
    await system.workflow(no).cancel();
    await client.waitFor(no, 'canceled');
    await expectAgreement(system, no);
    expect(await system.workflow(no).result()).toBe('canceled');
  }
});

it('gives a terminated workflow back to its hold when somebody asks for something', async () => {
  const held = await client.held(stripe);
  await system.workflow(held.pre_auth_no).terminate('by mistake');
  expect(await client.capture(held.pre_auth_no, { amount: 5_000 })).toMatchObject({
    status: 200,
    data: { status: 'succeeded', amount_captured: 5_000 },
  });
  await expectAgreement(system, held.pre_auth_no);
});

it('gives a terminated workflow back to its hold although nobody asks', async () => {
  const held = await client.held(stripe, { expires_in: 6 });
  const before = await system.workflow(held.pre_auth_no).describe();
  await system.workflow(held.pre_auth_no).terminate('by mistake');
  const after = await eventually(
    'a new run',
    () => system.workflow(held.pre_auth_no).describe(),
    ({ runId, status }) => runId !== before.runId && status.name === 'RUNNING',
  );
  expect(after.status.name).toBe('RUNNING');
  await client.waitFor(held.pre_auth_no, 'expired');
  await expectAgreement(system, held.pre_auth_no);
});

it('is not expired before the channel says so', async () => {
  const held = await client.held(stripe, { expires_in: 2 });
  const holdfastId = system.workflowId(held.pre_auth_no);
  await system.sandbox.fault('cancel', 'error_before', { times: 3, holdfastId });
  const faulted = await eventually(
    'the third refusal',
    () => system.sandbox.books(holdfastId),
    ({ calls }) =>
      calls.filter(({ operation, status }) => operation === 'cancel' && status === 500).length === 3,
  );
  expect(faulted.payment_intents[0]?.status).toBe('requires_capture');
  expect((await client.get(held.pre_auth_no)).data).toMatchObject({
    status: 'requires_capture',
    amount_capturable: 50_000,
  });
  expect(await client.capture(held.pre_auth_no)).toMatchObject({ status: 409, code: 'PRE_AUTH_BUSY' });
  await client.waitFor(held.pre_auth_no, 'expired');
  await expectAgreement(system, held.pre_auth_no);
  expect((await eventTypesOf(system, held.pre_auth_no)).at(-1)).toBe('pre_auth.expired');
});

it('answers a loser with the state while another command runs', async () => {
  const held = await client.held(stripe);
  const holdfastId = system.workflowId(held.pre_auth_no);
  // The first try fails, and the second comes a second later: the slot stays taken meanwhile.
  await system.sandbox.fault('capture', 'error_before', { holdfastId });
  const capturing = client.capture(held.pre_auth_no, { amount: 900 });
  await sleep(300);
  expect(await client.cancel(held.pre_auth_no)).toMatchObject({
    status: 409,
    code: 'PRE_AUTH_BUSY',
    details: { status: 'requires_capture', running: 'capture' },
  });
  expect(await capturing).toMatchObject({ status: 200, data: { amount_captured: 900 } });
  await expectAgreement(system, held.pre_auth_no);
});
