/** One Idempotency-Key from a hundred clients at once, and the API process that works on it is killed: one effect, one answer. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../../dev/stack/processes';
import { expectAgreement } from '../e2e/checks';
import { eventually, SOAK, startSystem, urlOf } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { CREATE_PATH, holdOf, MerchantClient } from '../e2e/merchant-client';
import type { CallOptions, Reply } from '../e2e/merchant-client';

const CLIENTS = SOAK ? 100 : 40;
const ROUNDS = SOAK ? 8 : 1;
const APIS = SOAK ? 4 : 2;
const CHANNEL_LATENCY_MS = 1_500;
const TEST_TIMEOUT_MS = 90_000 * ROUNDS;
const TRIES = 60;
const RETRY_MS = 100;

let system: System;

beforeAll(async () => {
  system = await startSystem({ apiCount: APIS, environment: { RATE_LIMIT_MULTIPLIER: '1000' } });
}, 120_000);
afterAll(() => system?.stop());
afterEach(() => system.sandbox.config({ latencyMs: 0 }));

interface Wanted {
  /** Whose key calls. */
  readonly apiKey: string;
  readonly path: string;
  readonly json: unknown;
  /** True once the first request is at work. */
  readonly isAtWork: () => Promise<boolean>;
  /** Called after the kill; the others wait for it. */
  readonly afterKill?: () => Promise<void>;
}

/** The part of an answer that every client must get alike. */
const contentOf = ({ status, code, message, data }: Reply<unknown>) => ({ status, code, message, data });

/** A client that does not give up when its connection breaks: it asks another process, with the same key. */
async function insist(server: number, key: string, { apiKey, path, json }: Wanted): Promise<Reply<unknown>> {
  for (let i = 0; i < TRIES; i += 1) {
    const at = system.apis[(server + i) % system.apis.length];
    const options: CallOptions = { json, key };
    const reply = await new MerchantClient(urlOf(at), apiKey)
      .call<unknown>(path, options)
      .catch(() => undefined);
    if (reply !== undefined && reply.status < 500 && reply.status !== 202) return reply;
    await sleep(RETRY_MS);
  }
  throw new Error('no process answers');
}

/** @returns the one answer that all of them got */
async function withAKill(wanted: Wanted): Promise<Reply<unknown>> {
  const key = randomUUID();
  const victim = system.apis[0] as Server;
  const lost = new MerchantClient(urlOf(victim), wanted.apiKey)
    .call<unknown>(wanted.path, { json: wanted.json, key })
    .catch(() => undefined);
  await eventually('the first request is at work', wanted.isAtWork, (isAtWork) => isAtWork);
  const replies = Array.from({ length: CLIENTS - 1 }, (_, index) => insist(index, key, wanted));
  await sleep(50);
  await victim.kill();
  expect(await lost).toBeUndefined();
  await wanted.afterKill?.();
  const answers = await Promise.all(replies);
  await system.sandbox.config({ latencyMs: 0 });
  await victim.restart();
  answers.push(await insist(0, key, wanted));
  const [first] = answers;
  if (first === undefined) throw new Error('nobody was answered');
  for (const answer of answers) expect(contentOf(answer)).toEqual(contentOf(first));
  expect(answers).toHaveLength(CLIENTS);
  return first;
}

async function rounds(work: () => Promise<void>): Promise<void> {
  for (let i = 0; i < ROUNDS; i += 1) await work();
}

const isThere = (text: string, values: unknown[]) => async () => (await system.rows(text, values)).length > 0;

it(
  'makes one hold',
  () =>
    rounds(async () => {
      const { pre_auth_no: _, ...hold } = holdOf();
      await system.sandbox.config({ latencyMs: CHANNEL_LATENCY_MS });
      const answer = await withAKill({
        ...{ apiKey: system.merchant.apiKey, path: CREATE_PATH, json: hold },
        isAtWork: isThere('SELECT 1 FROM pre_auths WHERE order_no = $1', [hold.order_no]),
      });
      expect(answer.status).toBe(201);
      const made = await system.rows<{ pre_auth_no: string }>(
        'SELECT pre_auth_no FROM pre_auths WHERE order_no = $1',
        [hold.order_no],
      );
      expect(made).toEqual([{ pre_auth_no: (answer.data as { pre_auth_no: string }).pre_auth_no }]);
      await expectAgreement(system, made[0]?.pre_auth_no ?? '');
      const { payment_intents: intents } = await system.sandbox.books();
      expect(intents.filter(({ metadata }) => metadata['order_no'] === hold.order_no)).toHaveLength(1);
    }),
  TEST_TIMEOUT_MS,
);

it(
  'captures once',
  () =>
    rounds(async () => {
      const client = new MerchantClient(urlOf(system.apis[1]), system.merchant.apiKey);
      const { pre_auth_no: no } = await client.held(system.sandbox.url);
      await system.sandbox.config({ latencyMs: CHANNEL_LATENCY_MS });
      const answer = await withAKill({
        ...{
          apiKey: system.merchant.apiKey,
          path: `/api/v1/pre-auth/${no}/capture`,
          json: { amount: 4_200 },
        },
        isAtWork: isThere("SELECT 1 FROM channel_calls WHERE object_no = $1 AND operation = 'capture'", [no]),
      });
      expect(answer).toMatchObject({ status: 200, data: { amount: 4_200, amount_captured: 4_200 } });
      const { calls } = await system.sandbox.books(system.workflowId(no));
      expect(calls.filter(({ operation, executed }) => operation === 'capture' && executed)).toHaveLength(1);
    }),
  TEST_TIMEOUT_MS,
);

it(
  'makes one merchant for the admin, whose secrets are shown only in that answer',
  () =>
    rounds(async () => {
      const name = `Chain ${randomUUID()}`;
      const locker = await system.db.connect();
      // The first request has its record, and waits for the table within its transaction.
      await locker.query('BEGIN; LOCK TABLE merchants IN SHARE MODE');
      const waiting = `
        SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE NOT granted AND relation = 'merchants'::regclass AND datname = current_database()`;
      const answer = await withAKill({
        ...{ apiKey: system.adminKey, path: '/api/v1/admin/merchants', json: { name } },
        isAtWork: isThere(waiting, []),
        afterKill: async () => {
          await locker.query('COMMIT');
          locker.release();
        },
      });
      expect(answer.status).toBe(201);
      const made = await system.rows<{ account_id: string }>(
        'SELECT DISTINCT account_id FROM merchants WHERE name = $1',
        [name],
      );
      expect(made).toEqual([{ account_id: (answer.data as { account_id: string }).account_id }]);
    }),
  TEST_TIMEOUT_MS,
);
