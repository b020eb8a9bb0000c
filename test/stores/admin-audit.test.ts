/** Who changed limits lately: what the processes ask every few seconds, over an audit that only grows. */
import { appendAdminAudit, READ_LIMIT_CHANGES, readLimitChanges } from '../../src/stores/admin-audit';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const BY = { actor: 'admin', requestId: 'a test' };
const OLD = `
INSERT INTO admin_audit (actor, request_id, action, entity, entity_id, created_at)
SELECT 'admin', 'old', 'merchant.limits', 'merchant', n::text, now() - make_interval(secs => 120 + n)
FROM generate_series(1, 50000) n`;

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDatabase(database.config, () => undefined);
  await db.query(OLD);
  await db.query('ANALYZE admin_audit');
});
afterAll(async () => {
  await db.end();
  await database.drop();
});

test('merchants by name, each once, within the time; a tier is all of them; what is no limit is nobody', async () => {
  expect(await readLimitChanges(db, 30)).toEqual({ tiers: false, merchantIds: [] });
  await appendAdminAudit(db, { ...BY, action: 'merchant.unblock', entityId: 'one' });
  await appendAdminAudit(db, { ...BY, action: 'merchant.signing', entityId: 'one' });
  expect(await readLimitChanges(db, 30)).toEqual({ tiers: false, merchantIds: [] });
  await appendAdminAudit(db, { ...BY, action: 'merchant.tier', entityId: 'two' });
  await appendAdminAudit(db, { ...BY, action: 'merchant.limits', entityId: 'two' });
  expect(await readLimitChanges(db, 30)).toEqual({ tiers: false, merchantIds: ['two'] });
  await appendAdminAudit(db, { ...BY, action: 'tier.replace', entityId: 'starter' });
  expect(await readLimitChanges(db, 30)).toEqual({ tiers: true, merchantIds: ['two'] });
  const longer = new Set((await readLimitChanges(db, 200)).merchantIds);
  expect(['two', '1', '40', '100', '50000'].map((id) => longer.has(id))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test('the old ones are not read for it', async () => {
  const { rows } = await db.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${READ_LIMIT_CHANGES}`, [
    30,
    ['merchant.tier'],
  ]);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toContain('admin_audit_list');
  expect(plan).not.toContain('Seq Scan');
});
