/**
 * Records the histories of refunds that test/workflows/replay.test.ts replays:
 * `node --import tsx dev/record-refund-histories.ts` against the Temporal server of TEMPORAL_ADDRESS, with activities
 * that answer as dev/refund-history-paths.ts says. Names on the command line record only these.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { refundObject } from '../src/domain/refund';
import type { Refund } from '../src/domain/refund';
import { temporalSettings } from '../src/runtime';
import { startOf } from '../src/temporal/object-gateway';
import { writeHistory } from './history-file';
import { REFUND_PATHS } from './refund-history-paths';
import type { RefundAnswered, RefundPath } from './refund-history-paths';
import { workflowBundle } from './stack/bundle';

const TASK_QUEUE = `record-refunds-${process.pid}`;
const CLOSE_TIMEOUT_MS = 60_000;
/** Between a start and what is said from outside, so that it is said to a workflow that waits. */
const SETTLE_MS = 400;

const left = new Map<string, RefundAnswered[]>();

/** An activity that answers with the next answer of its refund's path. */
const scripted =
  (name: RefundAnswered[0]) =>
  ({ refundNo }: { refundNo: string }) => {
    const [activity, answer] = left.get(refundNo)?.shift() ?? [];
    if (activity !== name)
      throw new Error(`${name} was asked where the path has ${activity ?? 'nothing more'}`);
    return Promise.resolve(answer);
  };

const activities = {
  executeRefund: scripted('executeRefund'),
  recordRefundAnswer: scripted('recordRefundAnswer'),
  readRefundObject: scripted('readRefundObject'),
  settleRefundCall: scripted('settleRefundCall'),
  settleRefundByOperator: scripted('settleRefundByOperator'),
};

function newRefund(): Refund {
  return {
    ...{ merchantId: randomUUID(), refundNo: `RF-${randomUUID()}`, objectKind: 'payment', objectNo: 'PY-1' },
    ...{ latePaymentId: null, orderNo: 'REC-1', world: 'test', channel: 'stripe' },
    ...{ channelAccountId: randomUUID(), channelRefundNo: null, currency: 'USD', amount: 20_000 },
    ...{ status: 'pending', version: 1, createdAtMs: Date.now(), declineCode: null, needsAttention: null },
  };
}

async function record(client: Client, path: RefundPath): Promise<void> {
  const refund = newRefund();
  left.set(refund.refundNo, [...path.answers(refund)]);
  const { type, options } = startOf(refundObject(refund), TASK_QUEUE);
  const workflow = await client.workflow.start(type, options);
  if (path.drive !== undefined) {
    await sleep(SETTLE_MS);
    await path.drive(workflow);
  }
  const ended: unknown = await Promise.race([workflow.result(), sleep(CLOSE_TIMEOUT_MS, 'timed out')]);
  if (ended !== path.ends) throw new Error(`${path.name} ended as ${String(ended)}, not ${path.ends}`);
  console.log(`${path.name}: ${writeHistory(path.name, await workflow.fetchHistory())} events`);
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
  await worker.runUntil(async () => {
    for (const path of REFUND_PATHS) {
      if (wanted.length === 0 || wanted.includes(path.name)) await record(client, path);
    }
  });
  await connection.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
