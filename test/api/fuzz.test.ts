/**
 * Every route, asked what its own document says and much that it does not: no answer is a fault of ours, each is as the document
 * says, none shows our insides. HOLDFAST_SEED repeats another run's chance.
 */
import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { SEED } from '../chaos/victims';
import { SOAK, startSystem, urlOf } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { PaymentClient } from '../e2e/payment-client';
import { RefundClient } from '../e2e/refund-client';
import { operationsOf, requestsTo } from './fuzz-requests';
import type { Keys, OpenApi, Operation } from './fuzz-requests';
import type { Known } from './fuzz-values';
import { createJudge } from './fuzz-verdict';
import type { Judge } from './fuzz-verdict';
import { bytesOf, exchange } from './fuzz-wire';
import type { WireRequest } from './fuzz-wire';

/** Requests to each operation. */
const RUNS = Number(process.env['HOLDFAST_FUZZ_RUNS'] ?? (SOAK ? 600 : 40));
const AT_ONCE = 6;
/** Of each kind of object: some of them are ended on the way. */
const SEVERAL = 6;
const NO_LIMITS = { RATE_LIMIT_MULTIPLIER: '10000', IP_LIMIT_PER_MINUTE: '1000000', API_WAIT_TIMEOUT: '5' };
/** These may take from their caller what the others need: they get a merchant of their own. */
const LOCKS_ITSELF_OUT = /signing/;
/** They cannot succeed here: nothing came late or differs, no provider signs. */
const NEVER_WELL = /late-payments\/\{|discrepancies\/\{|channels\/\{channel\}\/\{account\}/;

let system: System;
let port: number;
let document: OpenApi;
let known: Known;
let keys: Keys;

beforeAll(async () => {
  system = await startSystem({ environment: NO_LIMITS });
  port = Number(new URL(urlOf(system.apis[0])).port);
  document = (await (await fetch(`${system.apiUrl}/openapi.json`)).json()) as OpenApi;
  known = await seeded();
  keys = { merchant: system.merchant.apiKey, admin: system.adminKey };
}, 120_000);
afterAll(() => system?.stop());

/** Something of every kind, so that numbers in paths may be those of something. */
async function seeded(): Promise<Known> {
  const client = system.client();
  const refunds = new RefundClient(client, system.sandbox.url);
  const payments = new PaymentClient(client, system.sandbox.url);
  const several = <T>(make: () => Promise<T>) => Promise.all(Array.from({ length: SEVERAL }, make));
  const [held, open, [paid, ...alsoPaid], unpaid, other] = await Promise.all([
    several(() => client.held(system.sandbox.url)),
    several(() => client.open()),
    several(() => refunds.paid('payment')),
    several(() => payments.open()),
    system.createMerchant('Other'),
  ]);
  if (paid === undefined) throw new Error('nothing was paid');
  const holds = [...held, ...open];
  const refund = await refunds.refund(paid, { ...refunds.numbered(), amount: 100 });
  const json = { url: 'https://hooks.example.com/holdfast' };
  const endpoint = (await client.call<{ id: string }>('/api/v1/webhook-endpoints', { json })).data.id;
  const test = await client.call<{ id: string }>(`/api/v1/webhook-endpoints/${endpoint}/test`, { json: {} });
  const admin = await Promise.all([
    system.admin<{ id: string }>(`merchants/${other.merchantId}/api-keys`, { body: { name: 'spare' } }),
    system.admin<{ id: string }>('routing/fees', {
      body: { channel: 'paypal', currency: 'USD', basis_points: 300, fixed_minor: 30 },
    }),
    system.admin<{ id: string }>('routing/rules', { body: { order: 1, channel: 'stripe', weight: 1 } }),
  ]);
  const [key, fee, rule] = admin.map(({ data }) => data.id);
  return {
    pre_auth_no: holds.map((hold) => hold.pre_auth_no),
    channel_pre_auth_no: holds.map((hold) => hold.channel_pre_auth_no),
    payment_no: [...[paid, ...alsoPaid].map(({ no }) => no), ...unpaid.map((payment) => payment.payment_no)],
    ...{ url: ['https://hooks.example.com/other'], notify_url: ['https://hooks.example.com/orders'] },
    ...{
      country: ['DE'],
      billing_country: ['FR'],
      card_country: ['US'],
      return_url: ['https://shop.example.com/back'],
    },
    ...{ channel: ['stripe'], currency: ['USD'], from: ['2026-01'], to: ['2026-03'], date: ['2026-01-02'] },
    refund_no: [refund.data.refund_no],
    ...{ id: [endpoint, test.data.id], endpoint_id: [endpoint], key_id: [key ?? ''] },
    ...{ fee_id: [fee ?? ''], rule_id: [rule ?? ''], merchant_id: [other.merchantId] },
    ...{ account: [system.accountId], account_id: [system.accountId] },
  };
}

/** What a run has seen of one operation. */
interface Seen {
  readonly name: string;
  readonly statuses: Map<number, number>;
  /** Answers to the operation's own method that were a success. */
  readonly succeeded: number;
  readonly problem: string | undefined;
}

async function fuzz(operation: Operation, judge: Judge, ownKeys: Keys): Promise<Seen> {
  const statuses = new Map<number, number>();
  let succeeded = 0;
  const name = `${operation.method} ${operation.path}`;
  // Every operation has a chance of its own.
  const seed = createHash('sha256').update(`${SEED} ${name}`).digest().readInt32BE();
  const ask = async (request: WireRequest): Promise<void> => {
    const answer = await exchange(port, bytesOf(request));
    const status = answer?.status ?? 0;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (request.method === operation.method && status >= 200 && status < 300) succeeded += 1;
    const problems = judge(operation, request, answer);
    if (problems.length > 0)
      throw new Error(`${problems.join('; ')}\n  ${described(request)}\n  ${answer?.body.slice(0, 600)}`);
  };
  const property = fc.asyncProperty(requestsTo(operation, ownKeys, known), ask);
  const result = await fc.check(property, { numRuns: RUNS, seed, endOnFailure: true });
  if (!result.failed) return { name, statuses, succeeded, problem: undefined };
  const why =
    result.errorInstance instanceof Error ? result.errorInstance.message : String(result.errorInstance);
  return {
    name,
    statuses,
    succeeded,
    problem: `${name} (seed ${seed}, path ${result.counterexamplePath}): ${why}`,
  };
}

function described({ method, target, headers, body }: WireRequest): string {
  const said = headers.filter(([name]) => name !== 'Authorization').map((header) => header.join(': '));
  const text = body === undefined ? 'no body' : JSON.stringify(body.toString('latin1')).slice(0, 400);
  return `${method} ${target.slice(0, 300)} [${said.join(', ')}] ${text}`;
}

/** In the order of `items`, some at once. */
async function pooled<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()];
  const one = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return results;
}

