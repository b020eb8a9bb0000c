/**
 * Bench `holds`: create and capture of a hold against a bare workflow of the same skeleton, on the same servers, turn
 * and turn about. See docs/performance.md for what the figures mean.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDemoMerchant, createStripeAccount, registerSandboxEvents } from '../dev/demo-client';
import { withClient } from '../dev/stack/database';
import { SANDBOX_SECRET_KEY, SANDBOX_WEBHOOK_SECRET } from '../dev/stack/settings';
import { startStack } from '../dev/stack/stack';
import type { Stack } from '../dev/stack/stack';
import { note } from '../dev/terminal';
import { loadConfig } from '../src/config/config';
import { startBareSide } from './bare/side';
import { createHoldfastSide } from './holdfast-side';
import { runLoad } from './load';
import { report } from './report';
import type { Series } from './report';
import type { Side } from './side';
import { median, seededCoin } from './stats';

export const about = 'create and capture of a hold against a bare workflow of the same skeleton';

const SEED = 42;
/** What is still going on when the last answer is there (events of the channel, workflows closing) is not the other side's. */
const PAUSE_BETWEEN_MS = 750;
const LEVELS = [1, 10] as const;
type Level = (typeof LEVELS)[number];

interface Plan {
  readonly rounds: number;
  /** Holds of one side in one round, at each concurrency. */
  readonly holds: Readonly<Record<Level, number>>;
  readonly warmUp: number;
}

const FULL: Plan = { rounds: 7, holds: { 1: 30, 10: 120 }, warmUp: 60 };
const QUICK: Plan = { rounds: 3, holds: { 1: 10, 10: 40 }, warmUp: 30 };

interface Sample {
  /** Holds created and captured in a second, without the time of the customers' part between the two. */
  readonly rate: number;
  readonly createMs: number;
  readonly captureMs: number;
}

type SideName = 'holdfast' | 'bare';
type Samples = Record<Level, Record<SideName, Sample[]>>;

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const stack = await startStack({
    dataDir: join(tmpdir(), `holdfast-bench-${process.pid}`),
    ports: 'free',
    headlessUi: true,
    temporary: true,
    report: (line) => note(line),
  });
  try {
    const bare = await startBareSide(stack.environment);
    try {
      const sides = { holdfast: await holdfastOf(stack), bare };
      const plan = quick ? QUICK : FULL;
      note(`warming up with ${plan.warmUp} holds each`);
      for (const name of ['bare', 'holdfast'] as const) await oneRound(sides[name], 10, plan.warmUp);
      // PostgreSQL does so by itself within a minute of a table's first rows; its plans of the first minute are not the rule.
      const config = loadConfig(stack.environment);
      await withClient(config, config.DB_NAME, (client) => client.query('ANALYZE'));
      const samples = await measure(sides, plan);
      report('holds', 'bare workflow', seriesOf(samples));
    } finally {
      await bare.stop();
    }
  } finally {
    await stack.stop();
  }
}

/** A merchant, the sandbox as the platform's Stripe account, and its events coming in. */
async function holdfastOf(stack: Stack) {
  const apiUrl = `http://127.0.0.1:${stack.ports.api}`;
  const stripeUrl = `http://127.0.0.1:${stack.ports.sandbox}`;
  const adminKey = stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
  const { apiKey } = await createDemoMerchant(apiUrl, adminKey, 'Bench');
  const accountId = await createStripeAccount(apiUrl, adminKey, {
    name: 'Platform',
    secretKey: SANDBOX_SECRET_KEY,
    webhookSecret: SANDBOX_WEBHOOK_SECRET,
  });
  if (accountId === undefined) throw new Error('a fresh stack has a Stripe account already');
  await registerSandboxEvents(stripeUrl, apiUrl, accountId);
  return createHoldfastSide({ apiUrl, apiKey, stripeUrl });
}

/** Each round measures both sides at each concurrency; which of them begins is decided by the seed. */
async function measure(sides: Record<SideName, Side>, plan: Plan): Promise<Samples> {
  const samples: Samples = { 1: { holdfast: [], bare: [] }, 10: { holdfast: [], bare: [] } };
  const coin = seededCoin(SEED);
  for (let round = 1; round <= plan.rounds; round += 1) {
    for (const level of LEVELS) {
      const order: readonly SideName[] = coin() ? ['holdfast', 'bare'] : ['bare', 'holdfast'];
      for (const name of order) {
        const sample = await oneRound(sides[name], level, plan.holds[level]);
        samples[level][name].push(sample);
        const { rate, createMs, captureMs } = sample;
        note(
          `round ${round} of ${plan.rounds}, ${String(level).padStart(2)} at once, ${name.padEnd(8)} ` +
            `${rate.toFixed(1)}/s, create ${createMs.toFixed(1)} ms, capture ${captureMs.toFixed(1)} ms`,
        );
      }
    }
  }
  return samples;
}

async function oneRound(side: Side, concurrency: number, holds: number): Promise<Sample> {
  const created = await runLoad(concurrency, Array<null>(holds).fill(null), () => side.create());
  await side.prepare(created.results);
  const captured = await runLoad(concurrency, created.results, (hold) => side.capture(hold));
  await sleep(PAUSE_BETWEEN_MS);
  return {
    rate: (holds * 1_000) / (created.wallMs + captured.wallMs),
    createMs: median(created.eachMs),
    captureMs: median(captured.eachMs),
  };
}

function seriesOf(samples: Samples): Series[] {
  const pick = (level: Level, figure: keyof Sample) => ({
    ours: samples[level].holdfast.map((sample) => sample[figure]),
    reference: samples[level].bare.map((sample) => sample[figure]),
  });
  return LEVELS.flatMap((level): Series[] => [
    { name: `rate_${level}`, unit: 'per second', ...pick(level, 'rate'), goal: { atLeast: 0.7 } },
    { name: `create_p50_${level}`, unit: 'ms', ...pick(level, 'createMs'), goal: { atMost: 1.6 } },
    { name: `capture_p50_${level}`, unit: 'ms', ...pick(level, 'captureMs'), goal: { atMost: 1.6 } },
  ]);
}
