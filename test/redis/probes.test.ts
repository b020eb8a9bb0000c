/** Whoever tries a channel is heard by all, under this installation's name alone; without Redis nobody is, and nothing fails. */
import { createProbes } from '../../src/redis/probes';
import { createSubscriber } from '../../src/redis/subscriber';
import { eventually } from '../e2e/eventually';
import { connectRedis } from './rig';
import type { RedisRig } from './rig';

let rig: RedisRig;

beforeEach(async () => {
  rig = await connectRedis();
});
afterEach(async () => {
  if (rig.redis.status !== 'ready') await rig.redis.connect();
  await rig.close();
});

test('a probe is heard by everybody of the installation', async () => {
  const heard: string[] = [];
  const subscribers = [1, 2].map((n) => {
    const subscriber = createSubscriber(rig.redis);
    createProbes(rig.redis, rig.prefix).listen(subscriber, (channel) => heard.push(`${n} ${channel}`));
    return subscriber;
  });
  await Promise.all(subscribers.map((one) => new Promise<void>((resolve) => one.start(resolve))));
  createProbes(rig.redis, 'another:').tell('stripe');
  createProbes(rig.redis, rig.prefix).tell('paypal');
  await eventually(
    'both have heard',
    () => heard.length,
    (count) => count >= 2,
  );
  expect(heard.sort()).toEqual(['1 paypal', '2 paypal']);
  for (const one of subscribers) one.stop();
});

test('without Redis it is told to nobody, and nobody waits', async () => {
  await rig.cut();
  const rejected: unknown[] = [];
  const note = (reason: unknown) => void rejected.push(reason);
  process.on('unhandledRejection', note);
  createProbes(rig.redis, rig.prefix).tell('stripe');
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.off('unhandledRejection', note);
  expect(rejected).toEqual([]);
});
