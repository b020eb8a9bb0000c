/** A Temporal worker of one task queue, running from the moment it is started. */
import { Context, heartbeat } from '@temporalio/activity';
import { bundleWorkflowCode, Worker } from '@temporalio/worker';
import type { NativeConnection, WorkerOptions, WorkflowBundleOption } from '@temporalio/worker';

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: object;
  readonly workflowBundle: WorkflowBundleOption;
  readonly tuning: WorkerTuning;
}

/** What a queue's load needs beside the defaults. */
export type WorkerTuning = Pick<
  WorkerOptions,
  'maxConcurrentActivityTaskExecutions' | 'maxConcurrentWorkflowTaskExecutions'
>;

// Long enough for an exchange with a channel that has begun, so that a deploy leaves no outcome unknown.
const SHUTDOWN_GRACE = '8s';

export async function createWorker(deps: WorkerDeps): Promise<Worker> {
  return Worker.create({
    connection: deps.connection,
    namespace: deps.namespace,
    taskQueue: deps.taskQueue,
    activities: deps.activities,
    interceptors: { activity: [() => ({ inbound: { execute: beating } })] },
    workflowBundle: deps.workflowBundle,
    shutdownGraceTime: SHUTDOWN_GRACE,
    // After the death of a worker its workflows wait this long for it before another one may take them; the API waits 15 s.
    stickyQueueScheduleToStartTimeout: '4s',
    ...deps.tuning,
  });
}

const HEARTBEAT_MS = 3_000;

/** Says every few seconds that the worker lives, so that a step that died with its worker is repeated soon. */
async function beating<Input, Output>(
  input: Input,
  next: (input: Input) => Promise<Output>,
): Promise<Output> {
  if (Context.current().info.isLocal) return next(input);
  const timer = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await next(input);
  } finally {
    clearInterval(timer);
  }
}

/** @param path of a prebuilt bundle, or empty to bundle now, which takes some seconds */
export async function workflowBundleOf(path: string): Promise<WorkflowBundleOption> {
  if (path !== '') return { codePath: path };
  return bundleWorkflowCode({ workflowsPath: require.resolve('../workflows') });
}
