/** After every kind of flow at every channel, no secret and no personal datum stands where it must not. */
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { Client } from '@temporalio/client';
import { Redis } from 'ioredis';
import { SEALED_COLUMNS } from '../../src/stores/sealed-columns';
import { payloadConverter } from '../../dev/stack/payloads';
import { eventually } from './harness';
import { hunt, readDatabase, readLogs, readMetrics, readRedis, readTemporal } from './secret-hunt';
import { SecretShop } from './secret-shop';

let shop: SecretShop;
let redis: Redis;

beforeAll(async () => {
  shop = await SecretShop.open();
  const { REDIS_HOST = '', REDIS_PORT } = shop.system.environment;
  redis = new Redis(Number(REDIS_PORT), REDIS_HOST);
  await shop.liveThrough();
}, 120_000);
afterAll(async () => {
  redis?.disconnect();
  await shop?.close();
});

describe('the hunter', () => {
  const planted = `planted-${randomUUID()}/+ü@`;
  const secrets = new Map([['it', planted]]);

  it.each([
    ['as it is', planted],
    ['in JSON', JSON.stringify({ a: planted })],
    ['in an address', `/?a=${encodeURIComponent(planted)}`],
    ['as bytes of the database', `\\x61${Buffer.from(planted).toString('hex')}62`],
    ...[0, 1, 2].map((n) => [`in base64 (${n})`, Buffer.from(`${'x'.repeat(n)}${planted}y`).toString('base64')]),
    ['in base64 of addresses', Buffer.from(`a${planted}b`).toString('base64url')],
  ])('finds what stands there %s', (_, text = '') =>
    expect(hunt([{ name: 'here', text: `before ${text} after` }], secrets)).toEqual(['it in here']),
  ); // prettier-ignore

  it('finds it in every kind of place, and in Temporal only with the keys', async () => {
    const { system } = shop;
    const { taskQueue } = system;
    // Nobody has this type: it stays where it is, and its start says everything.
    const start = { taskQueue, args: [planted], memo: { planted }, workflowExecutionTimeout: '60s' } as const;
    const workflow = await system.temporal.workflow.start('planted', {
      ...start,
      workflowId: `planted/${randomUUID()}`,
    });
    await system.db.query('UPDATE merchants SET name = $1 WHERE id = $2', [
      planted,
      system.merchant.merchantId,
    ]);
    await redis.hset(`${taskQueue}:planted`, 'field', planted);
    const logFile = system.workers[0]?.logFile ?? '';
    appendFileSync(logFile, `${JSON.stringify({ planted })}\n`);
    try {
      const [raw, decoded] = await eventually(
        'the planted workflow is listed',
        () => readTemporal(system),
        ([{ text }]) => text.includes(workflow.workflowId),
      );
      const places = [decoded, ...(await readDatabase(system)), await readRedis(redis), ...readLogs(system)];
      expect(hunt(places, secrets)).toEqual([
        'it in Temporal decoded',
        'it in table merchants',
        'it in Redis',
        expect.stringMatching(/^it in log payments-.*worker/) as string,
      ]);
      const encrypts = payloadConverter(system.environment).failureConverterPath !== undefined;
      expect(hunt([raw], secrets)).toEqual(encrypts ? [] : ['it in Temporal as it is']);
      await workflow.terminate();
      const { connection, options } = system.temporal;
      const keyless = new Client({ connection, namespace: options.namespace });
      const open = await keyless.workflow.start('planted', {
        ...start,
        workflowId: `planted/${randomUUID()}`,
      });
      const [shown] = await eventually(
        'what is planted without keys is listed',
        () => readTemporal(system),
        ([{ text }]) => text.includes(open.workflowId),
      );
      expect(hunt([shown], secrets)).toEqual(['it in Temporal as it is']);
      await open.terminate();
    } finally {
      await redis.del(`${taskQueue}:planted`);
    }
  });
});

it('Temporal has none of them, encrypted or decoded', async () => {
  const { system, numbers, secrets } = shop;
  const [raw, decoded] = await eventually(
    'all workflows are listed',
    () => readTemporal(system),
    ([{ text }]) => numbers.every((no) => text.includes(no)),
  );
  expect(hunt([raw, decoded], secrets)).toEqual([]);
  // What is allowed to be there is found by who has the keys.
  const argument = '"preAuthNo":';
  expect(decoded.text).toContain(argument);
  expect(decoded.text).toContain('webhookDelivery');
  const encrypts = payloadConverter(system.environment).failureConverterPath !== undefined;
  expect([raw.text.includes('binary/encrypted'), raw.text.includes(argument)]).toEqual([encrypts, !encrypts]);
});

it('PostgreSQL has none of them, but for what belongs to the object itself', async () => {
  const places = await readDatabase(shop.system);
  expect(hunt(places, shop.secrets)).toEqual([]);
  const empty = places.filter(({ text }) => text === '').map(({ name }) => name.replace('table ', ''));
  for (const table of ['pre_auths', 'payments', 'channel_events', 'admin_audit', 'webhook_attempts'])
    expect(empty).not.toContain(table);
});

it('what is sealed is nothing but sealed', async () => {
  const found = await Promise.all(
    SEALED_COLUMNS.map(async ({ table, column }) => {
      const rows = await shop.system.rows<{ text: string }>(
        `SELECT ${column} AS text FROM ${table} WHERE ${column} IS NOT NULL`,
      );
      expect(rows.filter(({ text }) => !/^v1\.test\.[A-Za-z0-9_-]{38,}$/.test(text))).toEqual([]);
      return rows.length > 0 ? [`${table}.${column}`] : [];
    }),
  );
  // Enough of them are in use for this to mean something.
  expect(found.flat().length).toBeGreaterThan(SEALED_COLUMNS.length / 2);
});

it('Redis has none of them', async () => {
  const place = await readRedis(redis);
  expect(place.text).toContain('webhook:failed:');
  expect(hunt([place], shop.secrets)).toEqual([]);
});

it('no log has any of them', () => {
  const places = readLogs(shop.system);
  const names = places.map(({ name }) => name).join();
  for (const kind of ['api', 'worker', 'webhooks', 'postgres', 'redis', 'temporal'])
    expect(names).toContain(kind);
  expect(places.map(({ text }) => text).join()).toContain('outcome unknown');
  expect(hunt(places, shop.secrets)).toEqual([]);
});

it('no metric has any of them', async () => {
  const places = await readMetrics(shop.metrics);
  const [api, ...workers] = places;
  expect(api?.text).toContain('holdfast_http_requests_total');
  for (const { text } of workers) expect(text).toContain('temporal_');
  expect(hunt(places, shop.secrets)).toEqual([]);
});
