/** The delivery workflow on a real Temporal server, with activities that answer what a test tells them. */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { RetryStep } from '../../src/activities/deliver';
import { createLogger } from '../../src/observability/logger';
import { createWebhookGateway } from '../../src/temporal/webhook-gateway';
import type { WebhookGateway } from '../../src/temporal/webhook-gateway';
import { statusQuery, webhookDeliveryWorkflowId } from '../../src/workflows/messages';
import type { WebhookDeliveryArgs } from '../../src/workflows/messages';
import { eventually } from '../e2e/eventually';

const HOUR_MS = 3_600_000;
const TASK_QUEUE = `webhooks-${randomUUID()}`;

type Call = { readonly force: boolean; readonly atMs: number };
type Answer = (call: Call, n: number) => RetryStep | Promise<RetryStep>;

/** What the stubbed activities answer for a notification, and what they were asked. */
const answers = new Map<string, Answer>();
const calls = new Map<string, Call[]>();
const givenUp = new Map<string, string>();
/** Notifications whose row was settled before their workflow was started. */
const settled = new Set<string>();

const activities = {
  async attemptRetry(notificationId: string, force: boolean): Promise<RetryStep> {
    const made = calls.get(notificationId) ?? [];
    const call = { force, atMs: Date.now() };
    calls.set(notificationId, [...made, call]);
    const answer = answers.get(notificationId);
    if (answer === undefined) throw new Error('nobody said what to answer');
    return answer(call, made.length + 1);
  },
  giveUp(notificationId: string, reason: string) {
    givenUp.set(notificationId, reason);
    return Promise.resolve({ status: 'failed' });
  },
};

let connection: NativeConnection;
let client: Client;
let worker: Worker;
let running: Promise<void>;
let gateway: WebhookGateway;

beforeAll(async () => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'OFF', console: {} } },
  });
  const {
    TEMPORAL_ADDRESS = '',
    TEMPORAL_NAMESPACE: namespace = 'default',
    WORKFLOW_BUNDLE = '',
  } = process.env;
  connection = await NativeConnection.connect({ address: TEMPORAL_ADDRESS });
  client = new Client({ connection, namespace });
  const workflowBundle = { codePath: WORKFLOW_BUNDLE };
  worker = await Worker.create({ connection, namespace, taskQueue: TASK_QUEUE, workflowBundle, activities });
  running = worker.run();
  const settings = {
    ...{ taskQueue: TASK_QUEUE, eager: true },
    isRetrying: (id: string) => Promise.resolve(!settled.has(id)),
  };
  gateway = createWebhookGateway(client, createLogger('test', 'silent'), settings);
}, 60_000);

afterAll(async () => {
  await gateway.close(5_000);
  worker.shutdown();
  await running;
  await connection.close();
});

/** A notification whose first attempt failed; its workflow is started as the relay starts it. */
async function start(answer: Answer, pauseMs: number, notificationId: string = randomUUID()) {
  const args: WebhookDeliveryArgs = {
    notificationId,
    merchantId: randomUUID(),
    paymentNo: 'PA-1',
    event: 'pre_auth.captured',
    endpointHost: 'shop.example:8443',
    attempts: 1,
    maxAttempts: 6,
    pauseMs,
  };
  answers.set(args.notificationId, answer);
  await gateway.ensure(args);
  const id = args.notificationId;
  return { args, id, handle: handleOf(id), calls: () => calls.get(id) ?? [] };
}

function handleOf(notificationId: string): WorkflowHandle {
  return client.workflow.getHandle(webhookDeliveryWorkflowId(notificationId));
}

const retryIn = (ms: number, attempts: number, lastAnswer = 'HTTP 503'): RetryStep => ({
  kind: 'retry',
  attempts,
  pauseMs: ms,
  lastAnswer,
});
const delivered: RetryStep = { kind: 'ended', status: 'success' };

function payloadText(payload: { data?: Uint8Array | null } | null | undefined): string {
  return Buffer.from(payload?.data ?? []).toString('utf8');
}

/** Summaries of the timers that were started, in order. */
async function timerSummaries(handle: WorkflowHandle): Promise<string[]> {
  const { events = [] } = await handle.fetchHistory();
  return (events ?? [])
    .filter((event) => event.timerStartedEventAttributes != null)
    .map((event) => JSON.parse(payloadText(event.userMetadata?.summary)) as string);
}

test('the ladder: a timer with a summary before every attempt, until it is delivered', async () => {
  const startedAtMs = Date.now();
  const flow = await start((_, n) => (n < 3 ? retryIn(1_200, n + 1) : delivered), 1_000);
  await expect(flow.handle.result()).resolves.toBe('success');
  const times = flow.calls().map(({ atMs }) => atMs);
  expect(times).toHaveLength(3);
  expect(times[0]).toBeGreaterThanOrEqual(startedAtMs + 1_000);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1_200);
  expect(flow.calls().map(({ force }) => force)).toEqual([false, false, false]);
  expect(await timerSummaries(flow.handle)).toEqual([
    'retry 1 of 5 in 1 s',
    'retry 2 of 5 in 1 s',
    'retry 3 of 5 in 1 s',
  ]);
});

test('a retry that is due already needs no timer', async () => {
  const flow = await start(() => delivered, -5_000);
  await expect(flow.handle.result()).resolves.toBe('success');
  expect(await timerSummaries(flow.handle)).toEqual([]);
  // The worker in this process took the first task along with the start.
  const { events } = await flow.handle.fetchHistory();
  expect(events?.[0]?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted).toBe(true);
});

