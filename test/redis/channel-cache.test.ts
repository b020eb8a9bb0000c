/** The configuration in Redis: an older one never takes the place of a newer one, and only a newer one is news. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BUILT_IN_CONFIG } from '../../src/domain/routing/default-config';
import type { RoutingConfig } from '../../src/domain/routing/types';
import { CACHE_SECONDS, createChannelCache } from '../../src/redis/channel-cache';
import type { ChannelCache } from '../../src/redis/channel-cache';
import { createSubscriber } from '../../src/redis/subscriber';
import type { Subscriber } from '../../src/redis/subscriber';
import { connectRedis } from './rig';
import type { RedisRig } from './rig';

let rig: RedisRig;
let cache: ChannelCache;
let subscriber: Subscriber;
const heard: number[] = [];

beforeEach(async () => {
  rig = await connectRedis();
  cache = createChannelCache(rig.redis, rig.prefix);
  subscriber = createSubscriber(rig.redis);
  heard.length = 0;
  cache.listen(subscriber, (version) => heard.push(version));
  await new Promise<void>((resolve) => subscriber.start(resolve));
});
afterEach(async () => {
  subscriber.stop();
  await rig.close();
});

/** The rule is named as the version: whoever reads one with the other's has read half a change. */
const configOf = (version: number): RoutingConfig => ({
  ...BUILT_IN_CONFIG,
  version,
  rules: [{ id: `rule-${version}`, order: 1, enabled: true, channel: 'stripe', weight: 1 }],
  accounts: [],
});

test('nothing is there at first; what is kept is read as it was, for five minutes', async () => {
  expect(await cache.readCached()).toBeUndefined();
  expect(await cache.readVersion()).toBeUndefined();
  expect(await cache.publishChange(configOf(7))).toBe(true);
  expect(await cache.readCached()).toEqual(configOf(7));
  expect(await cache.readVersion()).toBe(7);
  for (const key of ['channels', 'version']) {
    const seconds = await rig.redis.ttl(`${rig.prefix}payment:router:${key}`);
    expect(seconds).toBeGreaterThan(CACHE_SECONDS - 10);
    expect(seconds).toBeLessThanOrEqual(CACHE_SECONDS);
  }
});

test('an older version is refused and is no news; the same one is kept again and is none either', async () => {
  await cache.publishChange(configOf(7));
  expect(await cache.publishChange(configOf(6))).toBe(false);
  expect(await cache.publishChange(configOf(7))).toBe(true);
  expect((await cache.readCached())?.version).toBe(7);
  await cache.publishChange(configOf(8));
  await sleep(100);
  expect(heard).toEqual([7, 8]);
});

test('of 200 versions published at once, in any order, the newest remains, whole', async () => {
  const versions = Array.from({ length: 200 }, (_, at) => ((at * 73) % 200) + 1);
  const kept = await Promise.all(versions.map((version) => cache.publishChange(configOf(version))));
  expect(kept.filter((was) => !was).length).toBeGreaterThan(0);
  expect(await cache.readCached()).toEqual(configOf(200));
  expect(await cache.readVersion()).toBe(200);
  await sleep(100);
  expect(heard).toEqual([...heard].sort((a, b) => a - b));
  expect(heard.at(-1)).toBe(200);
});

test('a version that the database has lost makes way, and what came after it; what came after the loss does not', async () => {
  for (const [known, isKept] of [
    [9, true],
    [10, true],
    [7, false],
  ] as const) {
    await rig.redis.del(`${rig.prefix}payment:router:version`);
    await cache.publishChange(configOf(known));
    expect(await cache.publishChange(configOf(5), 9)).toBe(isKept);
    expect((await cache.readCached())?.version).toBe(isKept ? 5 : known);
  }
  await sleep(100);
  expect(heard).toEqual([9, 5, 10, 5, 7]);
});

test.each(['', 'null', '[]', '{}', '{"version":3}', '{"version":"x","channels":[]}', 'half a {'])(
  'what cannot be read as a configuration is as good as nothing: %s',
  async (text) => {
    await rig.redis.set(`${rig.prefix}payment:router:channels`, text);
    expect(await cache.readCached()).toBeUndefined();
  },
);
