/** What one worker process may serve, each with a database pool of its own: a flood of one starves no other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { NativeConnection, WorkflowBundleOption } from '@temporalio/worker';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';
import {
  upsertPickupSchedule,
  upsertReconciliationSchedule,
  upsertSweepSchedule,
} from '../temporal/schedules';
import { createWorker } from './worker';
import type { WorkerTuning } from './worker';

export type RoleName = Config['WORKER_ROLES'][number];

/** A role at work. */
export interface Role {
  /** Takes nothing new and finishes what it has begun, within the grace. */
  stop(): Promise<void>;
  /** Lets go of the database and the like, when every role has stopped. */
  close(): Promise<void>;
}

/** What runtime.ts makes for a role that serves a task queue. */
export interface Served {
  readonly activities: object;
  close(): Promise<void>;
}

export interface RoleDeps {
  readonly config: Config;
  readonly log: Logger;
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly bundle: () => Promise<WorkflowBundleOption>;
  readonly stopping: AbortSignal;
  /** A worker that ends by itself takes the process along: whoever watches it starts a new one. */
  readonly onFailure: (error: unknown) => void;
}

/** A free slot is what makes an eager start eager. */
const MAX_WORKFLOW_TASKS = 200;
const RECONNECT_MS = 1_000;

/** The payments role: holds, payments and refunds, the pick-up and reconciliation. */
export function startPayments(deps: RoleDeps, served: Served): Promise<Role> {
  const { config } = deps;
  const taskQueue = config.PAYMENTS_TASK_QUEUE;
  return serve(deps, served, taskQueue, {}, async (client) => {
    await upsertPickupSchedule(client, taskQueue, config.PICKUP_INTERVAL);
    const intervalSeconds = config.RECONCILE_INTERVAL;
    const closedDays = config.RECONCILE_CLOSED_DAYS;
    await upsertReconciliationSchedule(client, taskQueue, { intervalSeconds, closedDays });
  });
}

/** The webhooks role: deliveries that are retried, and the sweep. */
export function startWebhooks(deps: RoleDeps, served: Served): Promise<Role> {
  const { WEBHOOKS_TASK_QUEUE: taskQueue, WEBHOOK_RETRY_INTERVAL: intervalSeconds } = deps.config;
  const tuning = {
    // Each waits on a socket, and a hanging endpoint holds at most WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT of them.
    // Twice as many as the largest merchant's 120 endpoints can hold with their usual limit of 10.
    maxConcurrentActivityTaskExecutions: 2 * deps.config.WEBHOOK_MAX_IN_FLIGHT,
    maxConcurrentWorkflowTaskExecutions: MAX_WORKFLOW_TASKS,
  };
  return serve(deps, served, taskQueue, tuning, (client) =>
    upsertSweepSchedule(client, taskQueue, intervalSeconds),
  );
}

async function serve(
  deps: RoleDeps,
  served: Served,
  taskQueue: string,
  tuning: WorkerTuning,
  upsertSchedule: (client: Client) => Promise<void>,
): Promise<Role> {
  const { connection, namespace } = deps;
  let stop = () => Promise.resolve();
  try {
    const workflowBundle = await deps.bundle();
    const { activities } = served;
    const parts = { connection, namespace, taskQueue, activities, workflowBundle, tuning };
    const worker = await createWorker(parts);
    const ended = worker.run().catch(deps.onFailure);
    stop = () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      return ended;
    };
    const client = new Client({ connection, namespace });
    await untilItWorks(deps.log, deps.stopping, () => upsertSchedule(client));
  } catch (error) {
    await stop();
    await served.close();
    throw error;
  }
  return { stop, close: () => served.close() };
}

/** Servers come up in any order: tries until it works or the process is asked to stop. @throws the last error then */
export async function untilItWorks<T>(log: Logger, stop: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (stop.aborted) throw error;
      log.warn({ err: error }, 'Temporal cannot be reached yet; trying again');
      await sleep(RECONNECT_MS);
    }
  }
}
