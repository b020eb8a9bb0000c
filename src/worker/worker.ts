/** The worker of the payments task queue. */
import { bundleWorkflowCode, Worker } from '@temporalio/worker';
import type { NativeConnection, WorkflowBundleOption } from '@temporalio/worker';
import type { Activities } from '../activities';

export interface WorkerDeps {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: Activities;
  /** Path of a prebuilt bundle, or empty to bundle now (some seconds). */
  readonly bundlePath: string;
}

const SHUTDOWN_GRACE = '8s';

export async function createWorker(deps: WorkerDeps): Promise<Worker> {
  return Worker.create({
    connection: deps.connection,
    namespace: deps.namespace,
    taskQueue: deps.taskQueue,
    activities: deps.activities,
    workflowBundle: await bundleOf(deps.bundlePath),
    // Long enough for an exchange with a channel that has begun, so that a deploy leaves no outcome unknown.
    shutdownGraceTime: SHUTDOWN_GRACE,
    // After the death of a worker its holds wait this long for it before another one may take them; the API waits 15 s.
    stickyQueueScheduleToStartTimeout: '4s',
  });
}

async function bundleOf(path: string): Promise<WorkflowBundleOption> {
  if (path !== '') return { codePath: path };
  return bundleWorkflowCode({ workflowsPath: require.resolve('../workflows') });
}
