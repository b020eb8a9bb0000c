/**
 * Where the demo plays: on the stack that runs (its ports answer, the key in its data folder opens the API), else on
 * one that is started here, on the same ports and data as `npm start`, and stopped at the end.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { Client as DatabaseClient } from 'pg';
import { callApi } from '../demo-client';
import { rememberedSeed, seedDemo } from '../seed';
import type { Seed } from '../seed';
import { urlsOfSandboxes } from '../seed-accounts';
import { workflowBundle } from '../stack/bundle';
import { StackError } from '../stack/errors';
import { startService } from '../stack/node-services';
import { defaultDataDir } from '../stack/paths';
import { ALL_PARTS } from '../stack/parts';
import { choosePorts, freePort } from '../stack/ports';
import type { StackPorts } from '../stack/ports';
import type { Server } from '../stack/processes';
import { sandboxAddresses } from '../stack/sandboxes';
import { devSecrets } from '../stack/secrets';
import { stackEnvironment, whatIsGiven } from '../stack/settings';
import { startStack } from '../stack/stack';
import { note, took } from '../terminal';

const PROBE_TIMEOUT_MS = 2_000;

/** An API and the one worker that serves its holds; the worker may be killed. */
export interface Victims {
  readonly apiUrl: string;
  readonly worker: Server;
}

export interface Stage {
  readonly apiUrl: string;
  readonly stripeUrl: string;
  readonly paypalUrl: string;
  readonly alipayUrl: string;
  readonly btcpayUrl: string;
  readonly seed: Seed;
  /** Where a workflow can be watched. */
  workflowAddress(workflowId: string): string;
  victims(): Promise<Victims>;
  /** Types of the events of a hold, in the order in which they were written. */
  eventsOf(preAuthNo: string): Promise<string[]>;
  /** What a story has yet to undo; `close` does it for one that is broken off. */
  readonly undo: Set<() => Promise<unknown>>;
  close(): Promise<void>;
}

interface Ground {
  readonly dataDir: string;
  readonly ports: StackPorts;
  readonly environment: Record<string, string>;
}

/** @throws StackError, a sentence that says what to do */
export async function openStage(): Promise<Stage> {
  const given = whatIsGiven(process.env);
  if (given.stripe || given.paypal || given.alipay || given.btcpay) {
    throw new StackError(
      'The demo compares with the sandboxes’ books: start it without STRIPE_SECRET_KEY, PAYPAL_API_BASE, ALIPAY_GATEWAY and BTCPAY_API_BASE.',
    );
  }
  const dataDir = defaultDataDir(process.env);
  return (await attach(dataDir)) ?? (await start(dataDir));
}

async function attach(dataDir: string): Promise<Stage | undefined> {
  const seed = rememberedSeed(dataDir);
  if (seed === undefined || !existsSync(join(dataDir, 'secrets.json'))) return undefined;
  const ports = await choosePorts('default', process.env);
  const given = whatIsGiven(process.env);
  const ground = {
    dataDir,
    ports,
    environment: {
      ...stackEnvironment(given, process.env, ports, devSecrets(dataDir)),
      ...sandboxAddresses(new Set(ALL_PARTS), given, process.env, ports),
    },
  };
  const answers = await Promise.all([
    opens(`http://127.0.0.1:${ports.api}`, seed.apiKey),
    answersOk(`http://127.0.0.1:${ports.sandbox}/_sandbox/health`),
    ...[ports.paypal, ports.alipay, ports.btcpay].map((port) =>
      answersOk(`http://127.0.0.1:${port}/_control/health`),
    ),
    answersOk(`http://127.0.0.1:${ports.workerHealth}/readyz`),
    answersOk(`http://127.0.0.1:${ports.webhooksHealth}/readyz`),
  ]);
  if (!answers.every(Boolean)) return undefined;
  note(`on the Holdfast that is running, ${dataDir}`);
  const own: Server[] = [];
  const parts = common(ground, seed);
  return {
    ...parts,
    victims: () => startVictims(ground, own),
    close: async () => {
      await undoAll(parts.undo);
      try {
        if (own.length > 0) await forgetPickup(ground);
      } finally {
        for (const server of own) await server.stop();
      }
    },
  };
}

