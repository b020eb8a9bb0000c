/** What a configuration that cannot be used, and a database that was put back to an earlier state, do to routers that run. */
import { eventually } from '../e2e/eventually';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';
import { addAccount, payPalFee, requestOf, setPayPalPrice, startRouter } from './rig';
import type { TestRouter } from './rig';

let database: TestDatabase;
const routers: TestRouter[] = [];

async function start(): Promise<TestRouter> {
  const router = await startRouter(database.config);
  routers.push(router);
  return router;
}

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(routers.splice(0).map((one) => one.stop()));
  await database.drop();
});

const RAISE = 'UPDATE routing_version SET version = version + $1 RETURNING version';
/** In one transaction, as every change: or the old version would be seen with the new content. */
const BREAK = `
  WITH broken AS (INSERT INTO routing_channels (channel, settings, version) VALUES ('alipay', '{"enabled": true}', 1))
  UPDATE routing_version SET version = version + 1 RETURNING version`;
const MEND = `DELETE FROM routing_channels WHERE channel = 'alipay'`;

async function raise({ db }: TestRouter, by: number): Promise<number> {
  const [row] = (await db.query<{ version: number }>(RAISE, [by])).rows;
  return row?.version ?? 0;
}

const statusOf = ({ router }: TestRouter) => router.status();
const FAR_MS = 10_000;
const comesTo = (one: TestRouter, version: number) =>
  eventually(
    `version ${version}`,
    () => statusOf(one),
    (now) => now.version === version && now.source === 'redis',
    FAR_MS,
  );

test('what cannot be used leaves the old one in use, is said once, is not passed on, and is tried again', async () => {
  const [a, b] = [await start(), await start()];
  await setPayPalPrice(a.db, 100);
  await a.router.changed();
  const { version } = statusOf(a);
  const broken = (await a.db.query<{ version: number }>(BREAK)).rows[0]?.version ?? 0;
  await expect(a.router.changed()).rejects.toThrow(`routing version ${broken} cannot be used`);
  for (const one of [a, b]) {
    const noticed = await eventually(
      'it is noticed',
      () => statusOf(one),
      ({ unusableVersion }) => unusableVersion !== undefined,
      FAR_MS,
    );
    expect(noticed).toEqual({ version, unusableVersion: broken, source: 'memory', outOfService: [] });
  }
  // Some more looks, at Redis and at the database.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  for (const one of [a, b]) {
    expect(statusOf(one)).toMatchObject({ version, unusableVersion: broken, source: 'memory' });
    expect(payPalFee(one)).toBe(100);
    expect(one.errors).toEqual(['a routing configuration cannot be used']);
  }
  const late = await start();
  expect(statusOf(late).version).toBe(version);
  await a.db.query(MEND);
  for (const one of [a, b, late]) {
    await comesTo(one, broken);
    expect(statusOf(one)).not.toHaveProperty('unusableVersion');
  }
});

test('a database that was put back to an earlier state is believed, by those that run and by Redis', async () => {
  const [a, b] = [await start(), await start()];
  await addAccount(a.db, 'stripe');
  await a.router.changed();
  const before = statusOf(a).version;
  const id = await setPayPalPrice(a.db, 100);
  await raise(a, 5);
  await a.router.changed();
  const later = statusOf(a).version;
  await comesTo(b, later);
  await a.db.query('DELETE FROM channel_fees WHERE id = $1', [id]);
  expect(await raise(a, before - later)).toBe(before);
  for (const one of [a, b]) {
    await comesTo(one, before);
    expect(payPalFee(one)).toBe(398);
    expect(one.router.decide(requestOf()).channel).toBe('stripe');
  }
  const late = await start();
  expect(statusOf(late)).toMatchObject({ version: before, source: 'redis' });
});

test('an older look at the database never takes the place of a newer one', async () => {
  const a = await start();
  const versions: number[] = [];
  for (let n = 0; n < 30; n += 1) {
    await raise(a, 1);
    await Promise.all([a.router.changed(), a.router.changed()]);
    versions.push(statusOf(a).version);
  }
  expect(versions).toEqual([...versions].sort((x, y) => x - y));
  expect(new Set(versions).size).toBe(30);
});
