/**
 * Bench `unit-costs`: what one request, one hold, one payment and one delivery cost each process and each server, in the
 * shape of production (Temporal on PostgreSQL). See docs/scaling.md for what follows.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { callApi, confirmHold, createDemoMerchant, expectOk, getHold } from '../dev/demo-client';
import type { DemoMerchant, Hold } from '../dev/demo-client';
import { PaymentClient } from '../dev/demo/payment-client';
import { seedAccounts, urlsOfSandboxes } from '../dev/seed-accounts';
import { CORE_PARTS } from '../dev/stack/parts';
import { NAMESPACE, startProdLike } from '../dev/stack/prod-like';
import type { ProdLike } from '../dev/stack/prod-like';
import { bold, note } from '../dev/terminal';
import { workflowIdOf } from '../src/domain/ids';
import { createHoldfastSide } from './holdfast-side';
import { runLoad } from './load';
import { median } from './stats';
import { FIGURES, read, residentBytes, withSuperuser } from './unit-costs-meter';
import type { Reading } from './unit-costs-meter';
import { startChild } from './webhooks-child';
import type { GeneratorCalls } from './webhooks-generator';
import type { ReceiverCalls } from './webhooks-receiver';

export const about = 'what a request, a hold, a payment and a delivery cost each process and server';

const FULL = { rounds: 3, reads: 3_000, objects: 100, deliveries: 3_000, idleMs: 15_000 };
const QUICK = { rounds: 1, reads: 1_000, objects: 40, deliveries: 1_000, idleMs: 10_000 };
type Plan = typeof FULL;

const CALLERS = 4;
const AMOUNT = 50_000;
/** What is still going on when the last answer is there belongs to the work before. */
const QUIET_MS = 3_000;

interface Bench {
  readonly shape: ProdLike;
  readonly apiUrl: string;
  readonly stripeUrl: string;
  readonly merchant: DemoMerchant;
}

type Costs = Record<string, Reading[]>;

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const dataDir = join(tmpdir(), `holdfast-bench-${process.pid}`);
  const shape = await startProdLike({
    ...{ dataDir, ports: 'free', temporary: true, headlessUi: true, only: CORE_PARTS },
    environment: { LOG_LEVEL: 'warn', WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT: '100' },
    report: (line) => note(line),
  });
  try {
    const bench = await prepare(shape);
    await measure(bench, quick ? QUICK : FULL);
  } finally {
    await shape.stop();
  }
}

async function prepare(shape: ProdLike): Promise<Bench> {
  const { environment, ports, startsSandbox } = shape.app;
  const apiUrl = `http://127.0.0.1:${ports.api}`;
  const adminKey = environment['HOLDFAST_ADMIN_KEY'] ?? '';
  const merchant = await createDemoMerchant(apiUrl, adminKey, 'Bench');
  const sandboxes = urlsOfSandboxes(environment, startsSandbox);
  await seedAccounts({ apiUrl, adminKey, sandboxes, environment: {} });
  return { shape, apiUrl, stripeUrl: `http://127.0.0.1:${ports.sandbox}`, merchant };
}

async function measure(bench: Bench, plan: Plan): Promise<void> {
  const side = createHoldfastSide({ ...bench, apiKey: bench.merchant.apiKey });
  const make = () => runLoad(CALLERS, Array<null>(plan.objects).fill(null), () => side.create());
  note('warming up');
  const warm = (await make()).results;
  await side.prepare(warm);
  await runLoad(CALLERS, warm, (hold) => side.capture(hold));
  await runLoad(CALLERS, Array<null>(10).fill(null), () => pay(bench));
  await withSuperuser(bench.shape, (client) => client.query('ANALYZE'));
  await sleep(QUIET_MS);
  const idle = await idleCosts(bench, plan);
  const costs: Costs = {};
  const [number = ''] = warm.map((hold) => hold.pre_auth_no);
  let last: Hold[] = [];
  let payments: string[] = [];
  for (let round = 1; round <= plan.rounds; round += 1) {
    note(`round ${round} of ${plan.rounds}`);
    const each = (name: string, count: number, work: () => Promise<unknown>) =>
      costOf(bench, idle, count, work).then((cost) => (costs[name] ??= []).push(cost));
    await each('read', plan.reads, () => reads(bench, number, plan.reads));
    await each('hold, created', plan.objects, async () => (last = (await make()).results));
    await each('hold, confirmed', plan.objects, () => side.prepare(last));
    await each('hold, captured', plan.objects, () => runLoad(CALLERS, last, (hold) => side.capture(hold)));
    await each('payment', plan.objects, async () => {
      payments = (await runLoad(CALLERS, Array<null>(plan.objects).fill(null), () => pay(bench))).results;
    });
  }
  await measureDeliveries(bench, idle, plan, costs);
  print(idle, costs);
  await printHistories(bench, last, payments);
  await printRows(bench);
  printMemory(bench.shape);
  leave(idle, costs);
}

