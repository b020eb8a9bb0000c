/** Who has changed what of routing's configuration: read only, for there is no way to change it. */
import type { Queryable } from '../../stores/postgres';
import { listAudit } from '../../stores/routing-audit';
import type { AuditRow } from '../../stores/routing-audit';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';
import { auditCursor, auditQuery, auditView } from '../routing/schemas';
import { showAudit } from '../routing/view';

export function routingAuditRoute({ db }: { readonly db: Queryable }): Route {
  return defineRoute({
    tag: 'Administration',
    auth: 'admin',
    method: 'get',
    path: '/api/v1/admin/routing/audit',
    summary: 'Who has changed what of routing, the latest first',
    request: { query: auditQuery },
    responses: { 200: { description: 'One page', schema: pageSchema(auditView) } },
    errors: [],
    handler: async ({ query }) => {
      const page = pageOf(query, auditCursor);
      const { entity, entity_id: entityId, actor, from, to } = query;
      const filter = { entity, entityId, actor, from: dateOf(from), to: dateOf(to) };
      const rows = await listAudit(db, filter, { ...page, limit: page.limit + 1 });
      const placeOf = (row: AuditRow) => ({ micros: row.created_at_micros, id: String(row.id) });
      return { status: 200, data: pageAnswer(rows, page.limit, placeOf, showAudit) };
    },
  });
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}
