/**
 * Payments over four channels that misbehave in every way they can, by a worker that is killed again and again. In the end
 * the four channels' books and our rows agree to the cent, no order is paid twice, and nothing is left half done.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../../dev/stack/processes';
import { seededRandom } from '../../dev/seeded-random';
import { Actors } from './payment-actors';
import { checkPaymentBooks } from './payment-books';
import type { PaymentEvidence } from './payment-books';
import { CHANNELS, PaymentTown } from './payment-town';
import { drawStories } from './payment-story';
import type { Story } from './payment-story';
import { SEED, SOAK } from './victims';

const PAYMENTS = SOAK ? 500 : 24;
const KILLS = SOAK ? Infinity : 3;
/** The stories begin within this time. */
const SPREAD_MS = SOAK ? 240_000 : 8_000;
const ALIVE_MIN_MS = SOAK ? 6_000 : 3_000;
const ALIVE_MAX_MS = SOAK ? 20_000 : 8_000;
const DOWN_MAX_MS = 1_500;
const WEATHER_MS = 700;
const WEATHER_DELAY_MS = 400;
const SETTLED_WITHIN_MS = SOAK ? 300_000 : 120_000;
/** What was settled stays so when the last events have come. */
const AFTERMATH_MS = 2_000;
const TEST_TIMEOUT_MS = SPREAD_MS + SETTLED_WITHIN_MS + 240_000;

let town: PaymentTown;

beforeAll(async () => {
  town = await PaymentTown.open({ API_WAIT_TIMEOUT: '3', DB_POOL_SIZE: '10' });
}, 120_000);
afterAll(() => town?.close(), 30_000);

it(
  `${PAYMENTS} payments end as they must (HOLDFAST_SEED=${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    const stories = drawStories(PAYMENTS, SPREAD_MS, random);
    const actors = new Actors(town);
    const over = new AbortController();
    const troubles = Promise.all([killWorker(seededRandom(SEED + 1), over.signal), weather(seededRandom(SEED + 2), over.signal)]); // prettier-ignore
    const played = await Promise.allSettled(stories.map((story) => actors.play(story)));
    over.abort();
    const [kills] = await troubles;
    const hits = await countHits();
    await town.calm();
    const evidence = await town.settledEvidence(actors.accepted, SETTLED_WITHIN_MS, AFTERMATH_MS);
    report(stories, evidence, { kills, hits });
    expect(played.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))).toEqual([]);
    expect(actors.complaints).toEqual([]);
    expect(checkPaymentBooks(evidence)).toEqual([]);
    // Nothing of this would mean anything if all went well.
    expect(kills).toBeGreaterThan(0);
    expect(hits).toBeGreaterThan(PAYMENTS / 2);
    // A few cancels may all come too late.
    for (const status of SOAK ? ['success', 'expired', 'cancelled'] : ['success', 'expired'])
      expect(evidence.payments.filter((row) => row.status === status).length).toBeGreaterThan(0);
    expect(evidence.refunds.length).toBeGreaterThan(0);
    expect(evidence.late.length).toBeGreaterThan(0);
  },
  TEST_TIMEOUT_MS,
);

/** @returns how often it was killed */
async function killWorker(random: () => number, over: AbortSignal): Promise<number> {
  const [worker] = town.system.workers;
  if (worker === undefined) throw new Error('there is no worker');
  for (let kills = 0; ; kills += 1) {
    await pause(ALIVE_MIN_MS + random() * (ALIVE_MAX_MS - ALIVE_MIN_MS), over);
    if (over.aborted || kills >= KILLS) return kills;
    await worker.kill();
    await sleep(random() * DOWN_MAX_MS);
    await bringUp(worker);
  }
}

/** Tried again: on a busy machine a process may be slower to come up than its bound. */
async function bringUp(worker: Server, tries = 3): Promise<void> {
  try {
    await worker.restart();
  } catch (error) {
    if (tries <= 1) throw error;
    await bringUp(worker, tries - 1);
  }
}

/** Events come twice, late, in another order, at one channel and then at another. */
async function weather(random: () => number, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const channel = CHANNELS[Math.floor(random() * CHANNELS.length)] ?? 'stripe';
    const [duplicate, reorder, isLate] = [random() < 0.5, random() < 0.5, random() < 0.3];
    await town.control(channel, 'events-mode', {
      ...{ duplicate, reorder, delayMs: isLate ? WEATHER_DELAY_MS : 0 },
    });
    await pause(WEATHER_MS, over);
  }
}

const pause = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal }).catch(() => undefined);

/** How many faults found a request to spoil. */
async function countHits(): Promise<number> {
  const rules = await Promise.all(
    CHANNELS.map(
      (channel) =>
        town.control(channel, 'faults', undefined, 'GET') as Promise<{ faults: { hits: number }[] }>,
    ),
  );
  return rules.flatMap(({ faults }) => faults).filter(({ hits }) => hits > 0).length;
}

function report(
  stories: readonly Story[],
  { payments, refunds, late }: PaymentEvidence,
  troubles: { readonly kills: number; readonly hits: number },
): void {
  const drawn = stories.reduce((sum, { faults }) => sum + Object.keys(faults).length, 0);
  const line = {
    ...{ seed: SEED, payments: payments.length, ...countBy(payments.map(({ status }) => status)) },
    ...{ refunds: refunds.length, latePayments: late.length },
    ...{ faultsDrawn: drawn, faultsThatStruck: troubles.hits, workerKills: troubles.kills },
  };
  process.stderr.write(`  payments under faults: ${JSON.stringify(line)}\n`);
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