async function reads({ apiUrl, merchant }: Bench, preAuthNo: string, count: number): Promise<void> {
  await runLoad(CALLERS, Array<null>(count).fill(null), () => getHold(apiUrl, merchant.apiKey, preAuthNo));
}

/** Asked for and paid by the customer. @returns its number */
async function pay({ apiUrl, stripeUrl, merchant }: Bench): Promise<string> {
  const client = new PaymentClient(apiUrl, merchant.apiKey);
  const order = { order_no: randomUUID(), amount: AMOUNT, currency: 'USD', channel: 'stripe' };
  const {
    payment_no: number,
    channel_payment_no: atChannel,
    client_secret: secret = '',
  } = await client.create(order);
  await confirmHold(stripeUrl, { channel_pre_auth_no: atChannel ?? '', client_secret: secret });
  await client.waitFor(number, 'success', 30_000);
  return number;
}

/** Per second, with nobody there. */
async function idleCosts({ shape }: Bench, { idleMs }: Plan): Promise<Reading> {
  note(`nobody asks for anything, for ${idleMs / 1_000} s`);
  const before = await read(shape);
  await sleep(idleMs);
  return per(before, await read(shape), idleMs / 1_000);
}

/** Of one piece, without what the time it took costs anyway. */
async function costOf(
  { shape }: Bench,
  idle: Reading,
  count: number,
  work: () => Promise<unknown>,
): Promise<Reading> {
  const before = await read(shape);
  const startedAt = performance.now();
  await work();
  await sleep(QUIET_MS);
  const seconds = (performance.now() - startedAt) / 1_000;
  const all = per(before, await read(shape), 1);
  const each = FIGURES.map((name) => [name, Math.max(0, all[name] - idle[name] * seconds) / count]);
  return Object.fromEntries(each) as Reading;
}

const per = (before: Reading, after: Reading, count: number): Reading =>
  Object.fromEntries(FIGURES.map((name) => [name, (after[name] - before[name]) / count])) as Reading;

async function measureDeliveries(bench: Bench, idle: Reading, plan: Plan, costs: Costs): Promise<void> {
  const { shape, apiUrl, merchant } = bench;
  const receiver = startChild<ReceiverCalls>('webhooks-receiver.ts');
  const generator = startChild<GeneratorCalls>('webhooks-generator.ts', shape.app.environment);
  try {
    const url = `http://127.0.0.1:${await receiver.ask('listen')}/shop`;
    const path = '/api/v1/webhook-endpoints';
    const call = { body: { url }, idempotencyKey: randomUUID() };
    const { id } = await expectOk(path, callApi<{ id: string }>(apiUrl, merchant.apiKey, path, call));
    const to = {
      database: shape.given['DB_NAME'] ?? '',
      merchantId: merchant.merchantId,
      endpointIds: [id],
    };
    await generator.ask('burst', to, 50);
    await sleep(QUIET_MS);
    for (let round = 1; round <= plan.rounds; round += 1) {
      const cost = await costOf(bench, idle, plan.deliveries, async () => {
        await generator.ask('burst', to, plan.deliveries);
        await untilDelivered(shape);
      });
      (costs['delivery'] ??= []).push(cost);
    }
  } finally {
    await Promise.all([receiver.stop(), generator.stop()]);
  }
}

async function untilDelivered(shape: ProdLike): Promise<void> {
  const waiting = `SELECT EXISTS (SELECT FROM webhook_leases) OR EXISTS (SELECT FROM webhook_notifications WHERE status = 'pending') AS busy`;
  await withSuperuser(shape, async (client) => {
    for (let tries = 0; tries < 600; tries += 1) {
      if ((await client.query<{ busy: boolean }>(waiting)).rows[0]?.busy === false) return;
      await sleep(100);
    }
    throw new Error('the deliveries were not done within a minute');
  });
}

