/** Every route of operators says who may call it, and the frame goes by it: of all routes that there are. */
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { apiDocument } from '../../dev/api-document';
import { buildApp } from '../../src/api/build-app';
import type { ApiParts } from '../../src/api/build-app';
import { createAdminKey } from '../../src/stores/admin-keys';
import { createDatabase, withTransaction } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

interface AdminRoute {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly role: string | undefined;
}

let routes: AdminRoute[];
let database: TestDatabase;
let db: Database;
let url: string;
let close: () => void;

/** Stands in the place of a part that nobody comes to. */
const nothing: unknown = new Proxy(() => undefined, {
  get: (_, name) => (name === 'then' || name === Symbol.toPrimitive ? undefined : nothing),
  apply: () => nothing,
});

beforeAll(async () => {
  const { paths } = await apiDocument();
  routes = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, { security: object[]; description?: string }>)
      .filter(([, { security }]) => security.some((one) => 'admin' in one))
      .map(([method, { description }]) => ({
        ...{ name: `${method} ${path}`, method, path },
        role: /Role: (\w+)\.$/.exec(description ?? '')?.[1],
      })),
  );
  database = await createTestDatabase();
  const { config } = database;
  db = createDatabase(config, () => undefined);
  const log = pino({ level: 'silent' });
  const known = {
    config,
    db,
    log,
    tracing: undefined,
    box: createSecretBox(config.HOLDFAST_ENCRYPTION_KEYS),
  };
  const parts = new Proxy(known as unknown as ApiParts, {
    get: (target, name: keyof ApiParts) => (name in target ? target[name] : nothing),
  });
  const server = buildApp(parts).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    server.close();
  };
});
afterAll(async () => {
  close?.();
  await db?.end();
  await database?.drop();
});

test('a GET is a viewer’s; what changes something is nobody’s who only looks; who sees to what got stuck needs no more', () => {
  expect(routes.length).toBeGreaterThan(35);
  expect(routes.filter(({ role }) => role === undefined)).toEqual([]);
  const reads = routes.filter(({ method }) => method === 'get');
  expect(new Set(reads.map(({ role }) => role))).toEqual(new Set(['viewer']));
  const changes = routes.filter(({ method }) => method !== 'get');
  expect(changes.filter(({ role }) => role === 'viewer')).toEqual([]);
  expect(changes.filter(({ role }) => role === 'operator').map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'post /api/v1/admin/merchants/{merchant_id}/unblock',
      'post /api/v1/admin/discrepancies/{id}/resolve',
    ]),
  );
  const ofAdmins = /keys|request-signing|status|switch|tiers|routing|channel-accounts/;
  expect(changes.filter(({ name, role }) => ofAdmins.test(name) && role !== 'admin')).toEqual([]);
});

test('every one that changes something refuses the role below its own, and the refusal is in the audit', async () => {
  const keyOf = async (role: 'viewer' | 'operator') => {
    const by = { actor: 'test', requestId: 'test' };
    const created = await withTransaction(db, (tx) => createAdminKey(tx, by, { name: `a ${role}`, role }));
    if (typeof created === 'string') throw new Error(created);
    return created.key;
  };
  const keys = { viewer: await keyOf('viewer'), operator: await keyOf('operator') };
  const changes = routes.filter(({ method }) => method !== 'get');
  for (const { name, method, path, role } of changes) {
    const has = role === 'admin' ? 'operator' : 'viewer';
    const response = await fetch(`${url}${path.replace(/\{\w+\}/g, 'x')}`, {
      ...{ method: method.toUpperCase(), headers: { authorization: `Bearer ${keys[has]}` } },
    });
    const { code, details } = (await response.json()) as { code: string; details: unknown };
    expect([name, response.status, code, details]).toEqual([name, 403, 'FORBIDDEN', { role, has }]);
  }
  const { rows } = await db.query<{ action: string }>(
    `SELECT action FROM admin_audit a JOIN admin_audit_outcomes o ON o.audit_id = a.id WHERE code = 'FORBIDDEN' ORDER BY a.id`,
  );
  expect(rows.map(({ action }) => action)).toEqual(changes.map(({ name }) => name));
});
