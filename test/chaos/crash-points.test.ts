/**
 * Death at the worst places: between what the channel did and the moment we could remember it, and between the promise
 * in PostgreSQL and the workflow that keeps it.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Hold } from '../../dev/demo-client';
import { signal } from '../../dev/stack/process-table';
import { eventually } from '../e2e/harness';
import { checkBooks } from './check-books';
import { InsistentMerchant } from './insistent-merchant';
import { startVictims } from './victims';
import type { Victims } from './victims';

const FIRST = 20_000;
const SECOND = 30_000;
/** Longer than Temporal waits for a worker that died with a task in its hands. */
const TEST_TIMEOUT_MS = 150_000;
/** A pick-up that died with its worker is missed only after its heartbeat, 45 s, and no other begins before. */
const WITHIN_MS = 75_000;

let victims: Victims;
let merchant: InsistentMerchant;

beforeAll(async () => {
  victims = await startVictims();
  merchant = new InsistentMerchant(victims);
}, 180_000);
afterAll(() => victims?.stop(), 30_000);
afterEach(async () => {
  expect(victims.deaths).toEqual([]);
  await victims.sandbox.clearFaults();
  expect(await findings()).toEqual([]);
});

/** The channel executes the next request of this kind for the hold, and its answer never arrives. */
function loseAnswer(operation: 'create' | 'capture', no: string): Promise<unknown> {
  return victims.sandbox.fault(operation, 'timeout_after', { holdfastId: victims.holdfastId(no) });
}

function executedAtChannel(no: string, operation: 'create' | 'capture'): Promise<unknown> {
  return eventually(
    `${operation} of ${no} executed`,
    () => victims.carriedOut(no, operation),
    (n) => n > 0,
  );
}

it(
  'finds the hold that the channel made before the worker died',
  async () => {
    const wanted = merchant.hold();
    const no = String(wanted['pre_auth_no']);
    await loseAnswer('create', no);
    const creating = merchant.create(wanted);
    await executedAtChannel(no, 'create');
    await victims.worker.kill();
    await victims.bringUp(victims.worker);
    const hold = await creating;
    expect(hold).toMatchObject({ pre_auth_no: no, status: 'requires_payment_method', amount: 50_000 });
    const intent = await victims.sandbox.intentOf(victims.holdfastId(no));
    expect(hold.channel_pre_auth_no).toBe(intent.id);
    await merchant.confirm(hold);
    expect(await merchant.capture(no, { amount: FIRST })).toMatchObject(captured(FIRST));
  },
  TEST_TIMEOUT_MS,
);

it(
  'settles a capture whose worker died, and judges the next one against it',
  async () => {
    const { pre_auth_no: no } = await merchant.createHeld();
    await loseAnswer('capture', no);
    const first = merchant.capture(no, { amount: FIRST });
    await executedAtChannel(no, 'capture');
    await victims.worker.kill();
    await victims.bringUp(victims.worker);
    expect(await merchant.capture(no, { amount: SECOND })).toMatchObject(closed());
    expect(await first).toMatchObject(captured(FIRST));
  },
  TEST_TIMEOUT_MS,
);

/** Executed at the channel; the worker, the API that asked and Temporal, which alone knew of the update, are dead. */
async function capturedAndForgotten(key: string): Promise<Hold> {
  const hold = await merchant.createHeld();
  const no = hold.pre_auth_no;
  await loseAnswer('capture', no);
  const unanswered = merchant.client.capture(no, { amount: FIRST }, key).then(
    (reply) => reply.status,
    () => 'no answer',
  );
  await executedAtChannel(no, 'capture');
  const { api, worker } = victims;
  await Promise.all([worker.kill(), api.kill(), victims.stack.temporal.kill()]);
  expect(await unanswered).toBe('no answer');
  return hold;
}

async function bringUpAll(): Promise<void> {
  await victims.bringUp(victims.stack.temporal);
  await victims.bringUp(victims.api, victims.worker);
}

it(
  'settles a capture that only its call row remembers, when the next one arrives',
  async () => {
    const key = randomUUID();
    const { pre_auth_no: no } = await capturedAndForgotten(key);
    await bringUpAll();
    expect(await merchant.capture(no, { amount: SECOND })).toMatchObject(closed());
    // Whoever asked first is answered as if nothing had happened.
    expect(await merchant.capture(no, { amount: FIRST }, key)).toMatchObject(captured(FIRST));
    expect(await admittedUpdates(no)).not.toContain(await commandIdOf(no, FIRST));
  },
  TEST_TIMEOUT_MS,
);

