/** The adapter against a Stripe that misbehaves: what is thrown must be what the books show. */
import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import type { StripeSandbox } from '../../dev/stripe-sandbox/server';
import { createStripeAdapter } from '../../src/channels/stripe/adapter';
import type { StripeAdapter } from '../../src/channels/stripe/adapter';
import { ChannelFault } from '../../src/domain/channel';
import type { CallIdentity, HoldAnswer } from '../../src/domain/channel';
import { newHold, sandboxControl } from './sandbox-control';
import type { SandboxControl } from './sandbox-control';
import { officialSdk, stripeAccount } from './stripe-harness';

let sandbox: StripeSandbox;
let control: SandboxControl;
let adapter: StripeAdapter;

beforeAll(async () => {
  sandbox = await startStripeSandbox();
  control = sandboxControl(sandbox.url);
  adapter = createStripeAdapter(stripeAccount({ ...sandbox, apiBase: sandbox.url }), sandbox.url);
});
beforeEach(() => control.post('reset'));
afterAll(async () => {
  adapter.close();
  await sandbox.stop();
});

const TIMEOUT_MS = 2_000;
const lastMinute = () => ({ fromUnixSeconds: Date.now() / 1000 - 60, toUnixSeconds: Date.now() / 1000 });

function create(call: CallIdentity, timeoutMs = TIMEOUT_MS, signal?: AbortSignal) {
  const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: 50_000, currency: 'USD' };
  return adapter.createPreAuth(request, call, { timeoutMs, ...(signal === undefined ? {} : { signal }) });
}

async function caught(work: Promise<unknown>): Promise<ChannelFault> {
  const error: unknown = await work.then(
    () => new Error('no fault'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ChannelFault)) throw error;
  return error;
}

const idOf = (answer: HoldAnswer) => (answer.kind === 'declined' ? '' : answer.snapshot.channelPreAuthNo);

async function held(hold = newHold()) {
  const { answer } = await create(hold('create/1'));
  const id = idOf(answer);
  const sdk = officialSdk({ ...sandbox, apiBase: sandbox.url });
  await sdk.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
  const request = { channelPreAuthNo: id, amount: 32_000, currency: 'USD', final: true };
  const exchange = { timeoutMs: TIMEOUT_MS };
  return {
    id,
    hold,
    capture: (name = 'capture/1') => adapter.capturePreAuth(request, hold(name), exchange),
    cancel: () => adapter.cancelPreAuth(request, hold('cancel/1'), exchange),
  };
}

test('500 before executing: nothing is booked, and the same key executes', async () => {
  const call = newHold()('create/1');
  await control.fault('create', 'error_before');
  expect(await caught(create(call))).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
  expect((await control.books()).payment_intents).toEqual([]);
  expect((await create(call)).answer.kind).toBe('pending');
  expect((await control.books()).payment_intents).toHaveLength(1);
});

test('500 after executing: the key answers it for ever, and the list knows better', async () => {
  const call = newHold()('create/1');
  await control.fault('create', 'error_after');
  expect(await caught(create(call))).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
  expect(await caught(create(call))).toMatchObject({ execution: 'maybe_executed', storedAnswer: true });
  const found = await adapter.findPreAuths(call, lastMinute(), { timeoutMs: TIMEOUT_MS });
  expect(found).toHaveLength(1);
  expect((await control.books()).payment_intents).toHaveLength(1);
});

test('500 stored without executing: the key answers it for ever, the list is empty, a new key executes once', async () => {
  const hold = newHold();
  await control.fault('create', 'error_stored_not_executed');
  await caught(create(hold('create/1')));
  expect(await caught(create(hold('create/1')))).toMatchObject({ storedAnswer: true });
  expect(await adapter.findPreAuths(hold('create/1'), lastMinute(), { timeoutMs: TIMEOUT_MS })).toEqual([]);
  await create(hold('create/2'));
  const { calls, payment_intents: intents } = await control.books(hold('').holdfastId);
  expect(intents).toHaveLength(1);
  expect(calls.map(({ executed, replayed, status }) => [executed, replayed, status])).toEqual([
    [false, false, 500],
    [false, true, 500],
    [true, false, 200],
  ]);
});

