/** The embedded stack's promises: data survive, a killed server comes back on its data, and failures are sentences. */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { withClient } from '../../dev/stack/database';
import { StackError } from '../../dev/stack/errors';
import { temporaryDataDir } from '../../dev/stack/paths';
import { ALL_PARTS, CORE_PARTS } from '../../dev/stack/parts';
import { payloadConverter } from '../../dev/stack/payloads';
import { choosePorts } from '../../dev/stack/ports';
import { startTime } from '../../dev/stack/process-table';
import { startRedis } from '../../dev/stack/redis';
import { devSecrets } from '../../dev/stack/secrets';
import { startStack } from '../../dev/stack/stack';
import type { Stack, StackOptions } from '../../dev/stack/stack';
import { temporalBinary } from '../../dev/stack/temporal-binary';
import { eventually } from '../e2e/eventually';

const folders: string[] = [];
function temporaryFolder(): string {
  const folder = temporaryDataDir('stack-test');
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function query(stack: Stack, sql: string): Promise<unknown[]> {
  const { DB_HOST = '', DB_PORT = '', DB_USER = '', DB_PASSWORD = '' } = stack.environment;
  const connection = { DB_HOST, DB_PORT: Number(DB_PORT), DB_USER, DB_PASSWORD, DB_SSL: false };
  return withClient(connection, 'postgres', async (client) => (await client.query(sql)).rows as unknown[]);
}

async function withRedis<T>(stack: Stack, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(stack.redis.address.port, stack.redis.address.host);
  return work(redis).finally(() => redis.disconnect());
}

test('what was stored survives SIGKILL with a restart, and a stop with a new start', async () => {
  const options: StackOptions = {
    dataDir: temporaryFolder(),
    ports: 'free',
    only: ['postgres', 'redis'],
  };
  const first = await startStack(options);
  try {
    await query(first, 'CREATE TABLE kept AS SELECT 320 AS amount');
    await withRedis(first, (redis) => redis.set('kept', '320'));
    await Promise.all([first.postgres.kill(), first.redis.kill()]);
    expect(first.postgres.pid()).toBeUndefined();
    await Promise.all([first.postgres.restart(), first.redis.restart()]);
    expect(await query(first, 'SELECT amount FROM kept')).toEqual([{ amount: 320 }]);
  } finally {
    await first.stop();
  }
  const second = await startStack({ ...options, temporary: true });
  try {
    expect(await query(second, 'SELECT amount FROM kept')).toEqual([{ amount: 320 }]);
    expect(second.environment['HOLDFAST_ADMIN_KEY']).toBe(first.environment['HOLDFAST_ADMIN_KEY']);
    expect(await withRedis(second, (redis) => redis.exists('kept'))).toBe(1);
  } finally {
    await second.stop();
  }
});

test('stop leaves no process behind', async () => {
  const stack = await startStack({
    dataDir: temporaryFolder(),
    ports: 'free',
    only: ['postgres', 'redis'],
    temporary: true,
  });
  const pids = [stack.postgres.pid(), stack.redis.pid()].map(Number);
  expect(pids.map((pid) => startTime(pid) !== undefined)).toEqual([true, true]);
  await stack.stop();
  expect(pids.map((pid) => startTime(pid))).toEqual([undefined, undefined]);
});

test('a taken port is a sentence naming the port and the variable, and nothing stays running', async () => {
  const stranger = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => stranger.once('listening', resolve));
  const { port } = stranger.address() as AddressInfo;
  try {
    const starting = startStack({
      dataDir: temporaryFolder(),
      ports: 'default',
      given: { REDIS_PORT: String(port) },
      only: ['redis'],
      temporary: true,
    });
    await expect(starting).rejects.toThrow(StackError);
    await expect(starting).rejects.toThrow(
      new RegExp(`Port ${port} \\(Redis, REDIS_PORT\\) is taken.*REDIS_PORT`),
    );
  } finally {
    stranger.close();
  }
});

test('a port that is no port is a sentence too', async () => {
  await expect(choosePorts('default', { API_PORT: 'http' })).rejects.toThrow(
    'API_PORT must be a port between 1 and 65535, not "http".',
  );
});

test('without Redis and without a package manager the sentence says what to do', async () => {
  const starting = startRedis({
    dataDir: temporaryFolder(),
    port: 1,
    report: () => undefined,
    environment: { PATH: '' },
  });
  await expect(starting).rejects.toThrow(
    /Redis is missing: neither redis-server nor valkey-server is on the PATH\. Install Redis or Valkey; or name .*REDIS_HOST/,
  );
});

