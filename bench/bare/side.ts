/** The bare workflow as the bench sees it: a worker process of its own, and a client in the bench's process. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { Client, Connection, WithStartWorkflowOperation } from '@temporalio/client';
import type { Side } from '../side';
import { BARE_QUEUE, BARE_WORKFLOW, captureUpdate, createdUpdate, READY } from './messages';

export interface BareSide extends Side<string> {
  stop(): Promise<void>;
}

/** @param environment names the Temporal server, as the stack's processes have it */
export async function startBareSide(environment: Readonly<Record<string, string>>): Promise<BareSide> {
  const worker = await startWorker(environment);
  const connection = await Connection.connect({ address: environment['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection, namespace: environment['TEMPORAL_NAMESPACE'] ?? 'default' });
  return {
    async create() {
      const workflowId = `bare/${randomUUID()}`;
      const startWorkflowOperation = new WithStartWorkflowOperation<() => Promise<string>>(BARE_WORKFLOW, {
        workflowId,
        taskQueue: BARE_QUEUE,
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
      const updateId = randomUUID();
      await client.workflow.executeUpdateWithStart(createdUpdate, { updateId, startWorkflowOperation });
      return workflowId;
    },
    prepare: () => Promise.resolve(),
    async capture(workflowId) {
      const commandId = randomUUID();
      const args: [{ commandId: string; amount: number }] = [{ commandId, amount: 32_000 }];
      await client.workflow.getHandle(workflowId).executeUpdate(captureUpdate, { updateId: commandId, args });
    },
    async stop() {
      await connection.close();
      worker.disconnect();
      if (worker.exitCode === null) await once(worker, 'exit');
    },
  };
}

async function startWorker(environment: Readonly<Record<string, string>>): Promise<ChildProcess> {
  const worker = fork(join(__dirname, 'worker.ts'), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...environment },
  });
  const [first] = (await Promise.race([once(worker, 'message'), once(worker, 'exit')])) as unknown[];
  if (first !== READY) throw new Error(`the bare worker ended at once (${String(first)})`);
  return worker;
}
