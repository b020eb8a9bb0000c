/** Operators' keys: issued, used as far as their role reaches, revoked; and what the audit keeps of all of it. */
import { z } from 'zod';
import { adminAuditRoute } from '../../src/api/routes/admin-audit';
import { adminKeyRoutes } from '../../src/api/routes/admin-keys';
import { adminSwitchRoutes } from '../../src/api/routes/admin-switches';
import { reconciliationRoutes } from '../../src/api/routes/admin-reconciliation';
import { defineRoute } from '../../src/api/route';
import { MAX_ADMIN_KEYS } from '../../src/stores/admin-keys';
import { startApi } from './harness';
import type { Answer, ApiHarness } from './harness';

const whoAmI = defineRoute({
  ...{ method: 'get', path: '/t/operator', summary: 'Who calls', tag: 'Test', auth: 'admin' },
  request: { query: z.strictObject({}) },
  ...{ responses: {}, errors: [] },
  handler: ({ caller }) => Promise.resolve({ status: 200, data: caller }),
});

let api: ApiHarness;
let root: string;
let names = 0;

beforeAll(async () => {
  api = await startApi(({ db }) => [
    ...[whoAmI, ...adminKeyRoutes({ db }), adminAuditRoute({ db }), ...adminSwitchRoutes({ db })],
    ...reconciliationRoutes({ db }),
  ]);
  root = api.config.HOLDFAST_ADMIN_KEY;
});
afterAll(() => api?.close());

const KEYS = '/api/v1/admin/keys';
const AUDIT = '/api/v1/admin/audit';
const ask = (key: string, method: string, path: string, json?: unknown, headers = {}): Promise<Answer> =>
  api.request(method, path, { key, headers, ...(json === undefined ? {} : { json }) });
const newName = () => `ann-${(names += 1)}`;

interface Issued {
  readonly id: string;
  readonly key: string;
  readonly name: string;
}

async function issue(role: string, name = newName()): Promise<Issued> {
  const { status, json } = await ask(root, 'POST', KEYS, { name, role });
  expect([status, json.data['role'], json.data['created_by']]).toEqual([201, role, 'root']);
  return json.data as unknown as Issued;
}

interface Entry {
  readonly id: number;
  readonly actor: string;
  readonly action: string;
  readonly [field: string]: unknown;
}

async function audit(query: string): Promise<Entry[]> {
  const { status, json } = await ask(root, 'GET', `${AUDIT}?${query}`);
  expect(status).toBe(200);
  return json.data['items'] as Entry[];
}

