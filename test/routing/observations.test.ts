/** What a process sees while Redis is away: it goes by it, loses nothing, writes it once, and stays within bounds. */
import type { ScoreView } from '../../src/domain/routing/types';
import { createSuccessRates, MAX_CELLS } from '../../src/redis/success-rates';
import type { SuccessRates } from '../../src/redis/success-rates';
import { createObservations } from '../../src/routing/observations';
import type { Observation, Observations } from '../../src/routing/observations';
import { eventually } from '../e2e/eventually';
import { connectRedis } from '../redis/rig';
import type { RedisRig } from '../redis/rig';

let rig: RedisRig;
let rates: SuccessRates;
let observations: Observations;
let aheadMs: number;
let forgotten: number;

const now = () => Date.now() + aheadMs;
const FAULT: Observation = { channel: 'stripe', currency: 'USD', outcome: 'fault', latencyMs: 10 };

beforeEach(async () => {
  rig = await connectRedis();
  rates = createSuccessRates(rig.redis, rig.prefix);
  [aheadMs, forgotten] = [0, 0];
  const onForgotten = () => void (forgotten += 1);
  observations = createObservations({ rates, now, onSeen: () => undefined, onForgotten });
  observations.start();
});
afterEach(async () => {
  if (rig.redis.status !== 'ready') await rig.redis.connect();
  await observations.stop();
  await rig.close();
});

const faultsOf = (scores: ScoreView) => scores.cellOf('stripe')?.faults;

test('what was seen is in the window at once, and in everybody’s soon', async () => {
  for (let n = 0; n < 5; n += 1) observations.note(FAULT);
  expect(observations.windowOf('stripe').faultsInRow).toBe(5);
  const shared = await eventually(
    'written',
    () => rates.readHealth(),
    (windows) => windows.size > 0,
  );
  expect(shared.get('stripe')?.faultsInRow).toBe(5);
  expect(observations.windowOf('stripe').faultsInRow).toBe(5);
});

test('what changes nobody’s mind waits for the next exchange; on top of trouble it is news', async () => {
  const written = jest.spyOn(rates, 'write');
  const answer: Observation = { ...FAULT, outcome: 'success' };
  observations.note(answer);
  const healthy = async () => (await rates.readHealth()).get('stripe')?.answersInRow;
  await eventually('written', healthy, (row) => row === 1);
  observations.note(FAULT);
  await eventually('the fault', healthy, (row) => row === 0);
  observations.note(answer);
  await eventually('the answer after it', healthy, (row) => row === 1);
  expect(written.mock.calls.map(([{ isNews }]) => isNews)).toEqual([false, true, true]);
});

test('without Redis it goes by what it sees; with Redis again that is written, once', async () => {
  observations.note(FAULT);
  await eventually(
    'written',
    () => rates.readHealth(),
    (windows) => windows.size > 0,
  );
  await rig.cut();
  for (let n = 0; n < 50; n += 1) observations.note(FAULT);
  expect(observations.windowOf('stripe').faultsInRow).toBe(51);
  await eventually(
    'scores without Redis',
    () => faultsOf(observations.scores()),
    (known) => (known ?? 0) >= 50,
  );
  for (let n = 0; n < 50; n += 1) observations.note(FAULT);
  await rig.redis.connect();
  const row = async () => (await rates.readHealth()).get('stripe')?.faultsInRow;
  await eventually('all are written', row, (faults) => faults === 101);
  expect((await rates.readRates(now())).map(({ faults }) => faults)).toEqual([101]);
  expect(observations.windowOf('stripe').faultsInRow).toBe(101);
});

test('what the others saw is forgotten when nobody could read it for a minute', async () => {
  observations.note(FAULT);
  await eventually(
    'written',
    () => rates.readHealth(),
    (windows) => windows.size > 0,
  );
  await eventually(
    'shared',
    () => observations.windowOf('stripe').faultsInRow,
    (row) => row === 1,
  );
  await rig.cut();
  aheadMs = 61_000;
  await eventually(
    'forgotten',
    () => forgotten,
    (times) => times > 0,
  );
  expect(observations.windowOf('stripe').faultsInRow).toBe(0);
});

test('what waits to be written has a bound; beyond it countries are counted without their names', async () => {
  await rig.cut();
  for (let n = 0; n < 3 * MAX_CELLS; n += 1) observations.note({ ...FAULT, country: `X${n}` });
  await rig.redis.connect();
  const all = async () => (await rates.readRates(now())).reduce((sum, { faults }) => sum + faults, 0);
  await eventually('all are written', all, (faults) => faults === 3 * MAX_CELLS);
  expect((await rates.readRates(now())).length).toBeLessThanOrEqual(MAX_CELLS + 1);
});