test('without Temporal and without Go the sentence says what to do', async () => {
  const environment = { PATH: '', XDG_CACHE_HOME: temporaryFolder() };
  await expect(temporalBinary({ environment, report: () => undefined })).rejects.toThrow(
    /there is no Go to build it with: install Go 1\.26\.8 or newer.*TEMPORAL_CLI.*TEMPORAL_ADDRESS/,
  );
});

test('what the environment names is used and never stopped', async () => {
  const lines: string[] = [];
  const stack = await startStack({
    dataDir: temporaryFolder(),
    ports: 'free',
    given: { REDIS_HOST: 'redis.example', REDIS_PORT: '6390' },
    only: ['redis'],
    temporary: true,
    report: (line) => lines.push(line),
  });
  expect(stack.redis.owned).toBe(false);
  expect(stack.environment).toMatchObject({ REDIS_HOST: 'redis.example', REDIS_PORT: '6390' });
  expect(lines.join()).toMatch(/redis\.example:6390 given by the environment/);
  await expect(stack.redis.kill()).rejects.toThrow('was not started by this stack');
  await stack.stop();
});

test('a channel has a sandbox, unless the environment names the channel', async () => {
  const named = 'https://api-m.sandbox.paypal.com';
  const stack = await startStack({
    dataDir: temporaryFolder(),
    ports: 'free',
    given: { PAYPAL_API_BASE: named },
    only: ['paypal', 'alipay', 'btcpay'],
    temporary: true,
  });
  try {
    const parts = ['sandbox', 'paypal', 'alipay', 'btcpay'] as const;
    expect(parts.filter(stack.startsSandbox)).toEqual(['alipay', 'btcpay']);
    const { PAYPAL_API_BASE, ALIPAY_GATEWAY = '', BTCPAY_API_BASE = '' } = stack.environment;
    expect(PAYPAL_API_BASE).toBe(named);
    for (const url of [ALIPAY_GATEWAY, BTCPAY_API_BASE])
      expect((await fetch(`${url}/_control/health`)).status).toBe(200);
  } finally {
    await stack.stop();
  }
}, 60_000);

test('a stack that names no parts has no codec server, and no sandbox beside that of Stripe', () => {
  expect(ALL_PARTS.filter((part) => !CORE_PARTS.includes(part))).toEqual([
    'codec',
    'paypal',
    'alipay',
    'btcpay',
  ]);
});

test('the Web UI is told where payloads are opened, and its own pages alone have them opened there', async () => {
  const only = ['temporal', 'codec'] as const;
  const stack = await startStack({ dataDir: temporaryFolder(), ports: 'free', only, temporary: true });
  try {
    const origin = `http://127.0.0.1:${stack.ports.temporalUi}`;
    const { Codec } = await eventually(
      'the Web UI answers',
      () => askJson<{ Codec?: { Endpoint: string } }>(`${origin}/api/v1/settings`),
      (answer) => answer.Codec !== undefined,
    );
    const [codec] = payloadConverter(stack.environment).payloadCodecs ?? [];
    const plain = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"a datum"') };
    const payloads = (await codec?.encode([plain]))?.map(({ metadata, data }) => ({
      metadata: Object.fromEntries(
        Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]),
      ),
      data: base64(data ?? new Uint8Array()),
    }));
    const decode = (endpoint: string, from: string) =>
      fetch(`${endpoint}/decode`, {
        method: 'POST',
        headers: { origin: from, 'content-type': 'application/json' },
        body: JSON.stringify({ payloads }),
      });
    const opened = await decode(Codec?.Endpoint ?? '', origin);
    expect(await opened.json()).toMatchObject({ payloads: [{ data: base64(plain.data) }] });
    expect((await decode(Codec?.Endpoint ?? '', 'http://127.0.0.1:1')).status).toBe(403);
    expect((await decode(`http://127.0.0.1:${stack.ports.codec}`, origin)).status).toBe(401);
  } finally {
    await stack.stop();
  }
}, 60_000);

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

async function askJson<T extends object>(url: string): Promise<Partial<T>> {
  return fetch(url).then(
    async (response) => (await response.json()) as T,
    () => ({}),
  );
}

test('secrets of an earlier version stay, and what it did not have is added', () => {
  const dataDir = temporaryFolder();
  const file = join(dataDir, 'secrets.json');
  const earlier = { HOLDFAST_ADMIN_KEY: 'an admin key', HOLDFAST_ENCRYPTION_KEYS: 'a key at rest' };
  writeFileSync(file, JSON.stringify(earlier), { mode: 0o600 });
  const secrets = devSecrets(dataDir);
  expect(secrets).toMatchObject(earlier);
  expect(secrets.HOLDFAST_PAYLOAD_KEYS).toMatch(/^dev:.{44}$/);
  expect(devSecrets(dataDir)).toEqual(secrets);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
