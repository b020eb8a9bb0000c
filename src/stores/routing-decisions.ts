/** Why a channel was chosen, kept with every object. */
import type { RoutingDecision } from '../domain/routing/decision';
import type { Queryable } from './postgres';

export async function insertDecision(
  q: Queryable,
  merchantId: string,
  kind: 'payment' | 'pre_auth',
  number: string,
  decision: RoutingDecision,
): Promise<void> {
  await q.query(
    'INSERT INTO routing_decisions (merchant_id, kind, number, decision) VALUES ($1, $2, $3, $4)',
    [merchantId, kind, number, decision],
  );
}
