/**
 * The shape of production (docker-compose.yml) without containers: PostgreSQL with a role for each of the two that keep
 * something there, Temporal's server on it, Redis, two of each process of ours, the codec server, the Web UI.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from 'pg';
import { withClient } from './database';
import { StackError } from './errors';
import { ALL_PARTS } from './parts';
import type { Part } from './parts';
import { freePort } from './ports';
import { POSTGRES_PASSWORD, POSTGRES_USER } from './postgres';
import type { Server } from './processes';
import { devSecrets } from './secrets';
import type { ServerOptions } from './server-options';
import { codecEndpoint, codecEnvironment, LOOPBACK, whatIsGiven } from './settings';
import { startStack } from './stack';
import type { Report, Stack, StackOptions } from './stack';
import { startTemporalServer, startWebUi } from './temporal-server';

export const NAMESPACE = 'default';
const DATABASE = 'payment_gateway';
const SERVERS: readonly Part[] = ['postgres', 'redis'];
/** What a stack says of the servers that were started before, each of which has been told of already. */
const GIVEN = 'given by the environment';
const PROCESSES = { apiCount: 2, workerCount: 2, webhooksCount: 2 } as const;

export type ProdLikeOptions = Pick<
  StackOptions,
  'dataDir' | 'ports' | 'temporary' | 'headlessUi' | 'report' | 'onUnexpectedExit' | 'environment'
> & {
  /** Of the processes before the servers; default: everything. */
  readonly only?: readonly Part[];
  /** Runs when PostgreSQL and Redis are there and nobody uses them yet. */
  readonly prepare?: (servers: Stack) => Promise<void>;
};