it(
  'does not refuse the repeat of a capture that is being settled',
  async () => {
    const key = randomUUID();
    const hold = await capturedAndForgotten(key);
    const no = hold.pre_auth_no;
    // The settling takes its time, so that the repeat arrives in the middle of it.
    const slow = { times: 1, delayMs: 4_000, holdfastId: victims.holdfastId(no) };
    await victims.sandbox.fault('capture', 'slow', slow);
    await bringUpAll();
    await eventually(
      'the settling',
      () => attemptsOf(no),
      (attempts) => attempts > 1,
      WITHIN_MS,
    );
    const repeats = [];
    for (let status = 0; status !== 200;) {
      const reply = await merchant.client.capture(no, { amount: FIRST }, key);
      repeats.push(`${reply.status} ${reply.code}`);
      status = reply.status;
      if (repeats.length > 40 || (status !== 202 && status !== 200)) break;
      await sleep(200);
    }
    // "Busy" would end the key, and the merchant's next try would be a second capture.
    expect(repeats.filter((reply) => !reply.startsWith('20'))).toEqual([]);
    expect(repeats.at(-1)).toBe('200 SUCCESS');
  },
  TEST_TIMEOUT_MS,
);

it(
  'gives a workflow to the row whose API died before it could start one',
  async () => {
    const wanted = merchant.hold();
    const no = String(wanted['pre_auth_no']);
    const key = randomUUID();
    const { api, stack } = victims;
    const frozen = stack.temporal.pid();
    if (frozen === undefined) throw new Error('Temporal does not run');
    signal(frozen, 'SIGSTOP');
    const unanswered = merchant.client.create(wanted, key).then(
      (reply) => reply.status,
      () => 'no answer',
    );
    await eventually(
      'the row',
      () => rowOf(no),
      (row) => row !== undefined,
    );
    await api.kill();
    expect(await unanswered).toBe('no answer');
    // What the API had sent dies with it.
    await stack.temporal.kill();
    await victims.bringUp(stack.temporal);
    await victims.bringUp(api);
    await eventually(
      'the hold',
      () => rowOf(no),
      (row) => row?.status === 'requires_payment_method',
      WITHIN_MS,
    );
    merchant.accepted.add(no);
    const repeated = await merchant.client.create(wanted, key);
    expect(repeated).toMatchObject({ status: 201, data: { pre_auth_no: no } });
    expect(repeated.data.client_secret).toMatch(/_secret_/);
  },
  TEST_TIMEOUT_MS,
);

it(
  'leaves no workflow behind when the task that closed the hold was lost',
  async () => {
    const key = randomUUID();
    const { pre_auth_no: no } = await merchant.createHeld();
    const { api, stack } = victims;
    await victims.sandbox.fault('capture', 'slow', { delayMs: 1_000, holdfastId: victims.holdfastId(no) });
    const unanswered = merchant.client.capture(no, { amount: FIRST }, key).catch(() => 'no answer');
    await eventually(
      'the call',
      () => attemptsOf(no),
      (attempts) => attempts > 0,
    );
    signal(stack.temporal.pid() ?? 0, 'SIGSTOP');
    await eventually(
      'the row',
      () => rowOf(no),
      (row) => row?.status === 'succeeded',
    );
    await Promise.all([api.kill(), stack.temporal.kill()]);
    expect(await unanswered).toBe('no answer');
    await victims.bringUp(stack.temporal);
    await victims.bringUp(api);
    expect(await merchant.capture(no, { amount: FIRST }, key)).toMatchObject(captured(FIRST));
    await victims.withTemporal((client) =>
      eventually(
        'the workflow has ended',
        async () => (await client.workflow.getHandle(victims.holdfastId(no)).describe()).status.name,
        (status) => status === 'COMPLETED',
        75_000,
      ),
    );
  },
  TEST_TIMEOUT_MS,
);

function captured(amount: number) {
  return { status: 200, data: { status: 'succeeded', amount, amount_captured: amount } };
}

function closed() {
  return { status: 409, code: 'PRE_AUTH_CLOSED', details: { status: 'succeeded' } };
}

async function rowOf(no: string): Promise<{ status: string } | undefined> {
  const [row] = await victims.rows<{ status: string }>(
    'SELECT status FROM pre_auths WHERE pre_auth_no = $1',
    [no],
  );
  return row;
}

async function commandIdOf(no: string, amount: number): Promise<string> {
  const [call] = await victims.rows<{ command_id: string }>(
    `SELECT command_id FROM channel_calls WHERE object_no = $1 AND operation = 'capture' AND amount = $2`,
    [no, amount],
  );
  if (call === undefined) throw new Error(`${no} has no capture of ${amount}`);
  return call.command_id;
}

async function attemptsOf(no: string): Promise<number> {
  const [call] = await victims.rows<{ attempts: number }>(
    `SELECT attempts FROM channel_calls WHERE object_no = $1 AND operation = 'capture'`,
    [no],
  );
  return call?.attempts ?? 0;
}

/** Ids of the updates that the hold's history knows. */
function admittedUpdates(no: string): Promise<(string | null | undefined)[]> {
  return victims.withTemporal(async (client) => {
    const { events } = await client.workflow.getHandle(victims.holdfastId(no)).fetchHistory();
    return (events ?? []).map(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.meta?.updateId,
    );
  });
}

async function findings(): Promise<string[]> {
  const books = await victims.sandbox.books();
  const { accepted, confirmed, told } = merchant;
  return checkBooks({ ...(await victims.records()), books, accepted: [...accepted], confirmed, told });
}
