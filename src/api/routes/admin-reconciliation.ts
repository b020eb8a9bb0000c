/** What reconciliation could not settle: operators read it, and say when they have looked into it. */
import { z } from 'zod';
import { CHANNELS } from '../../domain/channel';
import { fail } from '../../domain/errors';
import { listDiscrepancies, resolveDiscrepancy } from '../../stores/discrepancies';
import type { DiscrepancyRow } from '../../stores/discrepancies';
import type { Database } from '../../stores/postgres';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';

const uuid = z.uuid();
const timestamp = z.iso.datetime();
const state = z.enum(['open', 'resolved']);
const channel = z.enum(CHANNELS);

const discrepancyView = z.object({
  id: uuid,
  merchant_id: uuid,
  object_kind: z.enum(['payment', 'pre_auth', 'refund']),
  object_no: z.string(),
  channel,
  field: z.string().describe('What differs; `object`: the channel does not know it'),
  ours: z.string(),
  theirs: z.string(),
  state,
  first_seen: timestamp,
  last_seen: timestamp,
  resolved_at: timestamp.nullable(),
  resolved_by: z.string().nullable().describe('null in a resolved one: a later run found both sides equal'),
});

function show(row: DiscrepancyRow): z.infer<typeof discrepancyView> {
  return {
    id: row.id,
    merchant_id: row.merchant_id,
    object_kind: row.object_kind,
    object_no: row.object_no,
    channel: row.channel,
    field: row.field,
    ours: row.ours,
    theirs: row.theirs,
    state: row.state,
    first_seen: row.first_seen.toISOString(),
    last_seen: row.last_seen.toISOString(),
    resolved_at: row.resolved_at?.toISOString() ?? null,
    resolved_by: row.resolved_by,
  };
}

const admin = { tag: 'Administration', auth: 'admin' } as const;
const PATH = '/api/v1/admin/discrepancies';

export function reconciliationRoutes({ db }: { readonly db: Database }): Route[] {
  const list = defineRoute({
    ...admin,
    method: 'get',
    path: PATH,
    summary: 'List discrepancies between us and the channels, newest first',
    request: {
      query: z.strictObject({ ...pageQuery, state: state.optional(), channel: channel.optional() }),
    },
    responses: { 200: { description: 'One page', schema: pageSchema(discrepancyView) } },
    errors: [],
    async handler({ query }) {
      const page = pageOf(query, uuid);
      const rows = await listDiscrepancies(db, query, { ...page, limit: page.limit + 1 });
      const placeOf = (row: DiscrepancyRow) => ({ micros: row.first_seen_micros, id: row.id });
      return { status: 200, data: pageAnswer(rows, page.limit, placeOf, show) };
    },
  });
  const resolve = defineRoute({
    ...admin,
    role: 'operator',
    method: 'post',
    idempotent: true,
    path: `${PATH}/{id}/resolve`,
    summary: 'Say that a discrepancy is settled',
    description:
      'Who and why is kept in the object’s events. It is opened again only when one of the two sides changes and they ' +
      'still differ. Resolving it again changes nothing.',
    request: {
      params: z.strictObject({ id: uuid }),
      body: z.strictObject({
        by: z.string().trim().min(1).max(100),
        reason: z.string().trim().min(1).max(500),
      }),
    },
    responses: { 200: { description: 'Resolved', schema: discrepancyView } },
    errors: ['NOT_FOUND'],
    handler: ({ params, body, idem }) =>
      idem.runWithin(db, async (tx) => {
        const row = await resolveDiscrepancy(tx, params.id, body);
        if (row === undefined) throw fail('NOT_FOUND');
        return { status: 200, data: show(row) };
      }),
  });
  return [list, resolve];
}
