/** What processes know of merchants' limits, several in one, each with connections of its own to real servers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { Redis } from 'ioredis';
import { createTierDirectory } from '../../../src/api/limits/tier-directory';
import type { TierDirectory } from '../../../src/api/limits/tier-directory';
import { DEFAULT_TIERS } from '../../../src/domain/limits/tiers';
import { createRedis } from '../../../src/redis/client';
import { createMerchantTierCache, EVERY_MERCHANT } from '../../../src/redis/merchant-tier';
import { createSubscriber } from '../../../src/redis/subscriber';
import { createMerchant } from '../../../src/stores/merchants';
import { createDatabase } from '../../../src/stores/postgres';
import type { Database, Queryable } from '../../../src/stores/postgres';
import { createSecretBox } from '../../../src/stores/secret-box';
import { changeMerchantLimits, replaceTier } from '../../../src/stores/tiers';
import { eventually } from '../../e2e/eventually';
import { createTestDatabase } from '../../setup/test-database';
import type { TestDatabase } from '../../setup/test-database';

const BY = { actor: 'admin', requestId: 'a test' };
const NONE = { per_second: null, per_minute: null, per_hour: null, burst: null, concurrency: null };
const { starter, business, premium } = DEFAULT_TIERS;

interface Process {
  readonly directory: TierDirectory;
  readonly redis: Redis;
  readonly db: Database;
  /** Makes every copy older. */
  age(ms: number): void;
  /** How often the database was asked for a merchant. */
  asked(): number;
  /** What the database has answered is held back until the promise is kept. */
  hold(until: Promise<void>): void;
}

let database: TestDatabase;
let merchantId: string;
let processes: (Process & { stop(): Promise<void> })[];

async function startProcess(): Promise<Process> {
  const log = pino({ level: 'silent' });
  const { config } = database;
  const db = createDatabase({ ...config, DB_POOL_SIZE: 2 }, () => undefined);
  const redis = createRedis(config, log);
  await redis.connect();
  let [offsetMs, asked] = [0, 0];
  let held: Promise<void> | undefined;
  const watched: Queryable = {
    async query(text: string, values?: unknown[]) {
      const isMerchant = text.includes('FROM merchants m');
      if (isMerchant) asked += 1;
      const answer = await db.query(text, values);
      if (isMerchant) await held;
      return answer as never;
    },
  };
  const directory = createTierDirectory({
    ...{ db: watched, log },
    cache: createMerchantTierCache(redis, config.REDIS_KEY_PREFIX),
    subscriber: createSubscriber(redis),
    now: () => performance.now() + offsetMs,
  });
  directory.start();
  const process = {
    ...{ directory, redis, db },
    age: (ms: number) => void (offsetMs += ms),
    asked: () => asked,
    hold: (until: Promise<void>) => void (held = until),
    async stop() {
      await directory.stop();
      redis.disconnect();
      await db.end().catch(() => undefined);
    },
  };
  processes.push(process);
  return process;
}

const redisKey = () => `${database.config.REDIS_KEY_PREFIX}merchant:tier:${merchantId}`;
const limitsOf = ({ directory }: Process) => directory.limitsOf(merchantId);
const setTier = ({ db }: Process, tier: 'business' | 'premium') =>
  changeMerchantLimits(db, BY, merchantId, { tier });
/** @returns how long it took, in milliseconds */
async function untilTier(process: Process, tier: string): Promise<number> {
  const startedAtMs = performance.now();
  await eventually(`the tier is ${tier}`, () => limitsOf(process), (answer) => answer.tier === tier); // prettier-ignore
  return performance.now() - startedAtMs;
}

beforeEach(async () => {
  database = await createTestDatabase();
  processes = [];
  const db = createDatabase(database.config, () => undefined);
  const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  merchantId = (await createMerchant(db, box, 'Limited')).live.id;
  await db.end();
});
afterEach(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await database.drop();
});

test('from memory, before it from Redis, before that from the database', async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  const asked = await Promise.all(Array.from({ length: 50 }, () => limitsOf(one)));
  expect(new Set(asked).size).toBe(1);
  expect(asked[0]).toEqual({ tier: 'starter', limits: starter });
  expect(one.asked()).toBe(1);
  await eventually('Redis has it', () => one.redis.get(redisKey()), (tier) => tier === 'starter'); // prettier-ignore
  expect(await limitsOf(other)).toEqual({ tier: 'starter', limits: starter });
  expect(other.asked()).toBe(0);
  // The database alone is changed, by nobody's word: five minutes later at the latest it is known.
  await one.db.query(`UPDATE merchants SET tier = 'premium'`);
  expect((await limitsOf(one)).tier).toBe('starter');
  await one.redis.del(redisKey());
  one.age(300_000);
  expect(await limitsOf(one)).toEqual({ tier: 'premium', limits: premium });
});

