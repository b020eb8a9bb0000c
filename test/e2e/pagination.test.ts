/**
 * Reading a list page by page while it grows: nothing comes twice, nothing that was there at the start is left out, and the order
 * holds; also among rows of the same microsecond, and with rows whose transaction began earlier and is committed later.
 */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import type { Pool, PoolClient } from 'pg';
import { callApi } from '../../dev/demo-client';
import { SEED } from '../chaos/victims';
import { SOAK, startSystem } from './harness';
import type { System } from './harness';
import { newNumber } from './merchant-client';
import { RefundClient } from './refund-client';

const RUNS = SOAK ? 100 : 4;
const MAX_PAGES = 400;

interface List {
  readonly name: string;
  readonly path: string;
  readonly as: 'merchant' | 'admin';
  readonly table: string;
  /** What names an entry, in the table and in the answer. */
  readonly key: string;
  /** The column it is ordered by. Default `created_at`. */
  readonly at?: string;
  /** What a copy of a row must have of its own. */
  readonly own?: () => Readonly<Record<string, unknown>>;
  /** Which row is copied; absent: the table's first. */
  readonly of?: string;
  /** Whoever writes one waits for the others' commit: nothing is committed late. */
  readonly oneByOne?: boolean;
}

const uuidKey = { key: 'id' } as const;

let letters = 0;

/** Three of them, never the same. */
function nextLetters(): string {
  letters += 1;
  return [676, 26, 1].map((place) => String.fromCharCode(65 + (Math.floor(letters / place) % 26))).join('');
}

function lists(paymentNo: string, merchantId: string): List[] {
  const ofMerchant = { as: 'merchant' } as const;
  const ofAdmin = { as: 'admin' } as const;
  return [
    {
      ...{ ...ofMerchant, name: 'payments', path: '/api/v1/payments', table: 'payments', key: 'payment_no' },
      own: () => ({ channel_payment_no: null }),
    },
    {
      ...{ ...ofMerchant, name: 'holds', path: '/api/v1/channel/pre-auth', table: 'pre_auths' },
      key: 'pre_auth_no',
      own: () => ({ channel_pre_auth_no: null }),
    },
    {
      ...{ ...ofMerchant, name: 'refunds of a payment', path: `/api/v1/payments/${paymentNo}/refunds` },
      ...{ table: 'refunds', key: 'refund_no' },
      own: () => ({ channel_refund_no: null }),
    },
    {
      ...{ ...ofMerchant, ...uuidKey, name: 'notifications', path: '/api/v1/webhook-notifications' },
      table: 'webhook_notifications',
      own: () => ({ event_id: randomUUID() }),
    },
    {
      ...{ ...ofMerchant, ...uuidKey, name: 'endpoints', path: '/api/v1/webhook-endpoints' },
      ...{ table: 'webhook_endpoints', of: "kind = 'explicit'" },
    },
    {
      ...{ ...ofMerchant, ...uuidKey, name: 'late money', path: '/api/v1/late-payments' },
      table: 'late_payments',
      own: () => ({ channel_trade_no: randomUUID() }),
    },
    {
      ...{ ...ofMerchant, ...uuidKey, name: 'disputes', path: '/api/v1/disputes', at: 'opened_at' },
      table: 'disputes',
      own: () => ({ channel_dispute_no: randomUUID() }),
    },
    {
      ...{ ...ofAdmin, ...uuidKey, name: 'merchants', path: '/api/v1/admin/merchants', table: 'merchants' },
      own: () => ({ account_id: randomUUID() }),
    },
    {
      ...{ ...ofAdmin, ...uuidKey, name: 'keys', path: `/api/v1/admin/merchants/${merchantId}/api-keys` },
      ...{ table: 'api_keys', of: `merchant_id = '${merchantId}'` },
      own: () => ({ key_hash: `\\x${randomUUID().replaceAll('-', '')}` }),
    },
    {
      ...{ ...ofAdmin, ...uuidKey, name: 'accounts', path: '/api/v1/admin/channel-accounts' },
      table: 'channel_accounts',
      own: () => ({ enabled: false }),
      oneByOne: true,
    },
    {
      ...{
        ...ofAdmin,
        ...uuidKey,
        name: 'prices',
        path: '/api/v1/admin/routing/fees',
        table: 'channel_fees',
        own: () => ({ currency: nextLetters() }),
        oneByOne: true,
      },
    },
    {
      ...{ ...ofAdmin, ...uuidKey, name: 'discrepancies', path: '/api/v1/admin/discrepancies' },
      ...{ table: 'discrepancies', at: 'first_seen' },
      own: () => ({ object_no: newNumber() }),
    },
  ];
}

