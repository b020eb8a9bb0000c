/** Our own processes: API, workers, the codec server, the channels' sandboxes and webhook receiver, each a Node.js child with an HTTP health page. */
import { ROOT, typescriptArgs } from './paths';
import { startProcess } from './processes';
import type { Server } from './processes';
import type { ServerOptions } from './server-options';

const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 90_000;
const PROBE_TIMEOUT_MS = 2_000;

interface Service {
  readonly script: string;
  readonly healthPath: string;
  readonly stopTimeoutMs: number;
  /** What makes one script two services; the caller's environment may say otherwise. */
  readonly environment?: Readonly<Record<string, string>>;
}

const SERVICES = {
  api: { script: 'src/api/main.ts', healthPath: '/readyz', stopTimeoutMs: 3_000 },
  worker: {
    script: 'src/worker/main.ts',
    healthPath: '/readyz',
    stopTimeoutMs: 4_000,
    environment: { WORKER_ROLES: 'payments' },
  },
  webhooks: {
    script: 'src/worker/main.ts',
    healthPath: '/readyz',
    stopTimeoutMs: 4_000,
    environment: { WORKER_ROLES: 'webhooks,relay' },
  },
  codec: { script: 'src/observability/codec-main.ts', healthPath: '/readyz', stopTimeoutMs: 3_000 },
  sandbox: { script: 'dev/stripe-sandbox/main.ts', healthPath: '/_sandbox/health', stopTimeoutMs: 2_000 },
  paypal: { script: 'dev/paypal-sandbox/main.ts', healthPath: '/_control/health', stopTimeoutMs: 2_000 },
  alipay: { script: 'dev/alipay-sandbox/main.ts', healthPath: '/_control/health', stopTimeoutMs: 2_000 },
  btcpay: { script: 'dev/btcpay-sandbox/main.ts', healthPath: '/_control/health', stopTimeoutMs: 2_000 },
  receiver: { script: 'dev/webhook-receiver.ts', healthPath: '/_received', stopTimeoutMs: 2_000 },
} as const satisfies Record<string, Service>;

/** @param name of the process; several of one kind are told apart by it */
export function startService(
  kind: keyof typeof SERVICES,
  name: string,
  options: ServerOptions,
): Promise<Server> {
  const service: Service = SERVICES[kind];
  const url = `http://${LOOPBACK}:${options.port}${service.healthPath}`;
  return startProcess({
    name,
    command: process.execPath,
    args: typescriptArgs(service.script),
    environment: { ...service.environment, ...options.environment },
    cwd: ROOT,
    dataDir: options.dataDir,
    address: { host: LOOPBACK, port: options.port },
    isReady: async () => {
      const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      await response.arrayBuffer();
      return response.status === 200;
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: service.stopTimeoutMs,
    ...(options.onUnexpectedExit && { onUnexpectedExit: options.onUnexpectedExit }),
  });
}