describe('keys', () => {
  it('work at once under their name and role, are shown once, and stop within 5 seconds', async () => {
    const { id, key, name } = await issue('viewer');
    expect(key).toMatch(/^hf_admin_[0-9A-Za-z]{40}$/);
    const caller = { kind: 'admin', name, role: 'viewer', keyId: id };
    expect((await ask(key, 'GET', '/t/operator')).json.data).toEqual(caller);
    const listed = await ask(key, 'GET', KEYS);
    expect(listed.json.data['items']).toContainEqual(
      expect.objectContaining({ id, name, display: key.slice(0, 13), revoked_at: null }),
    );
    expect(listed.text).not.toContain(key);
    const rows = await api.db.query('SELECT to_jsonb(k) AS row FROM admin_keys k');
    expect(JSON.stringify(rows.rows)).not.toContain(key.slice(13));

    const revoked = await ask(root, 'DELETE', `${KEYS}/${id}`);
    expect(revoked.json.data).toMatchObject({ id, revoked_by: 'root' });
    expect((await ask(root, 'DELETE', `${KEYS}/${id}`)).json.data).toEqual(revoked.json.data);
    api.advanceMs(5_000);
    expect((await ask(key, 'GET', '/t/operator')).status).toBe(401);
    expect((await audit(`entity=key&entity_id=${id}&action=key.revoke`)).length).toBe(1);
  });

  it('are looked up by more than their looks', async () => {
    for (const key of [`hf_admin_${'a'.repeat(40)}`, `hf_admin_${'a'.repeat(39)}`])
      expect((await ask(key, 'GET', '/t/operator')).status).toBe(401);
    const { json } = await ask(root, 'GET', '/t/operator');
    expect(json.data).toEqual({ kind: 'admin', name: 'root', role: 'admin', keyId: null });
  });

  it.each(['', 'root', 'Merchant', 'temporal', 'a@b.example', 'ann\u0000', '-ann', 'x'.repeat(101)])(
    'have no such name: %j',
    async (name) => {
      const { status, json } = await ask(root, 'POST', KEYS, { name, role: 'viewer' });
      expect([status, json.details?.issues?.[0]?.path]).toEqual([400, 'name']);
    },
  );

  it('share no name while they work, also when issued at once', async () => {
    const name = newName();
    const answers = await Promise.all(
      [name, name.toUpperCase(), name].map((each) => ask(root, 'POST', KEYS, { name: each, role: 'admin' })),
    );
    expect(answers.map(({ json }) => json.code).sort()).toEqual([
      ...['ADMIN_KEY_EXISTS', 'ADMIN_KEY_EXISTS', 'SUCCESS'],
    ]);
    const made = answers.find(({ status }) => status === 201)?.json.data as unknown as Issued;
    await ask(root, 'DELETE', `${KEYS}/${made.id}`);
    await issue('admin', name);
  });

  it('are repeated to their own Idempotency-Key only', async () => {
    const admin = await issue('admin');
    const headers = { 'idempotency-key': 'one-key' };
    const body = { name: newName(), role: 'operator' };
    const first = await ask(root, 'POST', KEYS, body, headers);
    const again = await ask(root, 'POST', KEYS, body, headers);
    expect([again.status, again.json.data]).toEqual([201, first.json.data]);
    const others = await ask(admin.key, 'POST', KEYS, body, headers);
    expect(others.json.code).toBe('ADMIN_KEY_EXISTS');
    expect(others.text).not.toContain((first.json.data as unknown as Issued).key);
  });

  it('are not more than may be', async () => {
    await api.db.query(
      `INSERT INTO admin_keys (id, name, role, display, key_hash, created_by)
       SELECT gen_random_uuid(), 'many-' || n, 'viewer', 'x', decode(md5(n::text), 'hex'), 'test' FROM generate_series(1, $1) n`,
      [MAX_ADMIN_KEYS],
    );
    const { status, json } = await ask(root, 'POST', KEYS, { name: newName(), role: 'viewer' });
    expect([status, json.code, json.details]).toEqual([422, 'ADMIN_KEY_LIMIT', { limit: MAX_ADMIN_KEYS }]);
    await api.db.query(`DELETE FROM admin_keys WHERE name LIKE 'many-%'`);
  });
});

describe('roles', () => {
  it('reach as far as they do, and the refusal says which is wanted', async () => {
    const [viewer, operator, admin] = [await issue('viewer'), await issue('operator'), await issue('admin')];
    const resolve = '/api/v1/admin/discrepancies/00000000-0000-4000-8000-000000000000/resolve';
    const body = { by: 'ann', reason: 'seen' };
    const merchants = { name: 'Hotel' };
    const answers = [
      await ask(viewer.key, 'POST', resolve, body),
      await ask(viewer.key, 'POST', '/api/v1/admin/merchants', merchants),
      await ask(operator.key, 'POST', '/api/v1/admin/merchants', merchants),
      await ask(operator.key, 'POST', resolve, body),
      await ask(admin.key, 'POST', '/api/v1/admin/merchants', merchants),
      await ask(viewer.key, 'GET', '/api/v1/admin/merchants'),
    ];
    expect(answers.map(({ status, json }) => [status, json.code, json.details])).toEqual([
      [403, 'FORBIDDEN', { role: 'operator', has: 'viewer' }],
      [403, 'FORBIDDEN', { role: 'admin', has: 'viewer' }],
      [403, 'FORBIDDEN', { role: 'admin', has: 'operator' }],
      [404, 'NOT_FOUND', undefined],
      [201, 'SUCCESS', undefined],
      [200, 'SUCCESS', undefined],
    ]);
    const chinese = await ask(viewer.key, 'POST', resolve, body, { 'accept-language': 'zh' });
    expect(chinese.json.message).toBe('此操作需要角色为 operator 的管理密钥。');
  });

  it('no operator’s key is a merchant’s, and none of these is an operator’s', async () => {
    const { key } = await issue('admin');
    expect((await ask(api.merchantKey, 'GET', KEYS)).json).toMatchObject({ code: 'FORBIDDEN' });
    expect((await ask(key, 'GET', '/t/operator')).status).toBe(200);
  });
});

