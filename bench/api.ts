/**
 * Bench `api`: what the frame costs. Reads of a hold answered in a second, with key, limits and checks, against a bare
 * Express route that reads one row and answers the same bytes. Turn and turn about. See docs/performance.md.
 */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDemoMerchant, createHold } from '../dev/demo-client';
import { seedAccounts, urlsOfSandboxes } from '../dev/seed-accounts';
import { CORE_PARTS } from '../dev/stack/parts';
import { startStack } from '../dev/stack/stack';
import type { Stack } from '../dev/stack/stack';
import { note } from '../dev/terminal';
import type { BareReadCalls } from './bare/read';
import { report } from './report';
import type { Series } from './report';
import type { LoadCalls, Target } from './routing-load';
import { seededCoin } from './stats';
import { startChild } from './webhooks-child';

export const about = 'reads of a hold with key and limits, against a bare Express route with one read';

const SEED = 7;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 3;
const FULL = { rounds: 9, seconds: 4 };
const QUICK = { rounds: 3, seconds: 2 };
const SIDES = ['holdfast', 'bare'] as const;
type SideName = (typeof SIDES)[number];

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const stack = await startStack({
    dataDir: join(tmpdir(), `holdfast-bench-${process.pid}`),
    ports: 'free',
    headlessUi: true,
    temporary: true,
    only: CORE_PARTS,
    // As where quotes are measured: the bare route writes no line for each request either.
    environment: { LOG_LEVEL: 'warn' },
    report: (line) => note(line),
  });
  try {
    report('api', 'bare route', [await measureReads(stack, quick ? QUICK : FULL)]);
  } finally {
    await stack.stop();
  }
}

/** A hold that waits for its customer. */
async function makeHold({ environment, ports, startsSandbox }: Stack) {
  const apiUrl = `http://127.0.0.1:${ports.api}`;
  const adminKey = environment['HOLDFAST_ADMIN_KEY'] ?? '';
  const { apiKey } = await createDemoMerchant(apiUrl, adminKey, 'Bench');
  const sandboxes = urlsOfSandboxes(environment, startsSandbox);
  await seedAccounts({ apiUrl, adminKey, sandboxes, environment: {} });
  const order = { order_no: randomUUID(), amount: 50_000, currency: 'USD', channel: 'stripe' };
  const { pre_auth_no: number } = await createHold(apiUrl, apiKey, order);
  return {
    apiUrl,
    path: `/api/v1/pre-auth/${number}`,
    number,
    headers: { authorization: `Bearer ${apiKey}` },
  };
}

async function measureReads(
  stack: Stack,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Series> {
  const { apiUrl, path, number, headers } = await makeHold(stack);
  const answer = await fetch(`${apiUrl}${path}`, { headers });
  if (!answer.ok || !answer.headers.has('x-ratelimit-limit'))
    throw new Error(`the hold was not read, or without limits: ${await answer.text()}`);
  const bare = startChild<BareReadCalls>('bare/read.ts', stack.environment);
  const load = startChild<LoadCalls>('routing-load.ts');
  try {
    const text = await answer.text();
    note(`an answer has ${text.length} bytes; ${CONNECTIONS} connections`);
    const bareUrl = `http://127.0.0.1:${await bare.ask('listen', number, text)}`;
    const targets: Readonly<Record<SideName, Target>> = {
      holdfast: { origin: apiUrl, path, headers },
      bare: { origin: bareUrl, path: `/answers/${number}`, headers },
    };
    const rates: Record<SideName, number[]> = { holdfast: [], bare: [] };
    for (const side of SIDES) await load.ask('load', targets[side], CONNECTIONS, WARM_UP_SECONDS);
    const coin = seededCoin(SEED);
    for (let round = 1; round <= rounds; round += 1) {
      for (const side of coin() ? SIDES : ([...SIDES].reverse() as readonly SideName[])) {
        const rate = await load.ask('load', targets[side], CONNECTIONS, seconds);
        rates[side].push(rate);
        note(`round ${round} of ${rounds}, ${side.padEnd(8)} ${rate.toFixed(0)}/s`);
      }
    }
    const against = 'a bare route, same bytes';
    const { holdfast: ours, bare: reference } = rates;
    return { name: 'get', unit: 'per second', ours, reference, against, goal: { atLeast: 0.5 } };
  } finally {
    await Promise.all([bare.stop(), load.stop()]);
  }
}
