/** Why a payment or hold went to its channel, as it was decided then. */
import type { RefundedRef } from '../domain/refund';
import type { RoutingDecision } from '../domain/routing/types';
import type { Queryable } from './postgres';

/** Those of releases before smart routing have nothing else. */
export type StoredDecision = Pick<RoutingDecision, 'channel' | 'level' | 'reason'> & Partial<RoutingDecision>;

const READ = 'SELECT decision FROM routing_decisions WHERE merchant_id = $1 AND kind = $2 AND number = $3';

export async function readDecision(
  q: Queryable,
  { merchantId, kind, no }: RefundedRef,
): Promise<StoredDecision | undefined> {
  return (await q.query<{ decision: StoredDecision }>(READ, [merchantId, kind, no])).rows[0]?.decision;
}