it(
  'answers whatever it is asked as its document says',
  async () => {
    // What is deleted is of no use to the others: last.
    const operations = operationsOf(document).sort(
      (a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'),
    );
    const judge = createJudge(document);
    const spare = { ...keys, merchant: (await system.createMerchant('Spare')).apiKey };
    const seen = await pooled(operations, (operation) =>
      fuzz(operation, judge, LOCKS_ITSELF_OUT.test(operation.path) ? spare : keys),
    );
    const total = new Map<number, number>();
    for (const { statuses } of seen)
      for (const [status, count] of statuses) total.set(status, (total.get(status) ?? 0) + count);
    const asked = [...total.values()].reduce((sum, count) => sum + count, 0);
    const counts = [...total].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    process.stderr.write(
      `  fuzz: ${operations.length} operations, ${asked} requests; ${counts.join(', ')}\n`,
    );
    expect(seen.flatMap(({ problem }) => problem ?? [])).toEqual([]);
    expect((total.get(429) ?? 0) / asked).toBeLessThan(0.05);
    // The requests that are right get behind the checks: where nothing succeeds, only the checks were tried.
    const neverWell = seen.filter(({ succeeded }) => succeeded === 0).map(({ name }) => name);
    process.stderr.write(`  fuzz: without a success ${neverWell.join(', ')}\n`);
    expect(neverWell.filter((name) => !NEVER_WELL.test(name)).length).toBeLessThan(operations.length / 8);
  },
  SOAK ? 3_600_000 : 120_000,
);

it('takes an Idempotency-Key on every POST that creates or changes something', () => {
  const without = operationsOf(document)
    .filter(
      ({ method, parameters = [] }) =>
        method === 'POST' && !parameters.some(({ name }) => name === 'Idempotency-Key'),
    )
    .map(({ path }) => path);
  // A quote changes nothing, and the providers of channels tell their events in their own way.
  expect(without.sort()).toEqual(['/api/v1/channels/{channel}/{account}/events', '/api/v1/routing/quote']);
});

it('is alive and well afterwards', async () => {
  expect((await fetch(`${system.apiUrl}/readyz`)).status).toBe(200);
  expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  const faults = system
    .logs('api')
    .split('\n')
    .filter((line) => /"level":(50|60)|a request failed/.test(line));
  expect(faults).toEqual([]);
});
