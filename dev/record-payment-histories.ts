/**
 * Records the histories of payments that test/workflows/replay.test.ts replays:
 * `node --import tsx dev/record-payment-histories.ts` against the Temporal server of TEMPORAL_ADDRESS, with activities
 * that answer as dev/payment-history-paths.ts says. Names on the command line record only these.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { paymentObject } from '../src/domain/payment';
import type { Payment } from '../src/domain/payment';
import { temporalSettings } from '../src/runtime';
import { startOf } from '../src/temporal/object-gateway';
import { writeHistory } from './history-file';
import { PAYMENT_PATHS } from './payment-history-paths';
import type { PaymentAnswered, PaymentPath } from './payment-history-paths';
import { workflowBundle } from './stack/bundle';

const TASK_QUEUE = `record-payments-${process.pid}`;
const CLOSE_TIMEOUT_MS = 60_000;
/** Between a start and what is said from outside, so that it is said to a workflow that waits. */
const SETTLE_MS = 400;

const left = new Map<string, PaymentAnswered[]>();

/** An activity that answers with the next answer of its payment's path. */
const scripted =
  (name: PaymentAnswered[0]) =>
  ({ paymentNo }: { paymentNo: string }) => {
    const [activity, answer] = left.get(paymentNo)?.shift() ?? [];
    if (activity !== name)
      throw new Error(`${name} was asked where the path has ${activity ?? 'nothing more'}`);
    return Promise.resolve(answer);
  };

const activities = {
  executePayment: scripted('executePayment'),
  recordPaymentAnswer: scripted('recordPaymentAnswer'),
  readPaymentObject: scripted('readPaymentObject'),
  settlePaymentCall: scripted('settlePaymentCall'),
  settlePaymentByOperator: scripted('settlePaymentByOperator'),
};

function newPayment(lifeMs: number): Payment {
  const nowMs = Date.now();
  return {
    ...{ merchantId: randomUUID(), paymentNo: `PY-${randomUUID()}`, orderNo: 'REC-1', world: 'test' },
    ...{ channel: 'stripe', channelAccountId: randomUUID(), channelPaymentNo: null, channelTradeNo: null },
    ...{ currency: 'USD', amount: 50_000, amountPaid: 0, status: 'pending', version: 1 },
    ...{ createdAtMs: nowMs, expiresAtMs: nowMs + lifeMs, handedOut: false, declineCode: null },
    needsAttention: null,
  };
}

async function record(client: Client, path: PaymentPath): Promise<void> {
  const payment = newPayment(path.lifeMs);
  left.set(payment.paymentNo, [...path.answers(payment)]);
  const { type, options } = startOf(paymentObject(payment), TASK_QUEUE);
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
    for (const path of PAYMENT_PATHS) {
      if (wanted.length === 0 || wanted.includes(path.name)) await record(client, path);
    }
  });
  await connection.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
