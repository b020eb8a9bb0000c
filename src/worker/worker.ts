/** A Temporal worker of one task queue, running from the moment it is started. */
import { Context, heartbeat } from '@temporalio/activity';
import type { DataConverter } from '@temporalio/common';
import { bundleWorkflowCode, Worker } from '@temporalio/worker';
import type { NativeConnection, WorkerOptions, WorkflowBundleOption } from '@temporalio/worker';
import { assertBundleFits } from '../observability/payload-codec';
import type { Tracing } from '../observability/tracing';

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly dataConverter: DataConverter;
  readonly taskQueue: string;
  readonly activities: object;
  readonly workflowBundle: WorkflowBundleOption;
  /** Of the bundle; see build-id.ts. */
  readonly buildId: string;
  readonly tuning: WorkerTuning;
  readonly tracing: Tracing | undefined;
}

/** What a queue's load needs beside the defaults. */
export type WorkerTuning = Pick<
  WorkerOptions,
  'maxConcurrentActivityTaskExecutions' | 'maxConcurrentWorkflowTaskExecutions'
>;

const DEPLOYMENT = 'holdfast';

// Long enough for an exchange with a channel that has begun, so that a deploy leaves no outcome unknown.
const SHUTDOWN_GRACE = '8s';

export async function createWorker(deps: WorkerDeps): Promise<Worker> {
  const { tracing } = deps;
  return Worker.create({
    connection: deps.connection,
    namespace: deps.namespace,
    dataConverter: deps.dataConverter,
    taskQueue: deps.taskQueue,
    activities: deps.activities,
    interceptors: {
      activity: [() => ({ inbound: { execute: beating } }), ...(tracing ? [tracing.activity] : [])],
    },
    workflowBundle: deps.workflowBundle,
    // Told, not routed by: any worker takes any workflow (docs/versioning.md says why).
    workerDeploymentOptions: {
      version: { deploymentName: DEPLOYMENT, buildId: deps.buildId },
      useWorkerVersioning: false,
    },
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

/**
 * @param path of a prebuilt bundle, or empty to bundle now, which takes some seconds
 * @throws Error when a prebuilt bundle does not encode failures as the converter does
 */
export async function workflowBundleOf(
  path: string,
  dataConverter: DataConverter,
): Promise<WorkflowBundleOption> {
  if (path !== '') {
    assertBundleFits(path, dataConverter);
    return { codePath: path };
  }
  const { failureConverterPath } = dataConverter;
  return bundleWorkflowCode({
    workflowsPath: require.resolve('../workflows'),
    workflowInterceptorModules: [require.resolve('../workflows/trace-headers')],
    ...(failureConverterPath !== undefined && { failureConverterPath }),
  });
}
