/** What the bench `unit-costs` reads before and after each piece of work: processors, PostgreSQL, Temporal and Redis. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { withClient } from '../dev/stack/database';
import { LOOPBACK } from '../dev/stack/settings';
import { POSTGRES_PASSWORD, POSTGRES_USER } from '../dev/stack/postgres';
import type { ProdLike } from '../dev/stack/prod-like';
import type { Server } from '../dev/stack/processes';
import { cpuSeconds } from './webhooks-cpu';

/** One column of the table; sums since the start, or differences of two of them. */
export const FIGURES = [
  'CPU ms API',
  'CPU ms payments worker',
  'CPU ms webhooks worker',
  'CPU ms Temporal',
  'CPU ms PostgreSQL',
  'CPU ms Redis',
  'commits, gateway',
  'rows written, gateway',
  'rows written, Temporal',
  'WAL bytes',
  'disk bytes, gateway',
  'disk bytes, Temporal',
  'calls of Temporal',
  'commands of Redis',
] as const;
export type FigureName = (typeof FIGURES)[number];
export type Reading = Readonly<Record<FigureName, number>>;

const WRITES = `
SELECT coalesce(sum(xact_commit) FILTER (WHERE datname = 'payment_gateway'), 0)::float8 AS gateway_commits,
       coalesce(sum(tup_inserted + tup_updated + tup_deleted) FILTER (WHERE datname = 'payment_gateway'), 0)::float8 AS gateway_rows,
       coalesce(sum(tup_inserted + tup_updated + tup_deleted) FILTER (WHERE datname LIKE 'temporal%'), 0)::float8 AS temporal_rows,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS wal_bytes,
       pg_database_size('payment_gateway')::float8 AS gateway_bytes,
       (pg_database_size('temporal') + pg_database_size('temporal_visibility'))::float8 AS temporal_bytes
FROM pg_stat_database`;

type Writes = Readonly<
  Record<`${'gateway' | 'temporal'}_${'rows' | 'bytes'}` | 'gateway_commits' | 'wal_bytes', number>
>;

export async function read(shape: ProdLike): Promise<Reading> {
  const { app, servers } = shape;
  const cpu = (list: readonly Server[]) => list.reduce((sum, one) => sum + cpuSeconds(one) * 1_000, 0);
  const [writes, calls, commands] = await Promise.all([
    withSuperuser(shape, async (client) => (await client.query<Writes>(WRITES)).rows[0]),
    temporalCalls(shape.temporalMetrics),
    redisCommands(servers.redis.address.port),
  ]);
  if (writes === undefined) throw new Error('PostgreSQL counts nothing');
  return {
    'CPU ms API': cpu(app.apis),
    'CPU ms payments worker': cpu(app.workers),
    'CPU ms webhooks worker': cpu(app.webhooks),
    'CPU ms Temporal': cpu([shape.temporal]),
    'CPU ms PostgreSQL': cpu([servers.postgres]),
    'CPU ms Redis': cpu([servers.redis]),
    'commits, gateway': writes.gateway_commits,
    'rows written, gateway': writes.gateway_rows,
    'rows written, Temporal': writes.temporal_rows,
    'WAL bytes': writes.wal_bytes,
    'disk bytes, gateway': writes.gateway_bytes,
    'disk bytes, Temporal': writes.temporal_bytes,
    'calls of Temporal': calls,
    'commands of Redis': commands,
  };
}

export function withSuperuser<T>(
  { servers }: ProdLike,
  work: Parameters<typeof withClient<T>>[2],
  database = 'payment_gateway',
): Promise<T> {
  const { port } = servers.postgres.address;
  return withClient(
    {
      DB_HOST: LOOPBACK,
      DB_PORT: port,
      DB_USER: POSTGRES_USER,
      DB_PASSWORD: POSTGRES_PASSWORD,
      DB_SSL: false,
    },
    database,
    work,
  );
}

/** Calls that clients and workers made of the frontend; long polls that brought nothing are among them. */
async function temporalCalls(url: string): Promise<number> {
  const text = await (await fetch(url)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith('service_requests{') && line.includes('service_name="frontend"'))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

function redisCommands(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host: LOOPBACK, port }, () => socket.end('INFO stats\r\nQUIT\r\n'));
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.once('error', reject);
    socket.once('close', () => resolve(Number(/total_commands_processed:(\d+)/.exec(text)?.[1] ?? NaN)));
  });
}

/** Resident memory of a process and what it started, in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) * 1_024;
}