test('executed but never answered: the exchange ends in time, and the same key gives the answer', async () => {
  const { id, capture } = await held();
  await control.fault('capture', 'timeout_after');
  const startedMs = Date.now();
  expect(await caught(capture())).toMatchObject({ execution: 'maybe_executed', reason: 'ETIMEDOUT' });
  expect(Date.now() - startedMs).toBeLessThan(TIMEOUT_MS + 1_000);
  expect(await capture()).toMatchObject({
    kind: 'done',
    snapshot: { channelPreAuthNo: id, amountCaptured: 32_000 },
  });
  const { totals } = await control.books();
  expect(totals['usd']).toEqual({ held: 0, captured: 32_000, released: 18_000 });
});

test.each(['error_before', 'error_after', 'error_stored_not_executed', 'timeout_after'])(
  'cancel with %s: a read tells what happened',
  async (fault) => {
    const { id, cancel } = await held();
    await control.fault('cancel', fault);
    expect(await caught(cancel())).toMatchObject({ execution: 'maybe_executed' });
    const isExecuted = fault === 'error_after' || fault === 'timeout_after';
    const snapshot = await adapter.queryPreAuth(id, { timeoutMs: TIMEOUT_MS });
    expect(snapshot?.status).toBe(isExecuted ? 'canceled' : 'requires_capture');
  },
);

test('a reset connection after executing: the SDK repeats with the same key, nothing is doubled', async () => {
  const { capture } = await held();
  await control.fault('capture', 'reset_after');
  expect(await capture()).toMatchObject({ kind: 'done', snapshot: { amountCaptured: 32_000 } });
  const captures = (await control.books()).calls.filter(({ operation }) => operation === 'capture');
  expect(captures.map(({ executed, replayed }) => [executed, replayed])).toEqual([
    [true, false],
    [false, true],
  ]);
});

test('a connection that is reset every time is a fault, within the time given', async () => {
  const call = newHold()('create/1');
  await control.fault('create', 'reset_before', { times: 10 });
  const startedMs = Date.now();
  expect(await caught(create(call, 300))).toMatchObject({ execution: 'maybe_executed' });
  expect(Date.now() - startedMs).toBeLessThan(500);
  expect(await caught(create(call, 2_000))).toMatchObject({
    execution: 'maybe_executed',
    reason: 'ECONNRESET',
  });
});

test('a key in use is in progress; afterwards it answers', async () => {
  const call = newHold()('create/1');
  await control.fault('create', 'slow', { delayMs: 1_000 });
  const first = create(call, 10_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await caught(create(call))).toMatchObject({
    execution: 'in_progress',
    reason: 'idempotency_key_in_use',
  });
  const { answer } = await first;
  expect(idOf((await create(call)).answer)).toBe(idOf(answer));
  expect((await control.books()).payment_intents).toHaveLength(1);
});

test('an abort ends the exchange at once', async () => {
  await control.fault('create', 'slow', { delayMs: 2_000 });
  const abort = new AbortController();
  const startedMs = Date.now();
  setTimeout(() => abort.abort(), 100);
  expect(await caught(create(newHold()('create/1'), 5_000, abort.signal))).toMatchObject({
    execution: 'maybe_executed',
    reason: 'ABORTED',
  });
  expect(Date.now() - startedMs).toBeLessThan(1_000);
});

test('nobody listens: certainly not sent', async () => {
  const gone = await startStripeSandbox();
  await gone.stop();
  const lonely = createStripeAdapter(stripeAccount({ ...gone, apiBase: gone.url }), gone.url);
  const request = { preAuthNo: 'PA1', orderNo: 'O1', amount: 50_000, currency: 'USD' };
  const fault = await caught(lonely.createPreAuth(request, newHold()('create/1'), { timeoutMs: TIMEOUT_MS }));
  expect(fault).toMatchObject({ execution: 'not_sent', reason: 'ECONNREFUSED' });
  lonely.close();
});

test('a fault can be aimed at one hold', async () => {
  const [one, other] = [newHold(), newHold()];
  const match = { operation: 'create', metadata: { holdfast_id: one('').holdfastId } };
  await control.post('faults', { match, fault: 'error_before' });
  expect((await create(other('create/1'))).answer.kind).toBe('pending');
  await caught(create(one('create/1')));
});

test('a seeded fault hits the same requests in every run', async () => {
  const run = async () => {
    await control.post('reset');
    await control.fault('create', 'error_before', { probability: 0.5, seed: 7 });
    const outcomes: string[] = [];
    for (let n = 0; n < 12; n++) {
      outcomes.push(
        await create(newHold()('create/1')).then(
          () => 'ok',
          () => '500',
        ),
      );
    }
    return outcomes;
  };
  const first = await run();
  expect(new Set(first)).toEqual(new Set(['ok', '500']));
  expect(await run()).toEqual(first);
});