test('a change is in effect at every process at once', async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  await Promise.all([limitsOf(one), limitsOf(other)]);
  await setTier(one, 'business');
  await one.directory.changed(merchantId);
  expect(await limitsOf(one)).toEqual({ tier: 'business', limits: business });
  expect(await untilTier(other, 'business')).toBeLessThan(1_000);
  await changeMerchantLimits(other.db, BY, merchantId, { overrides: { ...NONE, burst: 150 } });
  await other.directory.changed(merchantId);
  const hasBurst = ({ limits }: { limits: { burst: number } }) => limits.burst === 150;
  await eventually('its own burst', () => limitsOf(one), hasBurst, 1_000);
  expect((await limitsOf(one)).limits).toEqual({ ...business, burst: 150 });
});

test('a change of a tier is in effect for all its merchants at once, whose own numbers stay', async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  await changeMerchantLimits(one.db, BY, merchantId, { overrides: { ...NONE, burst: 30 } });
  expect((await limitsOf(other)).limits).toEqual({ ...starter, burst: 30 });
  const numbers = { per_second: 11, per_minute: 501, per_hour: 10_001, burst: 21, concurrency: 11 };
  await replaceTier(one.db, BY, 'starter', numbers);
  await one.directory.changed(EVERY_MERCHANT);
  const changed = { perSecond: 11, perMinute: 501, perHour: 10_001, burst: 30, concurrency: 11 };
  expect((await limitsOf(one)).limits).toEqual(changed);
  const isNew = ({ limits }: { limits: { perSecond: number } }) => limits.perSecond === 11;
  await eventually('the new numbers', () => limitsOf(other), isNew, 1_000);
  expect((await limitsOf(other)).limits).toEqual(changed);
});

test('a change that nobody tells of is in effect within five seconds, and what Redis has of it is gone', async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  await limitsOf(other);
  await eventually('Redis has it', () => other.redis.get(redisKey()), (tier) => tier === 'starter'); // prettier-ignore
  // Its teller has lost Redis, or dies.
  one.redis.disconnect();
  await setTier(one, 'premium');
  await one.directory.changed(merchantId);
  expect(await untilTier(other, 'premium')).toBeLessThan(5_000);
  // A process that comes later reads the same.
  expect((await limitsOf(await startProcess())).tier).toBe('premium');
});

test('without Redis limits come from the database, and a change is in effect within five seconds', async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  for (const { redis } of [one, other]) redis.disconnect();
  expect((await limitsOf(other)).tier).toBe('starter');
  await setTier(one, 'business');
  await one.directory.changed(merchantId);
  expect((await limitsOf(one)).tier).toBe('business');
  expect(await untilTier(other, 'business')).toBeLessThan(5_000);
});

test('what Redis kept while it could not be reached is not believed when it is back', async () => {
  const one = await startProcess();
  await limitsOf(one);
  await eventually('Redis has it', () => one.redis.get(redisKey()), (tier) => tier === 'starter'); // prettier-ignore
  one.redis.disconnect();
  await setTier(one, 'business');
  await one.directory.changed(merchantId);
  await sleep(4_000);
  await one.redis.connect();
  expect(await one.redis.get(redisKey())).toBe('starter');
  const isGone = (tier: string | null) => tier !== 'starter';
  await eventually('Redis has it no more', () => one.redis.get(redisKey()), isGone, 5_000);
  expect((await limitsOf(one)).tier).toBe('business');
});

test('without both it is what was last known, else the starter tier', async () => {
  const one = await startProcess();
  await setTier(one, 'premium');
  expect((await limitsOf(one)).tier).toBe('premium');
  one.redis.disconnect();
  await one.db.end();
  one.age(3_600_000);
  expect(await limitsOf(one)).toEqual({ tier: 'premium', limits: premium });
  const stranger = '00000000-0000-4000-8000-000000000009';
  expect(await one.directory.limitsOf(stranger)).toEqual({ tier: 'starter', limits: starter });
});

test('what was read before a change and arrives after the news of it is not kept', async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  let release = (): void => undefined;
  other.hold(new Promise<void>((resolve) => (release = resolve)));
  const early = limitsOf(other);
  await eventually('the database was asked', () => other.asked(), (count) => count === 1); // prettier-ignore
  await sleep(100);
  await setTier(one, 'premium');
  await one.directory.changed(merchantId);
  await sleep(200);
  release();
  // Who asked before the change may get what was true then.
  expect((await early).tier).toBe('starter');
  expect((await limitsOf(other)).tier).toBe('premium');
  expect(await other.redis.get(redisKey())).toBe('premium');
});
