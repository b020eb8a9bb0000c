/** Routing's configuration in the database: one snapshot, one version, changes one after the other. */
import { compileConfig } from '../../src/domain/routing/config';
import { BUILT_IN_CONFIG, DEFAULT_CHANNELS, DEFAULT_POLICY } from '../../src/domain/routing/default-config';
import { estimateFee } from '../../src/domain/routing/cost';
import { createAccount, switchAccount } from '../../src/stores/channel-accounts';
import { createMerchant } from '../../src/stores/merchants';
import { createDatabase, withTransaction } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import {
  MAX_MERCHANT_SETTINGS,
  removeSetting,
  saveChannel,
  saveFee,
  saveMerchantRouting,
  saveRule,
} from '../../src/stores/routing-admin';
import type { Changed, ChangedBy } from '../../src/stores/routing-admin';
import { listAudit } from '../../src/stores/routing-audit';
import { loadRoutingConfig, readRoutingVersion, storedSettingsOf } from '../../src/stores/routing-config';
import type { FeeFields, RuleFields } from '../../src/stores/routing-rows';
import { createSecretBox } from '../../src/stores/secret-box';
import type { SecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

let database: TestDatabase;
let db: Database;
let box: SecretBox;
let merchantId: string;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
  merchantId = (await createMerchant(db, box, 'Routed')).live.id;
});
afterAll(async () => {
  await db.end();
  await database.drop();
});
beforeEach(async () => {
  await db.query('DELETE FROM routing_rules; DELETE FROM channel_fees; DELETE FROM routing_channels');
  await db.query('DELETE FROM merchant_routing');
});

const by: ChangedBy = { actor: 'admin', requestId: 'test' };
const ANY_FEE = { account_id: null, currency: null, country: null, basis_points: 100, fixed_minor: 0 };
const fee = (given: Partial<FeeFields> & Pick<FeeFields, 'channel'>): FeeFields => ({ ...ANY_FEE, ...given });
const rule = (given: Partial<RuleFields> = {}): RuleFields => ({
  ...{ order: 1, enabled: true, merchant_id: null, currency: null, country: null },
  ...{ min_amount: null, max_amount: null, channel: 'stripe', weight: 100 },
  ...given,
});

async function rowOf<Row>(changing: Promise<Changed<Row>>): Promise<Row> {
  const changed = await changing;
  if (!('row' in changed)) throw new Error(`refused: ${changed.refused}`);
  return changed.row;
}

const account = (channel: 'stripe' | 'paypal', owner: string | null) =>
  createAccount(db, box, {
    ...{ channel, world: 'live', merchantId: owner, name: channel },
    ...{ credentials: { key: 'k' }, contract: { multipleCaptures: true } },
  });

test('without a row it is the built-in one, with the accounts and a version of its own', async () => {
  const { version, accounts, ...rest } = await loadRoutingConfig(db);
  const { version: builtIn, ...same } = BUILT_IN_CONFIG;
  expect(rest).toEqual(same);
  expect(version).toBeGreaterThan(builtIn);
  expect(accounts).toEqual([]);
});

test('what is stored comes back in the words of the domain, and absent is absent', async () => {
  const settings = { ...DEFAULT_CHANNELS.paypal, weight: 7, multipleCaptures: true };
  await saveChannel(db, by, 'paypal', storedSettingsOf(settings));
  const ofStripe = await rowOf(saveFee(db, by, undefined, fee({ channel: 'stripe', currency: 'EUR' })));
  const stored = await rowOf(
    saveRule(db, by, undefined, rule({ merchant_id: merchantId, currency: 'USD', min_amount: 5 })),
  );
  const last = await rowOf(saveMerchantRouting(db, by, merchantId, { mode: null, smart: false }));
  const config = await loadRoutingConfig(db);
  expect(config.version).toBe(last.version);
  expect(config.channels.find(({ id }) => id === 'paypal')).toEqual(settings);
  expect(config.channels.find(({ id }) => id === 'stripe')).toEqual(DEFAULT_CHANNELS.stripe);
  expect(config.fees.filter(({ channel }) => channel === 'stripe')).toEqual([
    { id: ofStripe.id, channel: 'stripe', currency: 'EUR', basisPoints: 100, fixedMinor: 0 },
  ]);
  const taken = { id: stored.id, order: 1, enabled: true, merchantId, currency: 'USD', minAmount: 5 };
  expect(config.rules).toEqual([{ ...taken, channel: 'stripe', weight: 100 }]);
  expect(config.merchants).toEqual([{ merchantId, smart: false }]);
});

