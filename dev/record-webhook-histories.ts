/**
 * Records the histories of webhook deliveries that test/workflows/replay.test.ts replays:
 * `node --import tsx dev/record-webhook-histories.ts` against the Temporal server of TEMPORAL_ADDRESS, with activities
 * that answer as dev/webhook-history-paths.ts says. Names on the command line record only these.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createLogger } from '../src/observability/logger';
import { temporalSettings } from '../src/runtime';
import { createWebhookGateway } from '../src/temporal/webhook-gateway';
import { WEBHOOK_SWEEP_WORKFLOW, webhookDeliveryWorkflowId } from '../src/workflows/messages';
import { writeHistory } from './history-file';
import { workflowBundle } from './stack/bundle';
import { DELIVERY_PATHS, SWEEP_PATH } from './webhook-history-paths';
import type { DeliveryPath } from './webhook-history-paths';

const TASK_QUEUE = `record-webhooks-${process.pid}`;
const CLOSE_TIMEOUT_MS = 60_000;
/** Between a start and what is said from outside, so that it is said to a workflow that waits. */
const SETTLE_MS = 500;

const steps = new Map<string, DeliveryPath['steps'][number][]>();

const activities = {
  attemptRetry(notificationId: string) {
    const step = steps.get(notificationId)?.shift();
    if (step === undefined) throw new Error('the path has no further step');
    return Promise.resolve(step(Date.now()));
  },
  giveUp: () => Promise.resolve({ status: 'failed' }),
  startOverdueRetries: () => Promise.resolve({ overdue: 3, started: 3 }),
  endUndeliverable: () => Promise.resolve({ deleted: 0, disabled: 2 }),
  deleteOutdated: () => Promise.resolve({ notifications: 1_000, leases: 1 }),
};

async function recordDelivery(client: Client, path: DeliveryPath): Promise<void> {
  const notificationId = randomUUID();
  steps.set(notificationId, [...path.steps]);
  const settings = { taskQueue: TASK_QUEUE, eager: true };
  await createWebhookGateway(client, createLogger('record', 'warn'), settings).ensure({
    notificationId,
    merchantId: randomUUID(),
    paymentNo: 'REC-1',
    event: 'pre_auth.captured',
    endpointHost: 'shop.example',
    attempts: 1,
    maxAttempts: 6,
    nextRetryAtMs: Date.now() + path.pauseMs,
  });
  const workflow = client.workflow.getHandle(webhookDeliveryWorkflowId(notificationId));
  if (path.drive !== undefined) {
    await sleep(SETTLE_MS);
    await path.drive(workflow);
  }
  const ended: unknown = await Promise.race([workflow.result(), sleep(CLOSE_TIMEOUT_MS, 'timed out')]);
  if (ended !== path.ends) throw new Error(`${path.name} ended as ${String(ended)}, not ${path.ends}`);
  console.log(`${path.name}: ${writeHistory(path.name, await workflow.fetchHistory())} events`);
}

async function recordSweep(client: Client): Promise<void> {
  const workflowId = `record-sweep/${randomUUID()}`;
  const workflow = await client.workflow.start(WEBHOOK_SWEEP_WORKFLOW, { workflowId, taskQueue: TASK_QUEUE });
  await workflow.result();
  console.log(`${SWEEP_PATH}: ${writeHistory(SWEEP_PATH, await workflow.fetchHistory())} events`);
}

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const { connectionOptions, namespace } = temporalSettings();
  const connection = await NativeConnection.connect(connectionOptions);
  const client = new Client({ connection, namespace });
  const codePath = await workflowBundle();
  const parts = { connection, namespace, taskQueue: TASK_QUEUE, activities, workflowBundle: { codePath } };
  const worker = await Worker.create(parts);
  const wanted = process.argv.slice(2);
  const isWanted = (name: string) => wanted.length === 0 || wanted.includes(name);
  await worker.runUntil(async () => {
    for (const path of DELIVERY_PATHS) if (isWanted(path.name)) await recordDelivery(client, path);
    if (isWanted(SWEEP_PATH)) await recordSweep(client);
  });
  await connection.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
