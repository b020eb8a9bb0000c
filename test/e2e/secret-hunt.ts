/** Reads everything that a system keeps, shows or says, and finds secrets in it, however they are written. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import type { Redis } from 'ioredis';
import { payloadConverter } from '../../dev/stack/payloads';
import { keyIdOf } from '../../src/observability/payload-codec';
import type { System } from './harness';

/** A place and all that stands in it. */
export interface Place {
  readonly name: string;
  readonly text: string;
}

export type Secrets = ReadonlyMap<string, string>;

/** Where a customer's data may stand, the columns of the object itself, and where the token in a merchant's own address may. */
const OWN_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  pre_auths: ['customer_email', 'description', 'metadata', 'return_url'],
  payments: ['customer_email', 'description', 'metadata', 'return_url'],
  webhook_endpoints: ['url', 'normal_url'],
  webhook_notifications: ['url'],
  webhook_attempts: ['url'],
};

/** Of the servers that the run shares; those of other suites' processes are theirs. */
const SERVER_LOGS = ['postgres', 'redis', 'temporal'];

/** One line for each secret and place where it was found. */
export function hunt(places: readonly Place[], secrets: Secrets): string[] {
  const wanted = [...secrets].map(([name, value]) => [name, formsOf(value)] as const);
  return places.flatMap(({ name: place, text }) =>
    wanted.filter(([, forms]) => forms.some((form) => text.includes(form))).map(([name]) => `${name} in ${place}`),
  );
} // prettier-ignore

/** As it is, and as it would stand in an address, in JSON, in a `bytea` and within something that is base64. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Without the characters that its neighbours have a part in.
    const own = text.slice([0, 2, 3][before], Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
  const json = JSON.stringify(secret).slice(1, -1);
  return [...new Set([secret, json, encodeURIComponent(secret), bytes.toString('hex'), ...base64])];
}

/** Bytes as text, at whatever depth. */
function written(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(written).join('\n');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, inner]) => `${name}: ${written(inner)}`)
    .join('\n');
}

/** The same with every payload opened, those within payloads too. */
async function opened(value: unknown, codec: PayloadCodec): Promise<string> {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return (await Promise.all(value.map((one) => opened(one, codec)))).join('\n');
  if (typeof value !== 'object' || value === null) return String(value);
  if (keyIdOf(value) !== undefined) {
    const [payload] = await codec.decode([value]);
    return opened({ ...payload }, codec);
  }
  const fields = Object.entries(value).map(async ([name, inner]) => `${name}: ${await opened(inner, codec)}`);
  return (await Promise.all(fields)).join('\n');
}

/** All workflows of the system's task queues: as Temporal keeps them, and as whoever has the keys reads them. */
export async function readTemporal(system: System): Promise<readonly [raw: Place, decoded: Place]> {
  const { connection, options } = system.temporal;
  const keyless = new Client({ connection, namespace: options.namespace });
  const [codec] = payloadConverter(system.environment).payloadCodecs ?? [];
  if (codec === undefined) throw new Error('the stack of the run has no payload keys');
  const query = `TaskQueue IN ('${system.taskQueue}', '${system.webhooksTaskQueue}')`;
  const kept: unknown[] = [];
  for await (const { workflowId, runId } of system.temporal.workflow.list({ query })) {
    const execution = { workflowId, runId };
    const { namespace } = options;
    kept.push(
      await keyless.workflow.getHandle(workflowId, runId).fetchHistory(),
      await connection.workflowService.describeWorkflowExecution({ namespace, execution }),
    );
  }
  return [
    { name: 'Temporal as it is', text: written(kept) },
    { name: 'Temporal decoded', text: await opened(kept, codec) },
  ];
}

/** Every table, without the columns that such things belong in. */
export async function readDatabase(system: System): Promise<Place[]> {
  const tables = await system.rows<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
  );
  return Promise.all(
    tables.map(async ({ name }) => {
      const own = (OWN_COLUMNS[name] ?? []).map((column) => ` - '${column}'`).join('');
      const rows = await system.rows<{ text: string }>(
        `SELECT (to_jsonb(t)${own})::text AS text FROM "${name}" t`,
      );
      return { name: `table ${name}`, text: rows.map(({ text }) => text).join('\n') };
    }),
  );
}

/** Keys and values. Other suites are at work in it too, and must leave none of ours either. */
export async function readRedis(redis: Redis): Promise<Place> {
  const lines: string[] = [];
  for await (const keys of redis.scanStream({ count: 500 }) as AsyncIterable<string[]>) {
    for (const key of keys) lines.push(`${key} ${JSON.stringify(await valueOf(redis, key))}`);
  }
  return { name: 'Redis', text: lines.join('\n') };
}

async function valueOf(redis: Redis, key: string): Promise<unknown> {
  switch (await redis.type(key)) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      return undefined; // it has expired meanwhile
  }
}

/** Logs of the system's own processes and of the servers under it. */
export function readLogs(system: System): Place[] {
  const folder = join(system.environment['HOLDFAST_TEST_DATA_DIR'] ?? '', 'logs');
  const names = readdirSync(folder).filter(
    (name) => name.startsWith(system.taskQueue) || SERVER_LOGS.includes(name.replace(/\.log(\.\d)?$/, '')),
  );
  return names.map((name) => ({ name: `log ${name}`, text: readFileSync(join(folder, name), 'utf8') }));
}

/** What Prometheus is shown at these addresses. */
export function readMetrics(addresses: readonly string[]): Promise<Place[]> {
  return Promise.all(
    addresses.map(async (address) => ({
      name: `metrics of ${address}`,
      text: await (await fetch(`http://${address}/metrics`)).text(),
    })),
  );
}