const shown = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
const medians = (costs: Costs, figure: (typeof FIGURES)[number]) =>
  Object.values(costs).map((rounds) => median(rounds.map((reading) => reading[figure])));

function print(idle: Reading, costs: Costs): void {
  const heads = ['idle, per second', ...Object.keys(costs)];
  console.log(`\n  ${bold(`${'each'.padEnd(24)}${heads.map((head) => head.padStart(18)).join('')}`)}`);
  for (const figure of FIGURES) {
    const values = [idle[figure], ...medians(costs, figure)];
    console.log(`  ${figure.padEnd(24)}${values.map((value) => shown(value).padStart(18)).join('')}`);
  }
}

/** What one workflow leaves in Temporal. */
async function printHistories(
  { shape, merchant }: Bench,
  holds: readonly Hold[],
  payments: readonly string[],
) {
  const connection = await Connection.connect({ address: shape.given['TEMPORAL_ADDRESS'] ?? '' });
  try {
    const client = new Client({ connection, namespace: NAMESPACE });
    console.log(`\n  ${bold('history of one workflow')}`);
    for (const [kind, numbers] of [
      ['pre_auth', holds.map((hold) => hold.pre_auth_no)],
      ['payment', payments],
    ] as const) {
      const id = workflowIdOf({ merchantId: merchant.merchantId, kind, no: numbers[0] ?? '' });
      const { historyLength, historySize } = await client.workflow.getHandle(id).describe();
      console.log(`  ${kind.padEnd(24)}${historyLength} events, ${historySize ?? 0} bytes`);
    }
  } finally {
    await connection.close();
  }
}

const ROWS = `
SELECT relname AS name, pg_total_relation_size(relid)::float8 AS bytes, pg_indexes_size(relid)::float8 AS index_bytes
FROM pg_stat_user_tables ORDER BY relname`;
const FEWEST_ROWS = 100;

/** A table's bytes with its indexes, where there are enough rows to divide by. */
async function printRows({ shape }: Bench): Promise<void> {
  console.log(`\n  ${bold('bytes of a row, with its indexes')}`);
  await withSuperuser(shape, async (client) => {
    const { rows } = await client.query<{ name: string; bytes: number; index_bytes: number }>(ROWS);
    for (const { name, bytes, index_bytes: indexes } of rows) {
      const answer = await client.query<{ count: string }>(
        `SELECT count(*) FROM ${client.escapeIdentifier(name)}`,
      );
      const count = Number(answer.rows[0]?.count);
      if (count < FEWEST_ROWS) continue;
      console.log(
        `  ${name.padEnd(24)}${shown(bytes / count)}, of them ${shown(indexes / count)} indexes; ${count} rows`,
      );
    }
  });
}

function printMemory({ app, temporal }: ProdLike): void {
  console.log(`\n  ${bold('memory after that')}`);
  for (const [name, server] of [
    ['API', app.apis[0]],
    ['payments worker', app.workers[0]],
    ['webhooks worker', app.webhooks[0]],
    ['Temporal', temporal],
  ] as const) {
    console.log(`  ${name.padEnd(24)}${(residentBytes(server?.pid() ?? 0) / 2 ** 20).toFixed(0)} MB`);
  }
}

/** As the other benches leave theirs: one JSON object, last and under bench/results. */
function leave(idle: Reading, costs: Costs): void {
  const tidy = (reading: Reading) =>
    Object.fromEntries(FIGURES.map((name) => [name, Number(reading[name].toPrecision(4))]));
  const figures = Object.fromEntries(
    Object.keys(costs).map((name, column) => [
      name,
      Object.fromEntries(
        FIGURES.map((figure) => [figure, Number((medians(costs, figure)[column] ?? 0).toPrecision(4))]),
      ),
    ]),
  );
  const line = JSON.stringify({ bench: 'unit-costs', figures: { idle: tidy(idle), ...figures } });
  const folder = join(__dirname, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'unit-costs.json'), `${line}\n`);
  console.log(`\n${line}`);
}
