/**
 * Records the histories that test/workflows/replay.test.ts replays: `node --import tsx dev/record-histories.ts` against
 * the Temporal server of TEMPORAL_ADDRESS; the paths of dev/history-paths.ts need a whole stack (dev/hold-studio.ts).
 * Names on the command line record only these.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createLogger } from '../src/observability/logger';
import { temporalSettings } from '../src/runtime';
import { registerSearchAttributes } from '../src/temporal/search-attributes';
import { createWebhookGateway } from '../src/temporal/webhook-gateway';
import {
  RETENTION_WORKFLOW,
  WEBHOOK_SWEEP_WORKFLOW,
  webhookDeliveryWorkflowId,
} from '../src/workflows/messages';
import { APPROVAL_PATHS } from './approval-history-paths';
import { FAILOVER_PATHS } from './failover-history-paths';
import { FINDABLE_PATHS } from './findable-history-paths';
import { writeHistory } from './history-file';
import { HISTORY_PATHS } from './history-paths';
import type { HistoryScript } from './history-script';
import { PAYMENT_PATHS } from './payment-history-paths';
import { REFUND_PATHS } from './refund-history-paths';
import { workflowBundle } from './stack/bundle';
import { DELIVERY_PATHS, RETENTION_PATH, SWEEP_PATH } from './webhook-history-paths';

const TASK_QUEUE = `record-${process.pid}`;
const CLOSE_TIMEOUT_MS = 60_000;
/** Between a start and what is said from outside, so that it is said to a workflow that waits. */
const SETTLE_MS = 500;

/** By object: what its activities have yet to answer. */
const left = new Map<string, (readonly [activity: string, answer: unknown])[]>();

interface ActivityArgument {
  readonly preAuthNo?: string;
  readonly paymentNo?: string;
  readonly refundNo?: string;
}

/** An activity that answers with the next answer of its object's script. */
const scripted = (name: string) => (of: string | ActivityArgument) => {
  const key = typeof of === 'string' ? of : (of.preAuthNo ?? of.paymentNo ?? of.refundNo ?? '');
  const [activity, answer] = left.get(key)?.shift() ?? [];
  if (activity !== name)
    return Promise.reject(new Error(`${name} was asked where the path has ${activity ?? 'nothing more'}`));
  return Promise.resolve(answer);
};

const SCRIPTED = [
  ...['executeCommand', 'recordAnswer', 'readHold', 'settleCall'],
  ...['executePayment', 'recordPaymentAnswer', 'readPaymentObject', 'settlePaymentCall'],
  ...['executeRefund', 'recordRefundAnswer', 'readRefundObject', 'settleRefundCall'],
  ...['settleByOperator', 'settlePaymentByOperator', 'settleRefundByOperator', 'attemptRetry'],
  ...['endUntakenHold', 'endUntakenPayment'],
];

const activities = {
  ...Object.fromEntries(SCRIPTED.map((name) => [name, scripted(name)])),
  giveUp: () => Promise.resolve({ status: 'failed' }),
  startOverdueRetries: () => Promise.resolve({ overdue: 3, started: 3 }),
  endUndeliverable: () => Promise.resolve({ deleted: 0, disabled: 2 }),
  deleteOutdated: () => Promise.resolve({ notifications: 1_000, leases: 1, endpoints: 1 }),
  deleteOutdatedRows: () => Promise.resolve({ events: 1_000, notifications: 1 }),
};

const DELIVERIES: readonly HistoryScript[] = DELIVERY_PATHS.map((path) => ({
  ...path,
  make() {
    const notificationId = randomUUID();
    return {
      key: notificationId,
      answers: path.steps.map((step) => ['attemptRetry', step]),
      async start(client, taskQueue) {
        const log = createLogger('record', 'warn');
        await createWebhookGateway(client, log, {
          taskQueue,
          eager: true,
          isRetrying: () => Promise.resolve(true),
        }).ensure({
          notificationId,
          merchantId: randomUUID(),
          paymentNo: 'REC-1',
          event: 'pre_auth.captured',
          endpointHost: 'shop.example',
          attempts: 1,
          maxAttempts: 6,
          pauseMs: path.pauseMs,
        });
        return client.workflow.getHandle(webhookDeliveryWorkflowId(notificationId));
      },
    };
  },
}));

const SCRIPTS = [
  ...[...APPROVAL_PATHS, ...PAYMENT_PATHS, ...FAILOVER_PATHS, ...REFUND_PATHS, ...FINDABLE_PATHS],
  ...DELIVERIES,
];

async function keep(path: { name: string; ends?: string }, workflow: WorkflowHandle): Promise<void> {
  const ended: unknown = await Promise.race([workflow.result(), sleep(CLOSE_TIMEOUT_MS, 'timed out')]);
  if (path.ends !== undefined && ended !== path.ends)
    throw new Error(`${path.name} ended as ${String(ended)}, not ${path.ends}`);
  const events = writeHistory(path.name, await workflow.fetchHistory());
  console.log(`${path.name}: ${String(ended)}, ${events} events`);
}

async function record(client: Client, script: HistoryScript): Promise<void> {
  const { key, answers, start } = script.make();
  left.set(key, [...answers]);
  const workflow = await start(client, TASK_QUEUE);
  if (script.drive !== undefined) {
    await sleep(SETTLE_MS);
    await script.drive(workflow);
  }
  await keep(script, workflow);
}

async function recordUpkeep(client: Client, type: string, name: string, args: unknown[]): Promise<void> {
  const workflowId = `record-${name}/${randomUUID()}`;
  await keep({ name }, await client.workflow.start(type, { workflowId, taskQueue: TASK_QUEUE, args }));
}

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const { connectionOptions, namespace } = temporalSettings();
  const connection = await NativeConnection.connect(connectionOptions);
  const client = new Client({ connection, namespace });
  await registerSearchAttributes(client);
  const codePath = await workflowBundle({});
  const parts = { connection, namespace, taskQueue: TASK_QUEUE, activities, workflowBundle: { codePath } };
  const worker = await Worker.create(parts);
  const wanted = process.argv.slice(2);
  const isWanted = ({ name }: { name: string }) => wanted.length === 0 || wanted.includes(name);
  await worker.runUntil(async () => {
    for (const script of SCRIPTS.filter(isWanted)) await record(client, script);
    if (isWanted({ name: SWEEP_PATH })) await recordUpkeep(client, WEBHOOK_SWEEP_WORKFLOW, SWEEP_PATH, []);
    const policy = { inboundEventDays: 30, failedWebhookDays: 180 };
    if (isWanted({ name: RETENTION_PATH }))
      await recordUpkeep(client, RETENTION_WORKFLOW, RETENTION_PATH, [policy]);
  });
  await connection.close();
  const holds = HISTORY_PATHS.filter(isWanted);
  // Loaded only when it is wanted: it asks for a whole stack.
  if (holds.length > 0) await (await import('./hold-studio.js')).driveHolds(holds, keep);
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
