/**
 * Bench `retries`: notifications that fail once and succeed at the first retry, each with a workflow of its own, against
 * a bare workflow of one timer and one activity on the same Temporal server. See docs/performance.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { note } from '../dev/terminal';
import { WEBHOOK_DELIVERY_WORKFLOW } from '../src/workflows/messages';
import { BARE_RETRY_WORKFLOW } from './bare/retry-messages';
import type { RetryWorkerCalls } from './bare/retry-worker';
import { report } from './report';
import { seededCoin } from './stats';
import { startChild } from './webhooks-child';
import type { Child } from './webhooks-child';
import { cpuSeconds } from './webhooks-cpu';
import { addEndpoint, until, untilRecorded, withSite } from './webhooks-site';
import type { Site } from './webhooks-site';

export const about = 'a retried notification against a bare workflow with one timer and one activity';

const SEED = 42;
const PAUSE_MS = 500;
const PAUSE_BETWEEN_MS = 750;
const PATH = '/fails-once';
const FULL = { rounds: 5, workflows: 1_000 };
const QUICK = { rounds: 3, workflows: 100 };

/** Nothing is handed back to the relay: the endpoint is never full, and its gate stays open. */
const ENVIRONMENT = {
  WEBHOOK_INITIAL_BACKOFF: String(PAUSE_MS / 1_000),
  WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT: '1000',
  WEBHOOK_MAX_IN_RETRY_PER_ENDPOINT: '10000',
  WEBHOOK_GATE_WINDOW: '3600',
  LOG_LEVEL: 'warn',
};

interface Sample {
  readonly perSecond: number;
  /** Processor time per workflow: the worker's, and all servers' and the worker's together. */
  readonly workerCpuMs: number;
  readonly allCpuMs: number;
}

/** One of the two: `run` resolves with the milliseconds it took. */
interface Side {
  readonly run: (workflows: number) => Promise<number>;
  readonly workflowType: string;
  readonly workerCpu: () => number;
  readonly serversCpu: () => number;
}

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const plan = quick ? QUICK : FULL;
  const only = ['postgres', 'redis', 'temporal', 'webhooks'] as const;
  await withSite({ only, environment: ENVIRONMENT }, async (site) => {
    const { environment } = site.stack;
    const bareWorker = startChild<RetryWorkerCalls>('bare/retry-worker.ts', environment);
    const connection = await Connection.connect({ address: environment['TEMPORAL_ADDRESS'] ?? '' });
    try {
      await bareWorker.ask('begin');
      const client = new Client({ connection, namespace: environment['TEMPORAL_NAMESPACE'] ?? 'default' });
      const sides = { holdfast: await holdfastSide(site), bare: bareSide(site, bareWorker) };
      await measure(client, sides, plan);
    } finally {
      await connection.close();
      await bareWorker.stop();
    }
  });
}

async function holdfastSide({ stack, outbox, receiver, receiverOrigin, generator }: Site): Promise<Side> {
  await receiver.ask('behave', PATH, 'fail_first');
  const endpointId = await addEndpoint(outbox, `${receiverOrigin}${PATH}`);
  const { database, merchantId, worker } = outbox;
  return {
    workflowType: WEBHOOK_DELIVERY_WORKFLOW,
    workerCpu: () => cpuSeconds(worker),
    serversCpu: () => cpuSeconds(stack.temporal) + cpuSeconds(stack.postgres),
    async run(workflows) {
      await receiver.ask('reset');
      const to = { database, merchantId, endpointIds: [endpointId] };
      const startedAtMs = await generator.ask('burst', to, workflows);
      const { lastAtMs } = await receiver.ask('reached', workflows);
      await untilRecorded(outbox);
      return lastAtMs - startedAtMs;
    },
  };
}

function bareSide({ stack }: Site, worker: Child<RetryWorkerCalls>): Side {
  return {
    workflowType: BARE_RETRY_WORKFLOW,
    workerCpu: () => cpuSeconds({ name: 'the bare worker', pid: () => worker.pid }),
    serversCpu: () => cpuSeconds(stack.temporal),
    run: (workflows) => worker.ask('burst', workflows, PAUSE_MS),
  };
}

async function measure(
  client: Client,
  sides: Record<'holdfast' | 'bare', Side>,
  { rounds, workflows }: { readonly rounds: number; readonly workflows: number },
): Promise<void> {
  const coin = seededCoin(SEED);
  const samples: Record<'holdfast' | 'bare', Sample[]> = { holdfast: [], bare: [] };
  note('warming up');
  for (const name of ['bare', 'holdfast'] as const) await oneRound(client, sides[name], workflows);
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of coin() ? (['holdfast', 'bare'] as const) : (['bare', 'holdfast'] as const)) {
      const sample = await oneRound(client, sides[name], workflows);
      samples[name].push(sample);
      note(
        `round ${round} of ${rounds}, ${name.padEnd(8)} ${sample.perSecond.toFixed(1)}/s, ` +
          `each ${sample.workerCpuMs.toFixed(1)} ms CPU in the worker, ${sample.allCpuMs.toFixed(1)} ms in all`,
      );
    }
  }
  const pick = (figure: keyof Sample) => ({
    ours: samples.holdfast.map((sample) => sample[figure]),
    reference: samples.bare.map((sample) => sample[figure]),
  });
  report('retries', 'bare workflow', [
    { name: 'retried', unit: 'per second', ...pick('perSecond') },
    { name: 'cpu_worker', unit: 'CPU ms each', ...pick('workerCpuMs') },
    { name: 'cpu_all', unit: 'CPU ms each', ...pick('allCpuMs') },
  ]);
}

/** The processor time is taken until every workflow is closed. */
async function oneRound(client: Client, side: Side, workflows: number): Promise<Sample> {
  const before = { worker: side.workerCpu(), servers: side.serversCpu() };
  const closedBefore = await count(client, side, 'Completed');
  const tookMs = await side.run(workflows);
  await until('the workflows are closed', async () => (await count(client, side, 'Running')) === 0);
  const closed = (await count(client, side, 'Completed')) - closedBefore;
  if (closed !== workflows) throw new Error(`${closed} workflows instead of ${workflows} have run`);
  const workerSeconds = side.workerCpu() - before.worker;
  const allSeconds = workerSeconds + side.serversCpu() - before.servers;
  await sleep(PAUSE_BETWEEN_MS);
  return {
    perSecond: (workflows * 1_000) / tookMs,
    workerCpuMs: (workerSeconds * 1_000) / workflows,
    allCpuMs: (allSeconds * 1_000) / workflows,
  };
}

async function count(
  client: Client,
  { workflowType }: Side,
  status: 'Running' | 'Completed',
): Promise<number> {
  const query = `WorkflowType = '${workflowType}' AND ExecutionStatus = '${status}'`;
  return (await client.workflow.count(query)).count;
}