test('a row that was settled before its workflow started: it looks at once, and not at the end of its pause', async () => {
  const id = randomUUID();
  settled.add(id);
  const flow = await start(() => delivered, HOUR_MS, id);
  await expect(flow.handle.result()).resolves.toBe('success');
  expect(flow.calls()).toHaveLength(1);
});

test('retry_now attempts at once, also without input, and only once', async () => {
  const flow = await start((_, n) => (n === 1 ? retryIn(HOUR_MS, 2) : delivered), HOUR_MS);
  await flow.handle.signal('retry_now');
  await eventually('the first attempt', flow.calls, (made) => made.length === 1);
  await eventually(
    'the pause after it',
    () => flow.handle.query(statusQuery),
    (state) => state.attempts === 2 && !state.attemptRunning && state.lastAnswer === 'HTTP 503',
  );
  expect(flow.calls()).toHaveLength(1);
  await flow.handle.signal('retry_now', { by: 'ann' });
  await expect(flow.handle.result()).resolves.toBe('success');
  expect(flow.calls().map(({ force }) => force)).toEqual([true, true]);
});

test('retry_now while an attempt runs is answered by that attempt', async () => {
  let release: (step: RetryStep) => void = () => undefined;
  const held = new Promise<RetryStep>((resolve) => (release = resolve));
  const flow = await start(() => held, -1);
  await eventually('the attempt', flow.calls, (made) => made.length === 1);
  await flow.handle.signal('retry_now');
  release(retryIn(HOUR_MS, 2));
  await eventually(
    'the end of the attempt',
    () => flow.handle.query(statusQuery),
    (state) => state.attempts === 2,
  );
  await flow.handle.signal('give_up');
  await expect(flow.handle.result()).resolves.toBe('failed');
  expect(flow.calls()).toHaveLength(1);
});

test.each([
  ['{reason}', [{ reason: 'shop closed' }], 'shop closed'],
  ['a bare text', ['shop closed'], 'shop closed'],
  ['no argument', [], ''],
  ['null', [null], ''],
  ['something else', [{ reason: 7 }], ''],
])('give_up with %s ends the pause and the notification', async (_, input, reason) => {
  const flow = await start(() => delivered, HOUR_MS);
  await flow.handle.signal('give_up', ...input);
  await expect(flow.handle.result()).resolves.toBe('failed');
  expect(givenUp.get(flow.id)).toBe(reason);
  expect(flow.calls()).toEqual([]);
});

test('Request Cancellation in the Web UI gives up', async () => {
  const flow = await start(() => delivered, HOUR_MS);
  await flow.handle.cancel();
  await expect(flow.handle.result()).resolves.toBe('failed');
  expect(givenUp.get(flow.id)).toBe('cancellation requested');
});

test('wake looks at the row and goes on waiting when nothing has changed', async () => {
  const wait: RetryStep = { kind: 'wait', pauseMs: 2_500 };
  const flow = await start((_, n) => (n === 1 ? wait : delivered), HOUR_MS);
  await gateway.wake([flow.id, randomUUID()]);
  await expect(flow.handle.result()).resolves.toBe('success');
  expect(flow.calls().map(({ force }) => force)).toEqual([false, false]);
  const [first = 0, second = 0] = flow.calls().map(({ atMs }) => atMs);
  expect(second - first).toBeGreaterThanOrEqual(2_500);
});

test('a row that is busy is not asked about more often than once a second', async () => {
  const flow = await start((_, n) => (n < 3 ? { kind: 'wait', pauseMs: 0 } : delivered), -1);
  await expect(flow.handle.result()).resolves.toBe('success');
  const [first = 0, , third = 0] = flow.calls().map(({ atMs }) => atMs);
  expect(third - first).toBeGreaterThanOrEqual(2_000);
});

test('handed back: the workflow ends, and the next failure starts it anew', async () => {
  const flow = await start(() => ({ kind: 'handed_back' }), -1);
  await expect(flow.handle.result()).resolves.toBe('handed back');
  answers.set(flow.id, () => delivered);
  await gateway.start({ ...flow.args, attempts: 2 });
  const again = () => handleOf(flow.id).describe();
  const { status } = await eventually(
    'the second run',
    again,
    (run) => run.status.name === 'COMPLETED' && flow.calls().length === 2,
  );
  expect(status.name).toBe('COMPLETED');
});

test('a start that finds the workflow about to end is not lost', async () => {
  let release: (step: RetryStep) => void = () => undefined;
  const held = new Promise<RetryStep>((resolve) => (release = resolve));
  const flow = await start((_, n) => (n === 1 ? held : delivered), -1);
  await eventually('the attempt', flow.calls, (made) => made.length === 1);
  await gateway.ensure({ ...flow.args, attempts: 2 });
  release({ kind: 'handed_back' });
  await expect(flow.handle.result()).resolves.toBe('success');
  expect(flow.calls()).toHaveLength(2);
});

test('the Web UI is told what it is, and nothing that could be a secret', async () => {
  const flow = await start(() => delivered, HOUR_MS);
  const described = await flow.handle.describe();
  expect(await described.staticSummary()).toBe('pre_auth.captured of PA-1 to shop.example:8443');
  expect(await described.staticDetails()).toContain(flow.args.merchantId);
  const metadata = await flow.handle.query<{
    currentDetails?: string;
    definition?: { signalDefinitions?: { name: string; description?: string }[] };
  }>('__temporal_workflow_metadata');
  expect(metadata.currentDetails).toContain('1 of 6');
  const signals = metadata.definition?.signalDefinitions?.filter(
    ({ description }) => (description ?? '') !== '',
  );
  expect(signals?.map(({ name }) => name).sort()).toEqual(['give_up', 'retry_now', 'wake']);
  await flow.handle.signal('give_up');
  await flow.handle.result();
});
