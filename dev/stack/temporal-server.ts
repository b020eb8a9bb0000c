/**
 * The Temporal server as production runs it: on PostgreSQL, with as many history shards, and its Web UI as a process of
 * its own. Built once from the pinned modules in dev/temporal-server, told by the same variables as the images.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { stringify } from 'yaml';
import { runLong } from './commands';
import { StackError } from './errors';
import { ROOT, cacheDir } from './paths';
import { freePort } from './ports';
import { startProcess } from './processes';
import type { Server } from './processes';
import type { ServerOptions } from './server-options';
import { isServing } from './temporal';
import { buildWithGo } from './temporal-binary';

const VERSION = '1.31.2';
const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 6_000;
const PROBE_TIMEOUT_MS = 2_000;
const RETENTION_MS = 7 * 24 * 60 * 60 * 1_000;
const ALREADY_EXISTS = 6;
/** As in docker-compose.yml; cannot be changed once there is a database. */
const HISTORY_SHARDS = '512';

const BINARIES = {
  'temporal-server': { what: `Temporal server ${VERSION}`, packageName: 'go.temporal.io/server/cmd/server' },
  'temporal-sql-tool': {
    what: `Temporal's schema tool ${VERSION}`,
    packageName: 'go.temporal.io/server/cmd/tools/sql',
  },
  'temporal-ui': {
    what: "Temporal's Web UI",
    packageName: 'github.com/temporalio/ui-server/v2/cmd/server',
  },
} as const;
type Binary = keyof typeof BINARIES;

/** The three programs, built where they are missing. @throws StackError where there is no way to them */
export async function temporalServerBinaries(
  options: Pick<ServerOptions, 'environment' | 'report'>,
): Promise<Readonly<Record<Binary, string>>> {
  const folder = join(cacheDir(options.environment), `temporal-server-${VERSION}`);
  const paths: Partial<Record<Binary, string>> = {};
  for (const name of Object.keys(BINARIES) as Binary[]) {
    const target = join(folder, name);
    paths[name] = target;
    if (existsSync(target)) continue;
    await buildWithGo(
      {
        ...BINARIES[name],
        takes: 'seconds where the CLI was built before, else about five minutes on two cores',
        module: 'dev/temporal-server',
        target,
        alternatives: 'npm start needs none of it.',
      },
      options,
    );
  }
  return paths as Record<Binary, string>;
}

export interface TemporalDatabase {
  readonly host: string;
  readonly port: number;
  /** Owner of the databases `temporal` and `temporal_visibility`, which must be there. */
  readonly user: string;
  readonly password: string;
}

export interface TemporalServerOptions extends ServerOptions {
  readonly namespace: string;
  readonly database: TemporalDatabase;
  /** Of its own numbers, for Prometheus. */
  readonly metricsPort: number;
}

/** Brings the schema up to date, starts the server and registers the namespace. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<Server> {
  const binaries = await temporalServerBinaries(options);
  for (const kind of ['temporal', 'visibility'] as const) {
    await updateSchema(binaries['temporal-sql-tool'], kind, options);
  }
  const data = join(options.dataDir, 'temporal');
  mkdirSync(data, { recursive: true });
  const address = `${LOOPBACK}:${options.port}`;
  return startProcess({
    name: 'temporal',
    command: binaries['temporal-server'],
    args: ['--allow-no-auth', 'start'],
    environment: { ...options.environment, ...(await serverEnvironment(options)) },
    cwd: data,
    dataDir: options.dataDir,
    address: { host: LOOPBACK, port: options.port },
    isReady: async () => {
      await registerNamespace(address, options.namespace);
      return isServing(address, options.namespace);
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.onUnexpectedExit && { onUnexpectedExit: options.onUnexpectedExit }),
  });
}

/** All of its services in one process; besides the frontend's gRPC port nobody needs to know theirs. */
async function serverEnvironment({
  database,
  port,
  metricsPort,
}: TemporalServerOptions): Promise<Record<string, string>> {
  const inner = [
    ...['FRONTEND_HTTP_PORT', 'FRONTEND_MEMBERSHIP_PORT', 'MATCHING_GRPC_PORT', 'MATCHING_MEMBERSHIP_PORT'],
    ...['HISTORY_GRPC_PORT', 'HISTORY_MEMBERSHIP_PORT', 'WORKER_GRPC_PORT', 'WORKER_MEMBERSHIP_PORT'],
  ];
  const ports: Record<string, string> = {};
  for (const name of inner) ports[name] = String(await freePort());
  return {
    DB: 'postgres12',
    DB_PORT: String(database.port),
    POSTGRES_SEEDS: database.host,
    POSTGRES_USER: database.user,
    POSTGRES_PWD: database.password,
    DBNAME: 'temporal',
    VISIBILITY_DBNAME: 'temporal_visibility',
    NUM_HISTORY_SHARDS: HISTORY_SHARDS,
    BIND_ON_IP: LOOPBACK,
    TEMPORAL_BROADCAST_ADDRESS: LOOPBACK,
    DYNAMIC_CONFIG_FILE_PATH: join(ROOT, 'deploy/temporal/dynamic.yaml'),
    FRONTEND_GRPC_PORT: String(port),
    PROMETHEUS_ENDPOINT: `${LOOPBACK}:${metricsPort}`,
    LOG_LEVEL: 'error',
    ...ports,
  };
}

