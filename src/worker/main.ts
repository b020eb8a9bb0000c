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
import { loadConfig } from '../config/config';
import type { Config } from '../config/config';
import { createLogger } from '../observability/logger';
import type { Logger } from '../observability/logger';
import {
  createFoundation,
  createLazyTemporalClient,
  createRelayParts,
  createWebhookParts,
  createPaymentParts,
  temporalSettings,
} from '../runtime';
import { startPayments, startWebhooks, untilItWorks } from './roles';
import type { Role, RoleDeps, RoleName } from './roles';
import { workflowBundleOf } from './worker';

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger('worker', config.LOG_LEVEL);
  Runtime.install({
    shutdownSignals: [],
    logger: sdkLogger(log),
    telemetryOptions: telemetryOf(config.WORKER_METRICS_ADDRESS),
  });
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const stopped = new Promise((resolve) => stopping.signal.addEventListener('abort', resolve));
  const roles = new Map<RoleName, Role>();
  const health = serveHealth(config, roles);
  let connection: NativeConnection | undefined;
  try {
    const { connectionOptions, namespace } = temporalSettings();
    connection = await soon(NativeConnection.connect(connectionOptions));
    // First attempts need no Temporal: where it is away, they do not wait for it.
    const relayFirst = connection === undefined && config.WORKER_ROLES.includes('relay');
    if (relayFirst) {
      log.warn('Temporal cannot be reached yet: the relay starts without it');
      roles.set('relay', await startRelay(config, log, createLazyTemporalClient().client, false));
    }
    connection ??= await untilItWorks(log, stopping.signal, () =>
      NativeConnection.connect(connectionOptions),
    );
    let bundle: Promise<WorkflowBundleOption> | undefined;
    const deps: RoleDeps = {
      ...{ config, log, connection, namespace, stopping: stopping.signal },
      bundle: () => (bundle ??= workflowBundleOf(config.WORKFLOW_BUNDLE)),
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
  }
  log.info('worker stopped');
}

const START: Readonly<Record<RoleName, (deps: RoleDeps) => Promise<Role>>> = {
  payments(deps) {
    const foundation = createFoundation(deps.config, deps.log);
    const meter = Runtime.instance().metricMeter;
    return startPayments(deps, createPaymentParts(foundation, deps.connection, deps.namespace, meter));
  },
  async webhooks(deps) {
    return startWebhooks(deps, createWebhookParts(createFoundation(deps.config, deps.log), clientOf(deps)));
  },
  relay: (deps) => startRelay(deps.config, deps.log, clientOf(deps), true),
};

async function startRelay(config: Config, log: Logger, client: Client, eager: boolean): Promise<Role> {
  const parts = createRelayParts(createFoundation(config, log), client, eager);
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

function clientOf({ connection, namespace }: RoleDeps): Client {
  return new Client({ connection, namespace });
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
  return bindAddress === '' ? {} : { metrics: { prometheus: { bindAddress } } };
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
