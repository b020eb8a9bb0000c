/** What Redis keeps of merchants' limits, on a real Redis. */
import { randomUUID } from 'node:crypto';
import { createMerchantTierCache } from '../../src/redis/merchant-tier';
import type { MerchantTierCache } from '../../src/redis/merchant-tier';
import { createSubscriber } from '../../src/redis/subscriber';
import { eventually } from '../e2e/eventually';
import { connectRedis } from './rig';
import type { RedisRig } from './rig';

let rig: RedisRig;
let cache: MerchantTierCache;
const tierKey = (id: string) => `${rig.prefix}merchant:tier:${id}`;
const limitsKey = (id: string) => `${rig.prefix}merchant:limits:${id}`;

beforeAll(async () => {
  rig = await connectRedis();
  cache = createMerchantTierCache(rig.redis, rig.prefix);
});
afterAll(() => rig.close());

const OWN = { tier: 'business', overrides: { perSecond: 70 } } as const;

test('the tier is plain text, the overrides are JSON, both for five minutes', async () => {
  const id = randomUUID();
  expect(await cache.read(id)).toBeUndefined();
  await cache.fill(id, OWN);
  expect(await rig.redis.get(tierKey(id))).toBe('business');
  expect(await rig.redis.get(limitsKey(id))).toBe('{"perSecond":70}');
  for (const key of [tierKey(id), limitsKey(id)]) expect(await rig.redis.ttl(key)).toBeGreaterThan(290);
  expect(await cache.read(id)).toEqual(OWN);
});

test('who read the database earlier does not overwrite who changed it; who changed it does', async () => {
  const id = randomUUID();
  await cache.replace(id, { tier: 'premium', overrides: {} });
  await cache.fill(id, OWN);
  expect(await cache.read(id)).toEqual({ tier: 'premium', overrides: {} });
  await cache.replace(id, OWN);
  expect(await cache.read(id)).toEqual(OWN);
});

test('what is forgotten is asked for again, and nothing can be forgotten', async () => {
  const [one, two] = [randomUUID(), randomUUID()];
  await cache.fill(one, OWN);
  await cache.fill(two, OWN);
  await cache.forget([one]);
  await cache.forget([]);
  expect([await cache.read(one), await cache.read(two)]).toEqual([undefined, OWN]);
});

test.each([
  ['no tier of ours', 'gold', '{}'],
  ['no JSON', 'starter', '{'],
  ['no object', 'starter', '[]'],
  ['null', 'starter', 'null'],
  ['text for a number', 'starter', '{"burst":"20"}'],
  ['a fraction', 'starter', '{"burst":1.5}'],
  ['zero', 'starter', '{"perHour":0}'],
  ['a number beyond all limits', 'starter', '{"perHour":10000001}'],
])('what a stranger has left is nothing: %s', async (_name, tier, limits) => {
  const id = randomUUID();
  await rig.redis.set(tierKey(id), tier);
  await rig.redis.set(limitsKey(id), limits);
  expect(await cache.read(id)).toBeUndefined();
});

test('half of it is nothing', async () => {
  const id = randomUUID();
  await rig.redis.set(tierKey(id), 'starter');
  expect(await cache.read(id)).toBeUndefined();
});

test('changes are heard by everybody', async () => {
  const heard: string[] = [];
  const subscriber = createSubscriber(rig.redis);
  cache.listen(subscriber, (id) => heard.push(id));
  const ready = new Promise<void>((resolve) => subscriber.start(resolve));
  await ready;
  await cache.announce('a merchant');
  await cache.announce('*');
  await eventually(
    'both are heard',
    () => heard,
    ({ length }) => length === 2,
  );
  expect(heard).toEqual(['a merchant', '*']);
  subscriber.stop();
});

test('everything rejects while Redis is away', async () => {
  const id = randomUUID();
  await rig.cut();
  const all = [
    ...[cache.read(id), cache.fill(id, OWN), cache.replace(id, OWN)],
    ...[cache.forget([id]), cache.announce(id)],
  ];
  for (const one of await Promise.allSettled(all)) expect(one.status).toBe('rejected');
  await rig.redis.connect();
});
