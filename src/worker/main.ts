/** The worker process. Waits for Temporal when it is not there yet; drains what it has begun before it ends. */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { loadConfig } from '../config/config';
import { createLogger } from '../observability/logger';
import type { Logger } from '../observability/logger';
import { createFoundation, createWorkerActivities, temporalSettings } from '../runtime';
import { upsertPickupSchedule } from '../temporal/pickup-schedule';
import { createWorker } from './worker';

const RECONNECT_MS = 1_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger('worker', config.LOG_LEVEL);
  Runtime.install({ shutdownSignals: [], logger: sdkLogger(log) });
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

  let ready = false;
  const health = createServer((request, response) => {
    const ok = request.url === '/healthz' || (request.url === '/readyz' && ready);
    response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' }).end(JSON.stringify({ ready }));
  }).listen(config.WORKER_HEALTH_PORT, '127.0.0.1');

  const foundation = createFoundation(config, log);
  const { connectionOptions, namespace } = temporalSettings();
  const connection = await untilItWorks(log, stopping.signal, () =>
    NativeConnection.connect(connectionOptions),
  );
  const worker = await createWorker({
    connection,
    namespace,
    taskQueue: config.PAYMENTS_TASK_QUEUE,
    activities: createWorkerActivities(foundation, connection, namespace),
    bundlePath: config.WORKFLOW_BUNDLE,
  });
  const client = new Client({ connection, namespace });
  await untilItWorks(log, stopping.signal, () =>
    upsertPickupSchedule(client, config.PAYMENTS_TASK_QUEUE, config.PICKUP_INTERVAL),
  );
  ready = true;
  log.info({ taskQueue: config.PAYMENTS_TASK_QUEUE, namespace }, 'worker started');

  stopping.signal.addEventListener('abort', () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  });
  if (!stopping.signal.aborted) await worker.run();
  health.close();
  await connection.close();
  await foundation.db.end();
  log.info('worker stopped');
}

/** Servers come up in any order: tries until it works or the process is asked to stop. */
async function untilItWorks<T>(log: Logger, stop: AbortSignal, work: () => Promise<T>): Promise<T> {
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