test('an account raises the version, and is there without its credentials and only while it is enabled', async () => {
  const before = await readRoutingVersion(db);
  const made = await account('stripe', null);
  expect(await readRoutingVersion(db)).toBe(before + 1);
  const expected = { id: made?.id, channel: 'stripe', world: 'live', merchantId: null };
  expect((await loadRoutingConfig(db)).accounts).toEqual([
    { ...expected, contract: { multipleCaptures: true }, switchedOff: false },
  ]);
  await withTransaction(db, (tx) => switchAccount(tx, by, made?.id ?? '', false));
  expect(await readRoutingVersion(db)).toBe(before + 2);
  expect((await loadRoutingConfig(db)).accounts).toMatchObject([{ id: made?.id, switchedOff: true }]);
  await db.query('UPDATE channel_accounts SET enabled = false');
  expect(await readRoutingVersion(db)).toBe(before + 3);
  expect((await loadRoutingConfig(db)).accounts).toEqual([]);
});

test('prices: an account’s rows before its fee table, before the channel’s rows, before the list price', async () => {
  const made = await account('paypal', merchantId);
  const feeOf = async (accountId: string | undefined, currency = 'USD') => {
    const { byId } = compileConfig(await loadRoutingConfig(db), DEFAULT_POLICY);
    const fees = byId.get('paypal')?.fees ?? { general: [], byAccount: new Map() };
    return estimateFee(fees, { amount: 10_000, currency }, accountId);
  };
  expect(await feeOf(made?.id)).toBe(349 + 49);
  await saveFee(db, by, undefined, fee({ channel: 'paypal', basis_points: 300 }));
  expect(await feeOf(made?.id)).toBe(300);
  const table = { basis_points: 200, fixed_minor_by_currency: { USD: 5 } };
  await db.query('UPDATE channel_accounts SET fees = $2 WHERE id = $1', [made?.id, table]);
  expect(await feeOf(made?.id)).toBe(205);
  const own = fee({ channel: 'paypal', account_id: made?.id ?? '', currency: 'USD' });
  await rowOf(saveFee(db, by, undefined, own));
  expect(await feeOf(made?.id)).toBe(100);
  expect(await feeOf(made?.id, 'EUR')).toBe(300);
  expect(await feeOf(undefined)).toBe(300);
});

test('a row that names an account leaves the list price to the others', async () => {
  const made = await account('stripe', merchantId);
  await rowOf(saveFee(db, by, undefined, fee({ channel: 'stripe', account_id: made?.id ?? '' })));
  const fees = (await loadRoutingConfig(db)).fees.filter(({ channel }) => channel === 'stripe');
  expect(fees.map(({ id }) => id)).toContain('stripe/USD');
});

test('what is refused changes nothing: no row, no version, no audit', async () => {
  const first = await rowOf(saveFee(db, by, undefined, fee({ channel: 'stripe' })));
  const before = [
    await readRoutingVersion(db),
    (await listAudit(db, {}, { after: undefined, limit: 100 })).length,
  ];
  const nobody = '00000000-0000-4000-8000-000000000000';
  expect(await saveFee(db, by, undefined, fee({ channel: 'stripe' }))).toEqual({
    refused: 'exists',
    id: first.id,
  });
  expect(await saveFee(db, by, nobody, fee({ channel: 'stripe' }))).toEqual({ refused: 'not_found' });
  const elsewhere = (await account('paypal', (await createMerchant(db, box, 'X')).live.id))?.id ?? '';
  const unknown = { refused: 'unknown', field: 'account_id' };
  expect(await saveFee(db, by, undefined, fee({ channel: 'stripe', account_id: elsewhere }))).toEqual(
    unknown,
  );
  expect(await saveRule(db, by, undefined, rule({ merchant_id: nobody }))).toMatchObject({
    refused: 'unknown',
  });
  expect(await saveMerchantRouting(db, by, nobody, { mode: 'cost', smart: null })).toEqual({
    refused: 'not_found',
  });
  const stale = { ...by, version: first.version - 1 };
  const changed = { refused: 'changed', version: first.version };
  expect(await saveFee(db, stale, first.id, fee({ channel: 'stripe', basis_points: 1 }))).toEqual(changed);
  expect(await removeSetting(db, stale, 'fee', first.id)).toEqual(changed);
  expect(await removeSetting(db, by, 'channel', 'stripe')).toEqual({ refused: 'not_found' });
  const [version = 0, audited] = before;
  // The account alone.
  expect(await readRoutingVersion(db)).toBe(version + 1);
  expect(await listAudit(db, {}, { after: undefined, limit: 100 })).toHaveLength(audited ?? 0);
});

