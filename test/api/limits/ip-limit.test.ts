/** Requests without a key by address: in one process, over several by a real Redis, and while there is none. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createIpLimit } from '../../../src/api/limits/ip-limit';
import type { IpLimit } from '../../../src/api/limits/ip-limit';
import { createAddressCounter } from '../../../src/redis/address-counter';
import type { AddressCounter } from '../../../src/redis/address-counter';
import { connectRedis } from '../../redis/rig';
import type { RedisRig } from '../../redis/rig';

const LIMIT = 200;
const clock = { nowMs: 0 };
const from = (remoteAddress: string) => ({ socket: { remoteAddress }, headers: {} });
const ADDRESS = from('203.0.113.7');
const addressOf = ({ socket }: { socket: { remoteAddress?: string | undefined } }) => socket.remoteAddress;

let rig: RedisRig;
let counter: AddressCounter;
beforeAll(async () => {
  rig = await connectRedis();
});
beforeEach(async () => {
  clock.nowMs = 1_000_000;
  counter = createAddressCounter(rig.redis, `${rig.prefix}${expect.getState().currentTestName ?? ''}:`);
  await rig.redis.ping();
});
afterAll(() => rig.close());

const aProcess = (processes = 1, perMinute = LIMIT): IpLimit =>
  createIpLimit({ counter, addressOf, perMinute, processes: () => processes, nowMs: () => clock.nowMs });

function send(limit: IpLimit, count: number, address = ADDRESS): number {
  let counted = 0;
  for (let n = 0; n < count; n += 1) {
    if (limit.blockedMs(address) > 0) continue;
    limit.note(address);
    counted += 1;
  }
  return counted;
}

it('takes as many as the limit of one address, and others none the less', () => {
  const limit = aProcess();
  expect(send(limit, 500)).toBe(LIMIT);
  expect(limit.blockedMs(ADDRESS)).toBeGreaterThan(50_000);
  expect(limit.blockedMs(from('203.0.113.8'))).toBe(0);
  expect(send(limit, 10, from('203.0.113.8'))).toBe(10);
});

it('never takes more than the limit in any trailing minute, whatever the pace', () => {
  const limit = aProcess();
  const taken: number[] = [];
  for (let second = 0; second < 300; second += 1) {
    clock.nowMs += 1_000;
    for (let n = send(limit, 1 + (second % 17)); n > 0; n -= 1) taken.push(clock.nowMs);
  }
  expect(taken.length).toBeGreaterThan(3 * LIMIT);
  for (const at of taken) {
    expect(taken.filter((one) => one > at - 60_000 && one <= at).length).toBeLessThanOrEqual(LIMIT);
  }
});

it('counts over all processes, but for what each has not told yet', async () => {
  const processes = [aProcess(4), aProcess(4), aProcess(4), aProcess(4)];
  let counted = 0;
  for (let round = 0; round < 200; round += 1) {
    for (const one of processes) counted += send(one, 1);
    await rig.redis.ping();
  }
  await sleep(50);
  expect(counted).toBeGreaterThanOrEqual(LIMIT);
  // Two of each are not told yet, and some are sent until the answer has come.
  expect(counted).toBeLessThanOrEqual(LIMIT + 4 * 2 + 20);
  for (const one of processes) expect(one.blockedMs(ADDRESS)).toBeGreaterThan(0);
});

it('gives each process its share while Redis is away', async () => {
  await rig.cut();
  const limit = aProcess(4);
  let counted = 0;
  for (let n = 0; n < 200; n += 1) {
    counted += send(limit, 1);
    await Promise.resolve();
  }
  await sleep(10);
  await rig.redis.connect();
  expect(counted).toBeGreaterThanOrEqual(LIMIT / 4);
  expect(counted).toBeLessThanOrEqual(LIMIT / 4 + 10);
});

it('remembers only so many addresses', () => {
  const limit = aProcess();
  send(limit, LIMIT, from('first'));
  expect(limit.blockedMs(from('first'))).toBeGreaterThan(0);
  for (let n = 0; n < 20_000; n += 1) limit.note(from(`a${n}`));
  expect(limit.blockedMs(from('first'))).toBe(0);
});
