/** Disputes (chargebacks) as the channels tell them. They are answered at the channel, not here. */
import { listDisputeRows } from '../../stores/disputes';
import type { ListedDispute } from '../../stores/disputes';
import type { LateMoneyDeps } from '../late-money/deps';
import * as schemas from '../late-money/schemas';
import { showDispute } from '../late-money/view';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';

export function disputeRoutes({ db }: Pick<LateMoneyDeps, 'db'>): Route[] {
  const list = defineRoute({
    tag: 'Disputes',
    auth: 'merchant',
    method: 'get',
    path: '/api/v1/disputes',
    summary: 'List disputes, newest first',
    description:
      'Told by dispute.opened and dispute.closed (extra.dispute_id, extra.dispute_status). While one is open, and after it ' +
      'is lost, its amount cannot be refunded besides.',
    request: { query: schemas.disputeListQuery },
    responses: { 200: { description: 'One page', schema: pageSchema(schemas.disputeView) } },
    errors: [],
    async handler({ caller: { merchantId }, query }) {
      const page = pageOf(query, schemas.cursorId);
      const filter = { merchantId, status: query.status, objectNo: query.object_no };
      const rows = await listDisputeRows(db, filter, { ...page, limit: page.limit + 1 });
      const keyOf = (row: ListedDispute) => ({ micros: row.opened_at_micros, id: row.id });
      return { status: 200, data: pageAnswer(rows, page.limit, keyOf, (row) => showDispute(row)) };
    },
  });
  return [list];
}
