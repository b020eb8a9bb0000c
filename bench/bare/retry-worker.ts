/**
 * The bare retry's own worker process, with the settings of Holdfast's. It starts its workflows itself, as the relay
 * does: so many calls at once, on the worker's connection, with an eager start.
 */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { preciseNowMs, serve } from '../webhooks-child';
import { BARE_RETRY_QUEUE, BARE_RETRY_WORKFLOW } from './retry-messages';

/** As src/temporal/webhook-gateway.ts and src/worker/roles.ts have them. */
const STARTS_AT_ONCE = 16;
const MAX_TASKS = 200;

let attempts = 0;
let wanted: { readonly count: number; readonly resolve: () => void } | undefined;

const activities = {
  attempt(): Promise<void> {
    attempts += 1;
    if (attempts === wanted?.count) wanted.resolve();
    return Promise.resolve();
  },
};
export type RetryActivities = typeof activities;

let client: Client | undefined;

const calls = {
  /** Resolves when the worker polls. */
  async begin(): Promise<void> {
    const logger = new DefaultLogger('WARN');
    Runtime.install({ shutdownSignals: [], logger });
    const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
    const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
    const worker = await Worker.create({
      ...{ connection, namespace, activities, taskQueue: BARE_RETRY_QUEUE },
      workflowBundle: await bundleWorkflowCode({
        workflowsPath: require.resolve('./retry-workflow'),
        logger,
      }),
      maxConcurrentActivityTaskExecutions: MAX_TASKS,
      maxConcurrentWorkflowTaskExecutions: MAX_TASKS,
      stickyQueueScheduleToStartTimeout: '4s',
    });
    void worker.run();
    client = new Client({ connection, namespace });
  },
  /** @returns milliseconds from the first start to the last activity */
  async burst(count: number, pauseMs: number): Promise<number> {
    attempts = 0;
    const done = new Promise<void>((resolve) => (wanted = { count, resolve }));
    const startedAtMs = preciseNowMs();
    let left = count;
    const starter = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await client?.workflow.start(BARE_RETRY_WORKFLOW, {
          workflowId: `bare-retry/${randomUUID()}`,
          taskQueue: BARE_RETRY_QUEUE,
          args: [pauseMs],
          requestEagerStart: true,
        });
      }
    };
    await Promise.all(Array.from({ length: STARTS_AT_ONCE }, starter));
    await done;
    return preciseNowMs() - startedAtMs;
  },
};
export type RetryWorkerCalls = typeof calls;

serve(calls);