async function start(dataDir: string): Promise<Stage> {
  note(`no Holdfast is running: one is started for the demo, ${dataDir}`);
  const startedAt = Date.now();
  const stack = await startStack({
    dataDir,
    ports: 'default',
    given: process.env,
    only: ALL_PARTS,
    report: (line, kind) => (kind === 'note' ? note(line) : undefined),
  });
  try {
    const ground = { dataDir, ports: stack.ports, environment: stack.environment };
    const apiUrl = `http://127.0.0.1:${stack.ports.api}`;
    const seed = await seedDemo({
      apiUrl,
      adminKey: stack.environment['HOLDFAST_ADMIN_KEY'] ?? '',
      dataDir,
      sandboxes: urlsOfSandboxes(stack.environment, stack.startsSandbox),
      environment: process.env,
    });
    const [worker] = stack.workers;
    if (worker === undefined) throw new Error('the stack has no worker');
    note(`started (${took(startedAt)})`);
    const parts = common(ground, seed);
    return {
      ...parts,
      victims: () => Promise.resolve({ apiUrl, worker }),
      close: async () => {
        await undoAll(parts.undo);
        await stack.stop();
      },
    };
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

function common({ ports, environment }: Ground, seed: Seed) {
  const { TEMPORAL_NAMESPACE: namespace = '', TEMPORAL_ADDRESS: address = '' } = environment;
  const web = `http://127.0.0.1:${ports.temporalUi}/namespaces/${namespace}/workflows`;
  return {
    apiUrl: `http://127.0.0.1:${ports.api}`,
    stripeUrl: `http://127.0.0.1:${ports.sandbox}`,
    paypalUrl: `http://127.0.0.1:${ports.paypal}`,
    alipayUrl: `http://127.0.0.1:${ports.alipay}`,
    btcpayUrl: `http://127.0.0.1:${ports.btcpay}`,
    seed,
    workflowAddress: (id: string) =>
      whatIsGiven(process.env).temporal ? `${id} at ${address}` : `${web}/${encodeURIComponent(id)}`,
    eventsOf: (preAuthNo: string) => readEvents(environment, seed.merchantId, preAuthNo),
    undo: new Set<() => Promise<unknown>>(),
  };
}

/** What cannot be undone is left: the demo ends all the same. */
async function undoAll(undo: ReadonlySet<() => Promise<unknown>>): Promise<void> {
  await Promise.allSettled([...undo].map((work) => work()));
}

/**
 * An API and a worker beside the running ones, on the same servers, with a task queue of their own: `npm start` ends
 * when one of its processes dies, and a worker that shares the queue would take the killed one's work over.
 */
async function startVictims({ dataDir, environment }: Ground, own: Server[]): Promise<Victims> {
  const settings = {
    ...process.env,
    ...environment,
    PAYMENTS_TASK_QUEUE: DEMO_QUEUE,
    WORKFLOW_BUNDLE: await workflowBundle({ ...process.env, ...environment }),
  };
  const ports = { api: await freePort(), worker: await freePort() };
  const options = { dataDir, report: note };
  const starting = [
    startService('api', 'demo-api', {
      ...options,
      port: ports.api,
      environment: { ...settings, API_PORT: String(ports.api) },
    }),
    startService('worker', 'demo-worker', {
      ...options,
      port: ports.worker,
      environment: { ...settings, WORKER_HEALTH_PORT: String(ports.worker) },
    }),
  ];
  for (const result of await Promise.allSettled(starting)) {
    if (result.status === 'fulfilled') own.push(result.value);
  }
  const [, worker] = await Promise.all(starting);
  return { apiUrl: `http://127.0.0.1:${ports.api}`, worker: worker as Server };
}

const DEMO_QUEUE = `demo-${process.pid}`;

/** The worker made a Schedule for its queue, which nobody will serve any more. */
async function forgetPickup({ environment }: Ground): Promise<void> {
  const connection = await Connection.connect({ address: environment['TEMPORAL_ADDRESS'] ?? '' });
  const client = new TemporalClient({ connection, namespace: environment['TEMPORAL_NAMESPACE'] ?? '' });
  try {
    await client.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () =>
      client.schedule.getHandle(`pickup/${DEMO_QUEUE}`).delete(),
    );
  } finally {
    await connection.close();
  }
}

async function readEvents(
  environment: Readonly<Record<string, string>>,
  merchantId: string,
  preAuthNo: string,
): Promise<string[]> {
  const { DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME, DB_SSL } = environment;
  const database = new DatabaseClient({
    host: DB_HOST,
    port: Number(DB_PORT),
    user: DB_USER,
    password: DB_PASSWORD,
    database: DB_NAME,
    ssl: DB_SSL === 'true',
  });
  await database.connect();
  try {
    const { rows } = await database.query<{ type: string }>(
      `SELECT type FROM payment_events
       WHERE merchant_id = $1 AND object_kind = 'pre_auth' AND object_no = $2 AND sequence > 0 ORDER BY sequence`,
      [merchantId, preAuthNo],
    );
    return rows.map((row) => row.type);
  } finally {
    await database.end();
  }
}

async function opens(apiUrl: string, apiKey: string): Promise<boolean> {
  return callApi(apiUrl, apiKey, '/api/v1/channel/pre-auth?limit=1').then(
    (answer) => answer.status === 200,
    () => false,
  );
}

async function answersOk(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
    (response) => response.ok,
    () => false,
  );
}