/** As deploy/temporal/schema.sh does; what is there already is left alone. */
async function updateSchema(
  tool: string,
  kind: 'temporal' | 'visibility',
  { database, environment }: TemporalServerOptions,
): Promise<void> {
  const name = kind === 'temporal' ? 'temporal' : 'temporal_visibility';
  const settings = {
    ...environment,
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: database.host,
    SQL_PORT: String(database.port),
    SQL_USER: database.user,
    SQL_PASSWORD: database.password,
    SQL_DATABASE: name,
  };
  for (const step of [
    ['setup-schema', '--version', '0.0'],
    ['update-schema', '--schema-name', `postgresql/v12/${kind}`],
  ]) {
    const options = { cwd: ROOT, environment: settings, everyMs: 60_000, onTick: () => undefined };
    const { code, output } = await runLong(tool, step, options);
    if (code !== 0) throw new StackError(`The schema of ${name} could not be made:\n${output}`);
  }
}

async function registerNamespace(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: PROBE_TIMEOUT_MS });
  try {
    await connection.withDeadline(Date.now() + PROBE_TIMEOUT_MS, () =>
      connection.workflowService.registerNamespace({
        namespace,
        workflowExecutionRetentionPeriod: msToTs(RETENTION_MS),
      }),
    );
  } catch (error) {
    if ((error as { code?: number }).code !== ALREADY_EXISTS) throw error;
  } finally {
    await connection.close();
  }
}

export interface WebUiOptions extends ServerOptions {
  /** host:port of the server */
  readonly temporal: string;
  readonly namespace: string;
  /** Where payloads are decoded; undefined: they are shown as Temporal keeps them. */
  readonly codecEndpoint?: string;
}

/** Without the login that production puts before it: it listens on this machine alone. */
export async function startWebUi(options: WebUiOptions): Promise<Server> {
  const { 'temporal-ui': command } = await temporalServerBinaries(options);
  const folder = join(options.dataDir, 'temporal-ui');
  mkdirSync(folder, { recursive: true });
  const page = `http://${LOOPBACK}:${options.port}`;
  const settings = {
    temporalGrpcAddress: options.temporal,
    host: LOOPBACK,
    port: options.port,
    enableUi: true,
    defaultNamespace: options.namespace,
    disableNewsFetch: true,
    cors: { cookieInsecure: true, allowOrigins: [page] },
    ...(options.codecEndpoint !== undefined && { codec: { endpoint: options.codecEndpoint } }),
  };
  writeFileSync(join(folder, 'prod-like.yaml'), stringify(settings), { mode: 0o600 });
  return startProcess({
    name: 'temporal-ui',
    command,
    args: ['--root', folder, '--config', '.', '--env', 'prod-like', 'start'],
    environment: options.environment,
    cwd: folder,
    dataDir: options.dataDir,
    address: { host: LOOPBACK, port: options.port },
    isReady: async () => {
      const response = await fetch(`${page}/healthz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      await response.arrayBuffer();
      return response.status === 200;
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.onUnexpectedExit && { onUnexpectedExit: options.onUnexpectedExit }),
  });
}
