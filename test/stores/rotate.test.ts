/** Rotation of the keys at rest, on real rows: all of them, beside a system that goes on, stopped and started again. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { rotateKeys } from '../../src/stores/rotate';
import { SEALED_COLUMNS } from '../../src/stores/sealed-columns';
import type { SealedColumn } from '../../src/stores/sealed-columns';
import { createSecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const ROOT = join(__dirname, '../..');
const keyOf = (id: string, fill: number) => `${id}:${Buffer.alloc(32, fill).toString('base64')}`;
const K1 = keyOf('k1', 1);
const K2 = keyOf('k2', 2);
const RING = `${K2},${K1}`;
const [before, after] = [createSecretBox(K1), createSecretBox(K2)];

let database: TestDatabase;
let db: Database;
let merchantId: string;
let accountId: string;

beforeEach(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  merchantId = await merchant();
  accountId = randomUUID();
  await db.query(
    `INSERT INTO channel_accounts (id, world, channel, name, credentials_sealed) VALUES ($1, 'test', 'stripe', 'Account', $2)`,
    [accountId, before.seal('credentials', 'channel_accounts.credentials')],
  );
});
afterEach(async () => {
  await db?.end();
  await database?.drop();
});

async function merchant(): Promise<string> {
  const id = randomUUID();
  const webhook = ['webhook secret', 'webhook secret before'].map((text) =>
    before.seal(text, 'merchants.webhook_secret'),
  );
  const signing = ['signing secret', 'signing secret before'].map((text) =>
    before.seal(text, 'merchants.signing_secret'),
  );
  await db.query(
    `INSERT INTO merchants (id, account_id, world, name, webhook_secret_sealed, previous_webhook_secret_sealed,
       signing_secret_sealed, previous_signing_secret_sealed)
     VALUES ($1, $1, 'test', 'Rotation', $2, $3, $4, $5)`,
    [id, ...webhook, ...signing],
  );
  return id;
}

async function payment(step: string | null): Promise<string> {
  const no = `PY-${randomUUID()}`;
  await db.query(
    `INSERT INTO payments (merchant_id, payment_no, order_no, world, channel, channel_account_id, currency, amount, status,
       body_hash, expires_at, customer_step_sealed)
     VALUES ($1, $2, $2, 'test', 'stripe', $3, 'USD', 1000, 'pending', '\\x00', now(), $4)`,
    [merchantId, no, accountId, step === null ? null : before.seal(step, 'payments.customer_step')],
  );
  return no;
}

/** A row of each table that has none yet. */
async function everything(): Promise<void> {
  const paymentNo = await payment('payment step');
  await db.query(
    `INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, currency, amount, status,
       body_hash, expires_at, customer_step_sealed)
     VALUES ($1, 'PA-1', 'PA-1', 'test', 'stripe', $2, 'USD', 1000, 'requires_capture', '\\x00', now(), $3)`,
    [merchantId, accountId, before.seal('hold step', 'pre_auths.customer_step')],
  );
  await db.query(
    `INSERT INTO refunds (merchant_id, refund_no, object_kind, object_no, order_no, world, channel, channel_account_id, currency,
       amount, status, body_hash, claim_sealed)
     VALUES ($1, 'RF-1', 'payment', $2, $2, 'test', 'crypto', $3, 'USD', 1, 'pending', '\\x00', $4)`,
    [merchantId, paymentNo, accountId, before.seal('claim', 'refunds.claim')],
  );
  await db.query(
    `INSERT INTO idempotency_records (id, merchant_id, route, key_hash, body_hash, response_sealed)
     VALUES ($1, $2, 'POST /x', '\\x01', '\\x02', $3)`,
    [randomUUID(), merchantId, before.seal('answer', 'idempotency_records.response')],
  );
  await db.query(
    `INSERT INTO channel_events (channel_account_id, event_id, type, body_sealed) VALUES ($1, 'evt_1', 'x', $2)`,
    [accountId, before.seal('body', 'channel_events.body')],
  );
  const secrets = ['secret', 'secret before'].map((text) => before.seal(text, 'webhook_endpoints.secret'));
  await db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url, secret_sealed, previous_secret_sealed)
     VALUES ($1, $2, 'explicit', 'https://shop.example/', $3, $4)`,
    [randomUUID(), merchantId, ...secrets],
  );
}

const rotate = (options: { dryRun?: boolean; keyRing?: string; stopping?: AbortSignal } = {}) =>
  rotateKeys(db, { keyRing: RING, dryRun: false, ...options });

async function sealedIn({ table, column }: Pick<SealedColumn, 'table' | 'column'>): Promise<string[]> {
  const { rows } = await db.query<{ sealed: string }>(
    `SELECT ${column} AS sealed FROM ${table} WHERE ${column} IS NOT NULL ORDER BY 1`,
  );
  return rows.map(({ sealed }) => sealed);
}

const sumOf = (reports: readonly { resealed: number; left: number; unreadable: number }[]) => ({
  resealed: reports.reduce((sum, one) => sum + one.resealed, 0),
  left: reports.reduce((sum, one) => sum + one.left, 0),
  unreadable: reports.reduce((sum, one) => sum + one.unreadable, 0),
});

describe('the list of columns', () => {
  test('is that of the schema', () => {
    const found: string[] = [];
    let table = '';
    for (const line of readFileSync(join(ROOT, 'db/schema.sql'), 'utf8').split('\n')) {
      table = /^CREATE TABLE (\w+)/.exec(line)?.[1] ?? table;
      const column = /^ {2}(\w+_sealed) /.exec(line)?.[1];
      if (column !== undefined) found.push(`${table}.${column}`);
    }
    expect(found.length).toBeGreaterThan(11);
    expect(SEALED_COLUMNS.map(({ table: name, column }) => `${name}.${column}`).sort()).toEqual(found.sort());
  });

  test('has the purposes under which the code seals, all of them', () => {
    const texts = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'));
    const purposes = texts.flatMap((text) =>
      [...text.matchAll(/_PURPOSE = '([^']+)'/g)].map(([, purpose]) => purpose),
    );
    expect([...new Set(SEALED_COLUMNS.map(({ purpose }) => purpose))].sort()).toEqual(
      [...new Set(purposes)].sort(),
    );
  });

  test('a sealed column that nobody told about stops it before it begins', async () => {
    await db.query('ALTER TABLE merchants ADD COLUMN something_sealed text');
    await expect(rotate()).rejects.toThrow('merchants.something_sealed');
    expect((await sealedIn({ table: 'merchants', column: 'webhook_secret_sealed' }))[0]).toMatch(/^v1\.k1\./);
  });
});

test('re-seals every column, and then the new key alone opens all', async () => {
  await everything();
  const counted = await rotate({ dryRun: true });
  expect(sumOf(counted)).toEqual({ resealed: 0, left: SEALED_COLUMNS.length, unreadable: 0 });
  expect(counted.map(({ byKey }) => byKey)).toEqual(SEALED_COLUMNS.map(() => ({ k1: 1 })));
  const plain = new Map<SealedColumn, string>();
  for (const column of SEALED_COLUMNS) {
    const [sealed = ''] = await sealedIn(column);
    plain.set(column, before.open(sealed, column.purpose));
  }
  expect(sumOf(await rotate())).toEqual({ resealed: SEALED_COLUMNS.length, left: 0, unreadable: 0 });
  for (const column of SEALED_COLUMNS) {
    const [sealed = ''] = await sealedIn(column);
    expect(after.open(sealed, column.purpose)).toBe(plain.get(column));
  }
  expect(new Set(plain.values()).size).toBe(SEALED_COLUMNS.length);
  const again = await rotate({ keyRing: K2 });
  expect(sumOf(again)).toEqual({ resealed: 0, left: 0, unreadable: 0 });
  expect(again.map(({ byKey }) => byKey)).toEqual(SEALED_COLUMNS.map(() => ({ k2: 1 })));
});

test('changes nothing else of a row, not its version either', async () => {
  await everything();
  const read = async (table: string) =>
    (await db.query<{ row: object }>(`SELECT to_jsonb(t) AS row FROM ${table} t`)).rows.map(({ row }) =>
      Object.fromEntries(Object.entries(row).filter(([name]) => !name.endsWith('_sealed'))),
    );
  const tables = [...new Set(SEALED_COLUMNS.map(({ table }) => table))];
  const earlier = await Promise.all(tables.map(read));
  await rotate();
  expect(await Promise.all(tables.map(read))).toEqual(earlier);
});

test('goes through many pages, rows without a value between them, and goes on where it was stopped', async () => {
  for (let i = 0; i < 250; i += 1) await payment(i % 5 === 0 ? null : `step ${i}`);
  const stopping = new AbortController();
  const pages = db.query.bind(db) as (...args: unknown[]) => unknown;
  let updates = 0;
  const stopped = Object.create(db) as Database;
  stopped.query = ((...args: unknown[]) => {
    if (String(args[0]).includes('UPDATE payments') && (updates += 1) === 1) stopping.abort();
    return pages(...args);
  }) as Database['query'];
  const first = await rotateKeys(stopped, { keyRing: RING, dryRun: false, stopping: stopping.signal });
  const { table, resealed = 0 } = first.at(-1) ?? {};
  // Of a page of 100; every fifth payment has none.
  expect([table, resealed > 50 && resealed < 100]).toEqual(['payments', true]);
  expect(updates).toBe(1);
  const second = (await rotate()).find((report) => report.table === 'payments');
  const left = 200 - resealed;
  expect(second).toMatchObject({ byKey: { k1: left, k2: resealed }, resealed: left, left: 0 });
  const steps = (await sealedIn({ table: 'payments', column: 'customer_step_sealed' })).map((sealed) =>
    after.open(sealed, 'payments.customer_step'),
  );
  expect(steps).toHaveLength(200);
  expect(new Set(steps).size).toBe(200);
});

test('waits for nobody: a row at work is left for a later pass, and what it was changed to stays', async () => {
  const [busy, free] = [await payment('old step'), await payment('free step')];
  const client = await db.connect();
  await client.query('BEGIN');
  const changed = after.seal('new step', 'payments.customer_step');
  await client.query('UPDATE payments SET customer_step_sealed = $1 WHERE payment_no = $2', [changed, busy]);
  const rotating = rotate();
  // Committed while the rotation waits for its next pass.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await client.query('COMMIT');
  client.release();
  expect((await rotating).find(({ table }) => table === 'payments')).toMatchObject({ resealed: 1, left: 0 });
  const { rows } = await db.query<{ payment_no: string; step: string }>(
    'SELECT payment_no, customer_step_sealed AS step FROM payments',
  );
  const steps = new Map(
    rows.map(({ payment_no, step }) => [payment_no, after.open(step, 'payments.customer_step')]),
  );
  expect(steps).toEqual(new Map([[busy, 'new step'], [free, 'free step']])); // prettier-ignore
});

test('beside processes that change the same rows nothing is lost', async () => {
  const numbers = await Promise.all(Array.from({ length: 60 }, () => payment('0')));
  const last = new Map<string, string>();
  let isOver = false;
  const writer = (async () => {
    for (let i = 1; !isOver; i += 1) {
      const no = numbers[i % numbers.length] ?? '';
      // Processes that have not been restarted yet seal with the old key.
      const box = i % 2 === 0 && i < 200 ? before : after;
      await db.query('UPDATE payments SET customer_step_sealed = $1 WHERE payment_no = $2', [
        box.seal(String(i), 'payments.customer_step'),
        no,
      ]);
      last.set(no, String(i));
    }
  })();
  const reports = await Promise.all([rotate(), rotate()]);
  isOver = true;
  await writer;
  const final = [...reports, await rotate()].at(-1) ?? [];
  expect(sumOf(final)).toMatchObject({ left: 0, unreadable: 0 });
  const { rows } = await db.query<{ no: string; step: string }>(
    'SELECT payment_no AS no, customer_step_sealed AS step FROM payments',
  );
  for (const { no, step } of rows)
    expect(after.open(step, 'payments.customer_step')).toBe(last.get(no) ?? '0');
  expect(last.size).toBeGreaterThan(10);
});

test('what cannot be opened is left as it is, counted and named', async () => {
  const lost = createSecretBox(keyOf('k0', 7)).seal('x', 'payments.customer_step');
  await payment('fine');
  const bad = await payment(null);
  await db.query('UPDATE payments SET customer_step_sealed = $1 WHERE payment_no = $2', [lost, bad]);
  const report = (await rotate()).find(({ table }) => table === 'payments');
  expect(report).toMatchObject({ byKey: { k0: 1, k1: 1 }, resealed: 1, left: 0, unreadable: 1 });
  expect(report?.unreadableRows).toEqual([`${merchantId}/${bad}`]);
  const { rows } = await db.query<{ no: string; step: string }>(
    'SELECT payment_no AS no, customer_step_sealed AS step FROM payments',
  );
  expect(new Map(rows.map((row) => [row.no, row.step])).get(bad)).toBe(lost);
});

describe('npm run keys:rotate', () => {
  const run = (ring: string, ...args: string[]): Promise<{ code: number; out: string }> =>
    new Promise((resolve) => {
      const command = ['--import', 'tsx', 'src/stores/rotate-main.ts', ...args];
      const env = { ...database.environment, HOLDFAST_ENCRYPTION_KEYS: ring };
      const child = execFile(process.execPath, command, { cwd: ROOT, env }, (_error, out, problems) =>
        resolve({ code: child.exitCode ?? -1, out: out + problems }),
      );
    });

  test('counts, rotates, and says what it did and whether the old key is needed', async () => {
    const counted = await run(RING, '--dry-run');
    expect(counted).toMatchObject({ code: 1 });
    expect(counted.out).toContain('Nothing was changed: 5 values would be sealed with k2.');
    const done = await run(RING);
    expect(done).toMatchObject({ code: 0 });
    expect(done.out).toMatch(/merchants\.webhook_secret_sealed +1 by k1; 1 re-sealed/);
    expect(done.out).toContain('5 values were sealed with k2.');
    expect(done.out).toContain('No older key is needed any more');
    expect(done.out).not.toContain('v1.');
    expect(await run(K1)).toMatchObject({ code: 1 });
    const odd = await run(RING, '--now');
    expect(odd).toMatchObject({ code: 1 });
    expect(odd.out).toContain('--dry-run is all there is');
    const wrong = await run('x');
    expect(wrong.out).toContain('HOLDFAST_ENCRYPTION_KEYS');
  });
});