let system: System;
let all: List[];

beforeAll(async () => {
  const environment = { RATE_LIMIT_MULTIPLIER: '10000', IP_LIMIT_PER_MINUTE: '1000000' };
  system = await startSystem({ environment });
  const client = system.client();
  const refunds = new RefundClient(client, system.sandbox.url);
  const paid = await refunds.paid('payment');
  await refunds.refund(paid, { ...refunds.numbered(), amount: 100 });
  await client.open();
  const json = { url: 'https://hooks.example.com/pages' };
  const endpoint = await client.call<{ id: string }>('/api/v1/webhook-endpoints', { json });
  await client.call(`/api/v1/webhook-endpoints/${endpoint.data.id}/test`, { json: {} });
  await system.admin('routing/fees', {
    body: { channel: 'paypal', currency: 'USD', basis_points: 300, fixed_minor: 30 },
  });
  const object = [randomUUID(), system.merchant.merchantId, paid.no];
  const money = [system.accountId, randomUUID()];
  await system.rows(
    `INSERT INTO late_payments (id, merchant_id, object_kind, object_no, channel_account_id, channel_trade_no, kind, currency,
       amount, state) VALUES ($1, $2, 'payment', $3, $4, $5, 'late', 'USD', 5, 'needs_attention')`,
    [...object, ...money],
  );
  await system.rows(
    `INSERT INTO disputes (id, merchant_id, object_kind, object_no, channel_account_id, channel_dispute_no, currency, amount,
       reason, status) VALUES ($1, $2, 'payment', $3, $4, $5, 'USD', 5, 'fraudulent', 'open')`,
    [...object, ...money],
  );
  await system.rows(
    `INSERT INTO discrepancies (id, merchant_id, object_kind, object_no, channel, field, ours, theirs)
     VALUES ($1, $2, 'payment', $3, 'stripe', 'status', 'a', 'b')`,
    object,
  );
  all = lists(paid.no, system.merchant.merchantId);
}, 120_000);
afterAll(() => system?.stop());

/** Copies a row: another key, at this microsecond. */
async function insert(q: Pool | PoolClient, list: List, micros: number): Promise<string> {
  const { table, key, at = 'created_at', own, of = 'true' } = list;
  const id = key === 'id' ? randomUUID() : newNumber();
  const instant = `timestamptz 'epoch' + ${micros}::bigint * interval '1 microsecond'`;
  const fields = JSON.stringify({ ...own?.(), [key]: id });
  await q.query(
    `INSERT INTO ${table} SELECT (jsonb_populate_record(
       source, $1::jsonb || jsonb_build_object('${at}', ${instant}))).*
     FROM ${table} AS source WHERE ${key} = (SELECT ${key} FROM ${table} WHERE ${of} ORDER BY ${at} LIMIT 1)`,
    [fields],
  );
  return id;
}

interface PageOf {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly next_cursor: string | null;
}