describe('the audit', () => {
  it('has every request that was to change something, refused ones too, with what it came to', async () => {
    const operator = await issue('operator');
    const headers = (name: string) => ({ 'x-request-id': name });
    const merchant = `/api/v1/admin/merchants/${api.merchant.id}`;
    await ask(operator.key, 'PUT', `${merchant}/status`, { status: 'suspended' }, headers('r-refused'));
    await ask(operator.key, 'PUT', `${merchant}%00/status`, { status: 'suspended' }, headers('r-nul'));
    await ask(root, 'PUT', `${merchant}/status`, { status: 'suspended' }, headers('r-done'));
    await ask(root, 'PUT', `${merchant}/status`, { status: 'suspended' }, headers('r-again'));
    await ask(root, 'PUT', `${merchant}/status`, { status: 'active' }, headers('r-lifted'));
    await ask(root, 'DELETE', `${KEYS}/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}`, undefined, headers('r-none'));
    await ask(root, 'GET', merchant, undefined, headers('r-read'));
    const action = 'put /api/v1/admin/merchants/{merchant_id}/status';
    const object = { entity: 'merchant', entity_id: api.merchant.id };
    const [refused] = await audit('request_id=r-refused');
    expect(refused).toMatchObject({
      ...{ via: 'api', actor: operator.name, key_id: operator.id, role: 'operator', action, ...object },
      ...{ params: { merchant_id: api.merchant.id }, status: 403, code: 'FORBIDDEN', before: null, after: null },
    });
    expect(await audit('request_id=r-nul')).toMatchObject([{ entity_id: `${api.merchant.id}?`, status: 403 }]);
    expect(await audit('request_id=r-done')).toMatchObject([
      { actor: 'root', action: 'merchant.status', ...object, before: { status: 'active' }, after: { status: 'suspended' } },
      { actor: 'root', role: 'admin', key_id: null, action, ...object, status: 200, code: 'SUCCESS' },
    ]);
    expect(await audit('request_id=r-again')).toMatchObject([{ action, status: 200 }]);
    expect(await audit('request_id=r-lifted')).toHaveLength(2);
    expect(await audit('request_id=r-none')).toMatchObject([{ entity: 'key', status: 404, code: 'NOT_FOUND' }]);
    expect(await audit('request_id=r-read')).toEqual([]);
  });

  it('names what was made, and keeps no secret', async () => {
    const made = await issue('admin');
    const [entry] = await audit(`entity=key&entity_id=${made.id}&action=post%20/api/v1/admin/keys`);
    expect(entry).toMatchObject({ entity_id: made.id, status: 201 });
    const { json } = await ask(made.key, 'POST', '/api/v1/admin/channel-accounts', {
      ...{ channel: 'stripe', world: 'test', name: 'Main' },
      credentials: { secret_key: 'sk_test_not_to_be_kept', webhook_secret: 'whsec_not_to_be_kept' },
    });
    const [account] = await audit(`actor=${made.name}&limit=1`);
    expect(account).toMatchObject({ entity: 'channel-account', entity_id: json.data['id'], key_id: made.id });
    const { rows } = await api.db.query('SELECT a::text, o::text AS outcome FROM admin_audit a FULL JOIN admin_audit_outcomes o ON o.audit_id = a.id');
    expect(rows.length).toBeGreaterThan(20);
    expect(JSON.stringify(rows)).not.toMatch(/not_to_be_kept|hf_admin_[0-9A-Za-z]{5,}/);
  });

  it('is read page by page, each entry once, the latest first, by time too', async () => {
    const seen: number[] = [];
    for (let cursor = ''; ; ) {
      const { json } = await ask(root, 'GET', `${AUDIT}?actor=root&limit=7${cursor}`);
      seen.push(...(json.data['items'] as Entry[]).map(({ id }) => id));
      const next = json.data['next_cursor'] as string | null;
      if (next === null) break;
      cursor = `&cursor=${next}`;
    }
    expect(seen.length).toBeGreaterThan(14);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => b - a));
    expect(await audit('to=2020-01-01T00:00:00Z')).toEqual([]);
    expect(await audit('from=2999-01-01T00:00:00Z')).toEqual([]);
    expect((await ask(root, 'GET', `${AUDIT}?cursor=x`)).status).toBe(400);
  });

  it.each(['admin_audit', 'admin_audit_outcomes'])('is never changed: %s', async (table) => {
    const statements = [`UPDATE ${table} SET created_at = now()`, `DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`];
    for (const sql of statements) await expect(api.db.query(sql)).rejects.toThrow('only ever added to');
  });

  it('comes first: what cannot be noted is not done', async () => {
    await api.db.query('ALTER TABLE admin_audit RENAME TO admin_audit_away');
    const name = newName();
    const { status } = await ask(root, 'POST', '/api/v1/admin/merchants', { name });
    await api.db.query('ALTER TABLE admin_audit_away RENAME TO admin_audit');
    const { rows } = await api.db.query('SELECT 1 FROM merchants WHERE name = $1', [name]);
    expect([status, rows.length]).toEqual([500, 0]);
  });
}); // prettier-ignore
