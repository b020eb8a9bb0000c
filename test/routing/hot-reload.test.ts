/** A change is in effect everywhere within a second; without Redis, without the database, and without either it goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabaseIfMissing, migrateDatabase } from '../../dev/stack/database';
import { temporaryDataDir } from '../../dev/stack/paths';
import { startStack } from '../../dev/stack/stack';
import type { Stack } from '../../dev/stack/stack';
import { loadConfig } from '../../src/config/config';
import type { Config } from '../../src/config/config';
import { eventually } from '../e2e/eventually';
import { addAccount, payPalFee, requestOf, setPayPalPrice, startRouter } from './rig';
import type { TestRouter } from './rig';

/** PayPal's list price of 100.00 USD. */
const LIST_PRICE = 398;
const WITHIN_MS = 1_000;
const FAR_MS = 10_000;

let stack: Stack;
let config: Config;
const routers: TestRouter[] = [];

async function start(): Promise<TestRouter> {
  const router = await startRouter(config);
  routers.push(router);
  return router;
}

const sourceOf = ({ router }: TestRouter) => router.status().source;
const becomes = (one: TestRouter, source: string) =>
  eventually(
    `source ${source}`,
    () => sourceOf(one),
    (now) => now === source,
    FAR_MS,
  );
const knows = (one: TestRouter, fee: number, withinMs = WITHIN_MS) =>
  eventually(
    `fee ${fee}`,
    () => payPalFee(one),
    (now) => now === fee,
    withinMs,
  );

beforeAll(async () => {
  const dataDir = temporaryDataDir('router');
  const only = ['postgres', 'redis'] as const;
  stack = await startStack({ dataDir, ports: 'free', temporary: true, only, report: () => undefined });
  config = { ...loadConfig({ ...process.env, ...stack.environment }), REDIS_KEY_PREFIX: '' };
  await createDatabaseIfMissing(config, config.DB_NAME);
  await migrateDatabase({ ...process.env, ...stack.environment });
});
afterEach(async () => {
  await Promise.all(routers.splice(0).map((one) => one.stop()));
  await Promise.all(
    [stack.redis, stack.postgres].filter((one) => one.pid() === undefined).map((one) => one.restart()),
  );
});
afterAll(() => stack.stop());

test('a change that one process makes is in effect in the other within a second', async () => {
  const [a, b] = [await start(), await start()];
  expect([payPalFee(a), payPalFee(b)]).toEqual([LIST_PRICE, LIST_PRICE]);
  const id = await setPayPalPrice(a.db, 100);
  await a.router.changed();
  expect(payPalFee(a)).toBe(100);
  await knows(b, 100);
  expect(sourceOf(b)).toBe('redis');
  await setPayPalPrice(b.db, 200, id);
  await b.router.changed();
  await knows(a, 200);
});

test('a change whose news is lost is found by its version; an account is a change too', async () => {
  const [a, b] = [await start(), await start()];
  const before = a.router.status().version;
  await addAccount(a.db, 'stripe');
  const isKnown = (one: TestRouter) =>
    one.router.accountFor({ ...requestOf(), channel: 'stripe' }) !== undefined;
  for (const one of [a, b])
    await eventually(
      'the account',
      () => isKnown(one),
      (known) => known,
      5_000,
    );
  expect(a.router.status().version).toBeGreaterThan(before);
  expect(a.router.decide(requestOf()).channel).toBe('stripe');
});

test('without Redis the database tells, of changes too; with Redis again both do', async () => {
  const [a, b] = [await start(), await start()];
  await stack.redis.kill();
  await becomes(a, 'database');
  await becomes(b, 'database');
  const [{ id } = { id: '' }] = (await a.db.query<{ id: string }>('SELECT id FROM channel_fees')).rows;
  await setPayPalPrice(a.db, 300, id);
  await a.router.changed();
  expect(payPalFee(a)).toBe(300);
  // Nobody can tell the other one: it looks every second.
  await knows(b, 300, 3 * WITHIN_MS);
  expect(b.router.decide(requestOf()).config.source).toBe('database');
  await stack.redis.restart();
  await becomes(a, 'redis');
  await becomes(b, 'redis');
});

test('without either the copy in memory decides, without waiting; a new process has what is built in', async () => {
  const a = await start();
  const { version } = a.router.status();
  await Promise.all([stack.redis.kill(), stack.postgres.kill()]);
  await becomes(a, 'memory');
  const startedAt = performance.now();
  for (let n = 0; n < 1_000; n += 1) {
    const { config: by } = a.router.decide(requestOf({ number: `PY${n}` }));
    expect(by).toEqual({ source: 'memory', version });
  }
  expect(performance.now() - startedAt).toBeLessThan(1_000);
  const fresh = await start();
  expect(fresh.router.status()).toEqual({ source: 'built_in', version: 0, outOfService: [] });
  expect(fresh.router.decide(requestOf())).toMatchObject({
    channel: 'stripe',
    config: { source: 'built_in' },
  });
  expect(fresh.router.knowsAccounts()).toBe(false);
  await Promise.all([stack.redis.restart(), stack.postgres.restart()]);
  for (const one of [a, fresh]) await becomes(one, 'redis');
  expect(fresh.router.status().version).toBe(version);
});

test('an empty Redis is filled from the database; what is broken there is not used', async () => {
  const a = await start();
  const { version } = a.router.status();
  await sleep(100);
  const b = await start();
  expect([sourceOf(b), b.router.status().version]).toEqual(['redis', version]);
});