export interface ProdLike {
  /** PostgreSQL and Redis. */
  readonly servers: Stack;
  readonly temporal: Server;
  /** Where Temporal's own numbers are, for Prometheus. */
  readonly temporalMetrics: string;
  /** Everything of ours, and the channels' sandboxes. */
  readonly app: Stack;
  /** What names the servers to any process of ours, as an operator would set it. */
  readonly given: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** @throws StackError, a sentence that says what to do; whatever had been started is stopped again */
export async function startProdLike(options: ProdLikeOptions): Promise<ProdLike> {
  const named = whatIsGiven(process.env);
  if (named.postgres || named.redis || named.temporal)
    throw new StackError(
      'This shape starts its own servers: unset DB_HOST, REDIS_HOST and TEMPORAL_ADDRESS, or use npm start with them.',
    );
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const one of started.reverse()) await one.stop();
  };
  try {
    const servers = await startServers(options);
    started.push(servers);
    await options.prepare?.(servers);
    const passwords = await makeRoles(options.dataDir, servers);
    const metricsPort = await freePort();
    const temporal = await startTemporalOn(servers, passwords.temporal, metricsPort, options);
    started.push(temporal);
    const given = settingsFor(servers, passwords.holdfast);
    const app = await startApp(given, options);
    started.push(app);
    if (options.headlessUi !== true) started.push(await startUi(servers, app, options));
    return {
      servers,
      temporal,
      temporalMetrics: `http://${LOOPBACK}:${metricsPort}/metrics`,
      app,
      given,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const serversDir = (dataDir: string) => join(dataDir, 'servers');

function startServers(options: ProdLikeOptions): Promise<Stack> {
  const { ports, report, onUnexpectedExit, temporary } = options;
  return startStack({
    dataDir: serversDir(options.dataDir),
    ...{ ports, given: process.env, only: SERVERS },
    ...(temporary && { temporary }),
    ...(report && { report }),
    ...(onUnexpectedExit && { onUnexpectedExit }),
  });
}

interface Passwords {
  readonly holdfast: string;
  readonly temporal: string;
}

const passwordFile = (dataDir: string) => join(serversDir(dataDir), 'database-passwords.json');

export function readPasswords(dataDir: string): Passwords {
  return JSON.parse(readFileSync(passwordFile(dataDir), 'utf8')) as Passwords;
}

const superuser = (servers: Stack) => ({
  DB_HOST: LOOPBACK,
  DB_PORT: servers.postgres.address.port,
  DB_USER: POSTGRES_USER,
  DB_PASSWORD: POSTGRES_PASSWORD,
  DB_SSL: false,
});

/** As deploy/postgres/roles.sh: neither of the two can read the other's, and neither is superuser. */
async function makeRoles(dataDir: string, servers: Stack): Promise<Passwords> {
  const file = passwordFile(dataDir);
  if (existsSync(file)) return readPasswords(dataDir);
  const passwords = { holdfast: randomBytes(18).toString('hex'), temporal: randomBytes(18).toString('hex') };
  await withClient(superuser(servers), 'postgres', async (client) => {
    for (const role of ['holdfast', 'temporal'] as const) await makeRole(client, role, passwords[role]);
    await makeDatabase(client, DATABASE, 'holdfast');
    await makeDatabase(client, 'temporal', 'temporal');
    await makeDatabase(client, 'temporal_visibility', 'temporal');
  });
  writeFileSync(file, JSON.stringify(passwords), { mode: 0o600 });
  return passwords;
}

/** One that a start which broke off had made gets the password that is written down now. */
async function makeRole(client: Client, name: string, password: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name]);
  const how = rowCount === 0 ? 'CREATE' : 'ALTER';
  await client.query(`${how} ROLE ${name} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
}

async function makeDatabase(client: Client, name: string, owner: string): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) await client.query(`CREATE DATABASE ${name} OWNER ${owner}`);
  await client.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
}

function serverOptions(options: ProdLikeOptions, port: number): ServerOptions {
  const { report, onUnexpectedExit } = options;
  return {
    dataDir: serversDir(options.dataDir),
    port,
    report: (line) => report?.(line, 'note'),
    environment: process.env,
    ...(onUnexpectedExit && { onUnexpectedExit }),
  };
}

async function startTemporalOn(
  servers: Stack,
  password: string,
  metricsPort: number,
  options: ProdLikeOptions,
): Promise<Server> {
  const startedAt = Date.now();
  const server = await startTemporalServer({
    ...serverOptions(options, servers.ports.temporal),
    ...{ namespace: NAMESPACE, metricsPort },
    database: { ...servers.postgres.address, user: 'temporal', password },
  });
  told(options, 'Temporal', server, 'the server, on PostgreSQL', startedAt);
  return server;
}

/** What is started first of the rest says where everything else is. */
function settingsFor(servers: Stack, password: string): Record<string, string> {
  return {
    DB_HOST: LOOPBACK,
    DB_PORT: String(servers.postgres.address.port),
    DB_USER: 'holdfast',
    DB_PASSWORD: password,
    DB_NAME: DATABASE,
    REDIS_HOST: LOOPBACK,
    REDIS_PORT: String(servers.redis.address.port),
    TEMPORAL_ADDRESS: `${LOOPBACK}:${servers.ports.temporal}`,
    TEMPORAL_NAMESPACE: NAMESPACE,
  };
}

function startApp(given: Readonly<Record<string, string>>, options: ProdLikeOptions): Promise<Stack> {
  const { dataDir, ports, temporary, report, onUnexpectedExit, only = ALL_PARTS } = options;
  const unlessGiven: Report = (line, kind) => (line.includes(GIVEN) ? undefined : report?.(line, kind));
  return startStack({
    ...{ dataDir, ports, given: { ...process.env, ...given }, ...PROCESSES },
    only: [...new Set<Part>([...SERVERS, 'temporal', ...only])],
    environment: { RATE_LIMIT_PROCESSES: String(PROCESSES.apiCount), ...options.environment },
    ...(temporary && { temporary }),
    report: unlessGiven,
    ...(onUnexpectedExit && { onUnexpectedExit }),
  });
}

async function startUi(servers: Stack, app: Stack, options: ProdLikeOptions): Promise<Server> {
  const startedAt = Date.now();
  const codec = codecEnvironment(process.env, app.ports, devSecrets(options.dataDir));
  const server = await startWebUi({
    ...serverOptions(options, app.ports.temporalUi),
    temporal: `${LOOPBACK}:${servers.ports.temporal}`,
    namespace: NAMESPACE,
    codecEndpoint: codecEndpoint(codec),
  });
  told(options, 'Web UI', server, 'of Temporal, without the login of production', startedAt);
  return server;
}

function told({ report }: ProdLikeOptions, label: string, server: Server, what: string, since: number): void {
  const { host, port } = server.address;
  const took = ((Date.now() - since) / 1_000).toFixed(1);
  report?.(`${label.padEnd(15)} ${`${host}:${port}`.padEnd(16)} ${what} (${took} s)`, 'done');
}