test('there are as many rules and merchants as there may be, and not one more', async () => {
  await db.query(`INSERT INTO routing_rules (id, rule_order, enabled, channel, weight, version)
    SELECT gen_random_uuid(), 1, true, 'stripe', 1, 1 FROM generate_series(1, 499)`);
  const kept = await rowOf(saveRule(db, by, undefined, rule()));
  expect(await saveRule(db, by, undefined, rule())).toEqual({ refused: 'limit', limit: 500 });
  expect(await saveRule(db, by, kept.id, rule({ weight: 5 }))).toMatchObject({ row: { weight: 5 } });
  expect(MAX_MERCHANT_SETTINGS).toBe(10_000);
});

test('two at once: both changes are there, each with its version, each in the audit', async () => {
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, index) => rowOf(saveRule(db, by, undefined, rule({ order: index })))),
  );
  const versions = new Set(made.map(({ version }) => version));
  expect(versions.size).toBe(20);
  const audited = await listAudit(db, { entity: 'rule' }, { after: undefined, limit: 20 });
  expect(new Set(audited.map(({ version }) => version))).toEqual(versions);
  expect(audited.map(({ version }) => version)).toEqual([...versions].sort((a, b) => b - a));
  const [one] = made;
  const known = { ...by, version: one?.version };
  const raced = await Promise.all([1, 2].map((weight) => saveRule(db, known, one?.id, rule({ weight }))));
  expect(raced.filter((each) => 'row' in each)).toHaveLength(1);
  expect(raced.filter((each) => 'refused' in each && each.refused === 'changed')).toHaveLength(1);
});

test('the audit is only ever added to', async () => {
  await saveRule(db, by, undefined, rule());
  for (const sql of [
    'UPDATE routing_audit SET actor = $$x$$',
    'DELETE FROM routing_audit',
    'TRUNCATE routing_audit',
  ])
    await expect(db.query(sql)).rejects.toThrow('only ever added to');
});

test('a snapshot is never torn: a pair of rules and their version change as one', async () => {
  const CHANGES = 200;
  const pair = `INSERT INTO routing_rules (id, rule_order, enabled, channel, weight, version)
    SELECT gen_random_uuid(), n, true, 'stripe', 1, 1 FROM generate_series(1, 2) n`;
  await db.query(pair);
  let isOver = false;
  const writer = async () => {
    for (let weight = 2; weight <= CHANGES; weight += 1)
      await withTransaction(db, async (tx) => {
        const raised = await tx.query<{ version: number }>(
          'UPDATE routing_version SET version = version + 1 RETURNING version',
        );
        const values = [(weight % 1000) + 1, raised.rows[0]?.version];
        const set = 'UPDATE routing_rules SET weight = $1, version = $2 WHERE rule_order = ';
        await tx.query(`${set}1`, values);
        await tx.query(`${set}2`, values);
      });
    isOver = true;
  };
  const seen = new Map<number, number>();
  const reader = async () => {
    let last = 0;
    while (!isOver) {
      const { version, rules } = await loadRoutingConfig(db);
      const weights = new Set(rules.map(({ weight }) => weight));
      expect(weights.size).toBe(1);
      const [weight = 0] = weights;
      expect(seen.get(version) ?? weight).toBe(weight);
      expect(version).toBeGreaterThanOrEqual(last);
      last = version;
      seen.set(version, weight);
    }
  };
  await Promise.all([writer(), reader(), reader(), reader()]);
  expect(seen.size).toBeGreaterThan(10);
});
