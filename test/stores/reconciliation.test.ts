/** The walk of reconciliation: what it meets, in which order, and where a run that was cut is carried on. */
import { randomUUID } from 'node:crypto';
import { createAccount } from '../../src/stores/channel-accounts';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import {
  findAccountsToReconcile,
  findNextObjects,
  readCursor,
  saveCursor,
} from '../../src/stores/reconciliation';
import type { Position } from '../../src/stores/reconciliation';
import { createSecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const THREE_DAYS = 3 * 86_400;
const LONG_AGO = '2020-01-01T00:00:00Z';

let database: TestDatabase;
let db: Database;
let merchantId: string;
let accountId: string;
let emptyAccountId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  merchantId = (await createMerchant(db, box, 'Walk')).live.id;
  const accountOf = async (channel: 'stripe' | 'paypal') => {
    const named = { channel, world: 'live', merchantId: null, name: channel } as const;
    return (await createAccount(db, box, { ...named, credentials: {}, contract: {} }))?.id ?? '';
  };
  accountId = await accountOf('stripe');
  emptyAccountId = await accountOf('paypal');
  await hold('live-1', null);
  await hold('live-2', null);
  await hold('old', '73 hours');
  await hold('two-days', '48 hours');
  await hold('just-now', '1 second');
  await hold('an-hour', '1 hour');
});
afterAll(async () => {
  await db?.end();
  await database?.drop();
});

async function hold(no: string, closedAgo: string | null): Promise<void> {
  await db.query(
    `INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, currency, amount, status, body_hash,
       expires_at, closed_at)
     VALUES ($1, $2, $2, 'live', 'stripe', $3, 'USD', 500, $5, '', now(), now() - $4::interval)`,
    [merchantId, no, accountId, closedAgo, closedAgo === null ? 'requires_capture' : 'canceled'],
  );
}

/** Walks as reconciliation does, in steps of two. */
async function walk(startedAt: string, steps: number): Promise<string[]> {
  const met: string[] = [];
  for (let step = 0; step < steps; step++) {
    const after = await readCursor(db, accountId, 'pre_auth', startedAt);
    if (after === undefined) break;
    const from = { accountId, kind: 'pre_auth', after, closedWithinSeconds: THREE_DAYS } as const;
    const page = await findNextObjects(db, from, 2);
    met.push(...page.map(({ object }) => object.no));
    await saveCursor(db, accountId, 'pre_auth', page.length < 2 ? undefined : page.at(-1)?.position);
  }
  return met;
}

const now = async () => (await findAccountsToReconcile(db, THREE_DAYS, 10)).startedAt;

it('meets live ones first, then those closed last, each once, however often it is cut', async () => {
  const first = await now();
  expect(await walk(first, 1)).toEqual(['live-2', 'live-1']);
  const second = await now();
  expect(await walk(second, 1)).toEqual(['just-now', 'an-hour']);
  expect(await walk(await now(), 9)).toEqual(['two-days']);
  expect(await readCursor(db, accountId, 'pre_auth', second)).toBeUndefined();
  expect(await walk(second, 9)).toEqual([]);
});

it('begins anew in the next run', async () => {
  expect(await walk(await now(), 9)).toEqual(['live-2', 'live-1', 'just-now', 'an-hour', 'two-days']);
});

it('names the accounts that have something to look at', async () => {
  const { accountIds } = await findAccountsToReconcile(db, THREE_DAYS, 10);
  expect(accountIds).toEqual([accountId]);
  expect(accountIds).not.toContain(emptyAccountId);
});

it('keeps the place of an account to the microsecond', async () => {
  const position: Position = { closedAt: '2026-01-31 10:00:00.123457+00', merchantId: randomUUID(), no: 'x' };
  await saveCursor(db, emptyAccountId, 'refund', position);
  const read = await readCursor(db, emptyAccountId, 'refund', LONG_AGO);
  expect({ ...read, closedAt: new Date(read?.closedAt ?? 0).getTime() }).toEqual({
    ...position,
    closedAt: Date.parse('2026-01-31T10:00:00.123Z'),
  });
  expect(read?.closedAt).toContain('.123457');
});
