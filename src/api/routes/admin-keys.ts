/** Keys of operators, each with a name and a role. The key of the environment, root, is none of them. */
import { z } from 'zod';
import { ADMIN_ROLES, ROOT_NAME } from '../../domain/admin-role';
import { fail } from '../../domain/errors';
import { UNNAMED } from '../../stores/admin-audit';
import * as store from '../../stores/admin-keys';
import { withTransaction } from '../../stores/postgres';
import type { Database } from '../../stores/postgres';
import type { Listed } from '../../stores/page';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';

const uuid = z.uuid();
const PATH = '/api/v1/admin/keys';
const admin = { tag: 'Administration', auth: 'admin', path: PATH } as const;

/** In the audit these are others than an operator. */
const TAKEN: ReadonlySet<string> = new Set([ROOT_NAME, UNNAMED, 'merchant', 'admin', 'api', 'web-ui']);

const keyName = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/)
  .refine((name) => !TAKEN.has(name.toLowerCase()), 'is a name that no key may have');

const keyView = z.object({
  id: uuid,
  name: z.string().describe('Who it is in the audit'),
  role: z.enum(ADMIN_ROLES),
  display: z.string().describe('The first characters, to recognise the key by'),
  created_by: z.string(),
  created_at: z.iso.datetime(),
  revoked_at: z.iso.datetime().nullable(),
  revoked_by: z.string().nullable(),
});

const show = (row: store.AdminKeyRow): z.infer<typeof keyView> => ({
  ...{ id: row.id, name: row.name, role: row.role, display: row.display, created_by: row.created_by },
  created_at: row.created_at.toISOString(),
  revoked_at: row.revoked_at?.toISOString() ?? null,
  revoked_by: row.revoked_by,
});

export function adminKeyRoutes({ db }: { readonly db: Database }): Route[] {
  return [createRoute(db), listRoute(db), revokeRoute(db)];
}

function createRoute(db: Database): Route {
  return defineRoute({
    ...admin,
    method: 'post',
    idempotent: true,
    summary: 'Issue a key to an operator',
    description:
      'The key is shown only here. A viewer reads; an operator besides unblocks merchants, resolves discrepancies and sees ' +
      'to money that is stuck; an admin does everything. Of two keys that work none has the name of the other.',
    request: { body: z.strictObject({ name: keyName, role: z.enum(ADMIN_ROLES) }) },
    responses: { 201: { description: 'Issued', schema: keyView.extend({ key: z.string() }) } },
    errors: ['ADMIN_KEY_EXISTS', 'ADMIN_KEY_LIMIT'],
    handler: ({ body, caller, requestId, idem }) =>
      idem.runWithin(db, async (tx) => {
        const created = await store.createAdminKey(tx, { actor: caller.name, requestId }, body);
        if (created === 'name_taken') throw fail('ADMIN_KEY_EXISTS');
        if (created === 'too_many') throw fail('ADMIN_KEY_LIMIT', { limit: store.MAX_ADMIN_KEYS });
        return { status: 201, data: { ...show(created.row), key: created.key } };
      }),
  });
}

function listRoute(db: Database): Route {
  return defineRoute({
    ...admin,
    method: 'get',
    summary: "List operators' keys, newest first",
    request: { query: z.strictObject(pageQuery) },
    responses: { 200: { description: 'One page', schema: pageSchema(keyView) } },
    errors: [],
    async handler({ query }) {
      const page = pageOf(query, uuid);
      const rows = await store.listAdminKeys(db, { ...page, limit: page.limit + 1 });
      const placeOf = (row: Listed<store.AdminKeyRow>) => ({ micros: row.created_at_micros, id: row.id });
      return { status: 200, data: pageAnswer(rows, page.limit, placeOf, show) };
    },
  });
}

function revokeRoute(db: Database): Route {
  return defineRoute({
    ...admin,
    method: 'delete',
    path: `${PATH}/{key_id}`,
    summary: "Revoke an operator's key",
    description: 'Works within 5 seconds everywhere. Revoking it again changes nothing.',
    request: { params: z.strictObject({ key_id: uuid }) },
    responses: { 200: { description: 'Revoked', schema: keyView } },
    errors: ['NOT_FOUND'],
    async handler({ params, caller, requestId }) {
      const by = { actor: caller.name, requestId };
      const row = await withTransaction(db, (tx) => store.revokeAdminKey(tx, by, params.key_id));
      if (row === undefined) throw fail('NOT_FOUND');
      return { status: 200, data: show(row) };
    },
  });
}
