/** What one worker process may serve, each with a database pool of its own: a flood of one starves no other. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnection, WorkflowBundleOption } from '@temporalio/worker';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';
import type { Tracing } from '../observability/tracing';
import { registerSearchAttributes } from '../temporal/search-attributes';
import {
  upsertPickupSchedule,
  upsertReconciliationSchedule,
  upsertRetentionSchedule,
  upsertSweepSchedule,
} from '../temporal/schedules';
import { buildIdOf } from './build-id';
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
  readonly dataConverter: DataConverter;
  readonly tracing: Tracing | undefined;
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
  const schedule = async (client: Client) => {
    await upsertPickupSchedule(client, taskQueue, config.PICKUP_INTERVAL);
    const intervalSeconds = config.RECONCILE_INTERVAL;
    const closedDays = config.RECONCILE_CLOSED_DAYS;
    await upsertReconciliationSchedule(client, taskQueue, { intervalSeconds, closedDays });
    await upsertRetentionSchedule(client, taskQueue, config.RETENTION_INTERVAL, {
      inboundEventDays: config.INBOUND_EVENT_RETENTION_DAYS,
      failedWebhookDays: config.WEBHOOK_FAILED_RETENTION_DAYS,
    });
  };
  return serve(deps, served, { taskQueue, tuning: {}, prepare: registerSearchAttributes, schedule });
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
  const schedule = (client: Client) => upsertSweepSchedule(client, taskQueue, intervalSeconds);
  return serve(deps, served, { taskQueue, tuning, schedule });
}

interface Queue {
  readonly taskQueue: string;
  readonly tuning: WorkerTuning;
  /** What Temporal must know before the first workflow is taken up. */
  readonly prepare?: (client: Client) => Promise<void>;
  /** What Temporal starts by itself again and again. */
  readonly schedule: (client: Client) => Promise<void>;
}

async function serve(deps: RoleDeps, served: Served, queue: Queue): Promise<Role> {
  const { connection, namespace, dataConverter, tracing } = deps;
  const { taskQueue, tuning, prepare, schedule } = queue;
  const client = new Client({ connection, namespace, dataConverter });
  let stop = () => Promise.resolve();
  try {
    if (prepare !== undefined) await untilItWorks(deps.log, deps.stopping, () => prepare(client));
    const workflowBundle = await deps.bundle();
    const buildId = buildIdOf(workflowBundle);
    const { activities } = served;
    const bundled = { workflowBundle, buildId };
    const parts = {
      connection,
      namespace,
      dataConverter,
      taskQueue,
      activities,
      ...bundled,
      tuning,
      tracing,
    };
    const worker = await createWorker(parts);
    deps.log.info({ taskQueue, buildId }, 'serving a task queue');
    const ended = worker.run().catch(deps.onFailure);
    stop = () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      return ended;
    };
    await untilItWorks(deps.log, deps.stopping, () => schedule(client));
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
      log.warn({ err: error }, 'Temporal is not ready for us yet; trying again');
      await sleep(RECONNECT_MS);
    }
  }
}