async function page(list: List, limit: number, cursor: string | null): Promise<PageOf> {
  const key = list.as === 'admin' ? system.adminKey : system.merchant.apiKey;
  const query = new URLSearchParams({ limit: String(limit), ...(cursor !== null && { cursor }) });
  const answer = await callApi<PageOf>(system.apiUrl, key, `${list.path}?${query.toString()}`);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.message}`);
  return answer.data;
}

/** What happens between two pages. Microseconds are counted from a moment of the run, so that many rows share one. */
interface Between {
  readonly limit: number;
  /** Rows committed at once. */
  readonly inserts: readonly number[];
  /** Rows of a transaction that is committed some pages later. */
  readonly late: readonly number[];
}

const micros = fc.integer({ min: -3, max: 3 });
const plan = fc.record({
  before: fc.array(micros, { minLength: 3, maxLength: 25 }),
  between: fc.array(
    fc.record({
      limit: fc.integer({ min: 1, max: 7 }),
      inserts: fc.array(micros, { maxLength: 4 }),
      late: fc.array(micros, { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
});

/** One reading from the first page to the last, with `between` before each. @returns the keys in the order they came */
async function read(
  list: List,
  baseMicros: number,
  between: readonly Between[],
  made: string[],
): Promise<string[]> {
  const seen: string[] = [];
  const open: PoolClient[] = [];
  const commitOldest = async (): Promise<void> => {
    const tx = open.shift();
    await tx?.query('COMMIT');
    tx?.release();
  };
  let cursor: string | null = null;
  try {
    for (let i = 0; i < MAX_PAGES; i += 1) {
      const { limit, inserts, late } = between[i % between.length] as Between;
      const { items, next_cursor }: PageOf = await page(list, limit, cursor);
      seen.push(...items.map((item) => String(item[list.key])));
      cursor = next_cursor;
      if (cursor === null) break;
      if (i >= 2 * between.length) continue; // it must end
      for (const each of inserts) made.push(await insert(system.db, list, baseMicros + each));
      if (open.length >= 2) await commitOldest();
      if (late.length > 0 && list.oneByOne !== true) {
        const tx = await system.db.connect();
        open.push(tx);
        await tx.query('BEGIN');
        for (const each of late) made.push(await insert(tx, list, baseMicros + each));
      }
    }
  } finally {
    while (open.length > 0) await commitOldest();
  }
  if (cursor !== null) throw new Error('the list does not end');
  return seen;
}

/** What the caller may see of the table, in the list's order. */
async function keysOf({ table, key, at = 'created_at', as, path }: List): Promise<string[]> {
  const { merchantId } = system.merchant;
  const isOfOne = as === 'merchant' || path.includes(merchantId);
  const rows = await system.rows<{ key: string }>(
    `SELECT ${key}::text AS key FROM ${table} WHERE ${isOfOne ? 'merchant_id = $1' : '$1::uuid IS NOT NULL'}
     ORDER BY ${at} DESC, ${key} DESC`,
    [merchantId],
  );
  return rows.map((row) => row.key);
}

async function readWhileItGrows(list: List, before: readonly number[], between: readonly Between[]) {
  const made: string[] = [];
  // Some seconds ago: between rows that are there already and those that others make.
  const baseMicros = Date.now() * 1_000 - 5_000_000;
  try {
    for (const each of before) made.push(await insert(system.db, list, baseMicros + each));
    const atStart = await keysOf(list);
    const seen = await read(list, baseMicros, between, made);
    expect(new Set(seen).size).toBe(seen.length);
    expect(atStart.filter((id) => !seen.includes(id))).toEqual([]);
    expect(seen).toEqual((await keysOf(list)).filter((id) => seen.includes(id)));
  } finally {
    await system.rows(`DELETE FROM ${list.table} WHERE ${list.key}::text = ANY ($1)`, [made]);
  }
}

it(
  'shows everything once, whatever is inserted meanwhile',
  async () => {
    for (const list of all) {
      const property = fc.asyncProperty(plan, ({ before, between }) =>
        readWhileItGrows(list, before, between),
      );
      const result = await fc.check(property, { numRuns: RUNS, seed: SEED, endOnFailure: true });
      const why = result.failed
        ? `${list.name}: ${String(result.errorInstance)} ${fc.stringify(result.counterexample)}`
        : '';
      expect(why).toBe('');
    }
  },
  SOAK ? 1_800_000 : 90_000,
);
