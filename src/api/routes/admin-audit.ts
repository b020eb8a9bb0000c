/** What operators have done: read only, for there is no way to change it. */
import { z } from 'zod';
import { AUDIT_VIAS, listAdminAudit } from '../../stores/admin-audit-list';
import type { AdminAuditRow } from '../../stores/admin-audit-list';
import type { Listed } from '../../stores/page';
import type { Queryable } from '../../stores/postgres';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';

const text = (max: number) => z.string().min(1).max(max).optional();
const instant = z.iso.datetime({ offset: true }).optional();
const query = z.strictObject({
  ...pageQuery,
  actor: text(100),
  action: text(150),
  entity: text(60).describe('merchant, channel-account, key, tier, pre_auth, payment, refund, ...'),
  entity_id: text(150),
  request_id: text(100),
  from: instant.describe('Inclusive'),
  to: instant.describe('Exclusive'),
});
const cursor = z.string().regex(/^\d{1,18}$/);

const entryView = z.object({
  id: z.int(),
  via: z
    .enum(AUDIT_VIAS)
    .describe('temporal: a word to a workflow, and actor is the name that was typed there'),
  actor: z.string().describe("The admin key's name; merchant: itself"),
  key_id: z.uuid().nullable(),
  role: z.string().nullable(),
  request_id: z.string().describe('Of a word to a workflow the command or call it led to'),
  action: z
    .string()
    .describe('The route of a request; else what was changed (merchant.status) or said (signal.capture)'),
  entity: z.string(),
  entity_id: z.string().nullable(),
  params: z.record(z.string(), z.string()).nullable().describe('Of the address'),
  before: z.record(z.string(), z.unknown()).nullable(),
  after: z.record(z.string(), z.unknown()).nullable(),
  status: z
    .int()
    .nullable()
    .describe('Of HTTP; null: no request, or its process ended before it was answered'),
  code: z.string().nullable(),
  created_at: z.iso.datetime(),
});

const show = ({ created_at_micros: _, created_at: at, ...row }: Listed<AdminAuditRow>) => ({
  ...{ ...row, created_at: at.toISOString() },
});

const dateOf = (given: string | undefined) => (given === undefined ? undefined : new Date(given));

export function adminAuditRoute({ db }: { readonly db: Queryable }): Route {
  return defineRoute({
    tag: 'Administration',
    auth: 'admin',
    method: 'get',
    path: '/api/v1/admin/audit',
    summary: 'What operators have asked for and changed, the latest first',
    description:
      'Every request that is to change something stands here from before it is carried out, also where the role of the key ' +
      'did not reach, and with the same request_id what it changed; so does what operators told workflows in Temporal, once it took effect. Changes of routing ' +
      'with what they changed: /api/v1/admin/routing/audit.',
    request: { query },
    responses: { 200: { description: 'One page', schema: pageSchema(entryView) } },
    errors: [],
    handler: async ({ query: asked }) => {
      const page = pageOf(asked, cursor);
      const { actor, action, entity, entity_id: entityId, request_id: requestId, from, to } = asked;
      const filter = { actor, action, entity, entityId, requestId, from: dateOf(from), to: dateOf(to) };
      const rows = await listAdminAudit(db, filter, { ...page, limit: page.limit + 1 });
      const placeOf = (row: Listed<AdminAuditRow>) => ({ micros: row.created_at_micros, id: String(row.id) });
      return { status: 200, data: pageAnswer(rows, page.limit, placeOf, show) };
    },
  });
}
