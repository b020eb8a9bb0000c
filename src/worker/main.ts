/**
 * A worker process in the roles that WORKER_ROLES names. Waits for Temporal when it is not there yet; finishes what it
 * has begun before it ends.
 */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from 'node:http';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import type { TelemetryOptions, WorkflowBundleOption } from '@temporalio/worker';
import type { Config } from '../config/config';
import { loadWorkerConfig } from '../config/worker-config';
import { createLogger } from '../observability/logger';
import type { Logger } from '../observability/logger';
import { startTracing, TRACES_LOST } from '../observability/tracing';
import { createDataConverter } from '../observability/payload-codec';
import { HISTOGRAM_BUCKETS } from '../observability/worker-metrics';
import {
  assertSchemaFits,
  createFoundation,
  createLazyTemporalClient,
  createRelayParts,
  createWebhookParts,
  createPaymentParts,
  temporalSettings,
} from '../runtime';
import { clientInterceptors } from '../temporal/client';
import { startPayments, startWebhooks, untilItWorks } from './roles';
import type { Role, RoleDeps, RoleName } from './roles';
import { workflowBundleOf } from './worker';

async function main(): Promise<void> {
  const config = loadWorkerConfig();
  const tracing = startTracing(config, 'worker', (problem) => log.warn(problem, TRACES_LOST));
  const log = createLogger('worker', config.LOG_LEVEL, tracing?.logFields);
  Runtime.install({
    shutdownSignals: [],
    logger: sdkLogger(log),
    telemetryOptions: telemetryOf(config.WORKER_METRICS_ADDRESS),
  });
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const stopped = new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
  const roles = new Map<RoleName, Role>();
  await assertSchemaFits(config, log, (error) => {
    log.fatal(error.message);
    process.exitCode = 1;
    stopping.abort();
  });
  const health = serveHealth(config, roles);
  let connection: NativeConnection | undefined;
  try {
    const { connectionOptions, namespace } = temporalSettings();
    connection = await soon(NativeConnection.connect(connectionOptions));
    // First attempts need no Temporal: where it is away, they do not wait for it.
    const relayFirst = connection === undefined && config.WORKER_ROLES.includes('relay');
    if (relayFirst) {
      log.warn('Temporal cannot be reached yet: the relay starts without it');
      const { client } = createLazyTemporalClient(config, tracing);
      roles.set('relay', await startRelay(config, log, client, false));
    }
    connection ??= await untilItWorks(log, stopping.signal, () =>
      NativeConnection.connect(connectionOptions),
    );
    const dataConverter = createDataConverter(config);
    let bundle: Promise<WorkflowBundleOption> | undefined;
    const deps: RoleDeps = {
      ...{ config, log, connection, namespace, dataConverter, tracing, stopping: stopping.signal },
      bundle: () => (bundle ??= workflowBundleOf(config.WORKFLOW_BUNDLE, dataConverter)),
      onFailure: (error) => {
        log.fatal({ err: error }, 'a worker has ended by itself');
        process.exitCode = 1;
        stopping.abort();
      },
    };
    for (const name of config.WORKER_ROLES) {
      if (!stopping.signal.aborted && !roles.has(name)) roles.set(name, await START[name](deps));
    }
    log.info({ roles: config.WORKER_ROLES, namespace }, 'worker started');
    if (!stopping.signal.aborted) await stopped;
  } finally {
    health.close();
    await stopAll(roles);
    await connection?.close();
    await tracing?.close();
  }
  log.info('worker stopped');
}

const START: Readonly<Record<RoleName, (deps: RoleDeps) => Promise<Role>>> = {
  payments(deps) {
    const foundation = createFoundation(deps.config, deps.log);
    return startPayments(deps, createPaymentParts(foundation, clientOf(deps), meter(), deps.tracing));
  },
  async webhooks(deps) {
    const foundation = createFoundation(deps.config, deps.log);
    return startWebhooks(deps, createWebhookParts(foundation, clientOf(deps), meter()));
  },
  relay: (deps) => startRelay(deps.config, deps.log, clientOf(deps), true),
};

const meter = () => Runtime.instance().metricMeter;

async function startRelay(config: Config, log: Logger, client: Client, eager: boolean): Promise<Role> {
  const parts = createRelayParts(createFoundation(config, log), client, eager, meter());
  await parts.relay.start();
  return { stop: () => parts.relay.stop(), close: () => parts.close() };
}

const SOON_MS = 3_000;

/** What a connection attempt comes to within a moment; undefined where it fails or takes longer. */
async function soon(connecting: Promise<NativeConnection>): Promise<NativeConnection | undefined> {
  const late = new AbortController();
  const connected = connecting.catch(() => undefined);
  const outcome = await Promise.race([
    connected,
    sleep(SOON_MS, 'late' as const, { signal: late.signal }).catch(() => 'late' as const),
  ]);
  late.abort();
  if (outcome !== 'late') return outcome;
  // It may still come about, and nobody would use it.
  void connected.then((connection) => connection?.close());
  return undefined;
}

function clientOf({ connection, namespace, dataConverter, tracing }: RoleDeps): Client {
  return new Client({ connection, namespace, dataConverter, interceptors: clientInterceptors(tracing) });
}

/** The relay first, so that its last outcomes still find a worker for their retries; what they share goes last. */
async function stopAll(roles: ReadonlyMap<RoleName, Role>): Promise<void> {
  await roles.get('relay')?.stop();
  await Promise.all([...roles].filter(([name]) => name !== 'relay').map(([, role]) => role.stop()));
  await Promise.all([...roles.values()].map((role) => role.close()));
}

/** /readyz answers 200 when every role serves. */
function serveHealth(config: Config, roles: ReadonlyMap<RoleName, Role>): Server {
  return createServer((request, response) => {
    const serving = config.WORKER_ROLES.map((name) => [name, roles.has(name)] as const);
    const ready = serving.every(([, isServing]) => isServing);
    const ok = request.url === '/healthz' || (request.url === '/readyz' && ready);
    const body = JSON.stringify({ ready, roles: Object.fromEntries(serving) });
    response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' }).end(body);
  }).listen(config.WORKER_HEALTH_PORT, '127.0.0.1');
}

/** Temporal's own numbers and ours, for Prometheus; empty: nobody asks for them. */
function telemetryOf(bindAddress: string): TelemetryOptions {
  if (bindAddress === '') return {};
  return { metrics: { prometheus: { bindAddress, histogramBucketOverrides: { ...HISTOGRAM_BUCKETS } } } };
}

function sdkLogger(log: Logger): DefaultLogger {
  return new DefaultLogger('WARN', ({ level, message, meta }) => {
    const severity = level === 'ERROR' ? 'error' : level === 'WARN' ? 'warn' : 'debug';
    log[severity]({ meta }, message);
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
