/** A Temporal development server on a file of its own, so that workflows survive its death. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { startProcess } from './processes';
import type { Server } from './processes';
import type { ServerOptions } from './server-options';
import { temporalBinary } from './temporal-binary';

const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 3_000;
const PROBE_TIMEOUT_MS = 2_000;
const SERVING = 1;
const FRONTEND = 'temporal.api.workflowservice.v1.WorkflowService';

export interface TemporalOptions extends ServerOptions {
  readonly namespace: string;
  /** undefined: no Web UI */
  readonly uiPort?: number;
  /** Where the Web UI has payloads decoded and encoded; undefined: it shows them as Temporal keeps them. */
  readonly codecEndpoint?: string;
}

export async function startTemporal(options: TemporalOptions): Promise<Server> {
  const binary = await temporalBinary(options);
  const data = join(options.dataDir, 'temporal');
  mkdirSync(data, { recursive: true });
  return startProcess({
    name: 'temporal',
    command: binary,
    args: [
      ...['server', 'start-dev', '--ip', LOOPBACK, '--port', String(options.port)],
      ...webUi(options),
      ...[
        '--db-filename',
        join(data, 'temporal.db'),
        '--namespace',
        options.namespace,
        '--log-level',
        'error',
      ],
    ],
    environment: options.environment,
    cwd: data,
    dataDir: options.dataDir,
    address: { host: LOOPBACK, port: options.port },
    isReady: () => isServing(`${LOOPBACK}:${options.port}`, options.namespace),
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.onUnexpectedExit && { onUnexpectedExit: options.onUnexpectedExit }),
  });
}

function webUi({ uiPort, codecEndpoint }: TemporalOptions): string[] {
  if (uiPort === undefined) return ['--headless'];
  const codec = codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', codecEndpoint];
  return ['--ui-port', String(uiPort), ...codec];
}

/** The port opens before the frontend serves, and the namespace is registered after that. */
export async function isServing(address: string, namespace: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: PROBE_TIMEOUT_MS });
  try {
    return await connection.withDeadline(Date.now() + PROBE_TIMEOUT_MS, async () => {
      const health = await connection.healthService.check({ service: FRONTEND });
      if (Number(health.status) !== SERVING) return false;
      await connection.workflowService.describeNamespace({ namespace });
      return true;
    });
  } finally {
    await connection.close();
  }
}
