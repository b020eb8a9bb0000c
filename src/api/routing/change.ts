/** From a change in the store to the answer: what was refused and why, and the news to the routers. */
import type { PoolClient } from 'pg';
import { fail } from '../../domain/errors';
import type { ChangedBy, Changed } from '../../stores/routing-admin';
import { invalidRequest } from '../errors';
import type { IdempotentRequest } from '../idempotency';
import type { AdminCaller, RouteAnswer } from '../route';
import type { RoutingAdminDeps } from './deps';

interface Asked {
  readonly caller: AdminCaller;
  readonly requestId: string;
}

export function changedBy({ caller, requestId }: Asked, version: number | undefined): ChangedBy {
  return { actor: caller.name, requestId, version };
}

/**
 * Announces the change once it is committed.
 * @throws HoldfastError NOT_FOUND, ROUTING_CHANGED, ROUTING_LIMIT, ROUTING_FEE_EXISTS, INVALID_REQUEST when it was refused
 */
export async function applied<Row>(deps: RoutingAdminDeps, changing: Promise<Changed<Row>>): Promise<Row> {
  const row = rowOf(await changing);
  await deps.tellRouters();
  return row;
}

/** The same for what a POST creates, once for each Idempotency-Key. A repeat tells the news again: the first may have died. */
export async function createdOnce(
  { db, tellRouters }: RoutingAdminDeps,
  idem: IdempotentRequest,
  create: (tx: PoolClient) => Promise<unknown>,
): Promise<RouteAnswer> {
  const answer = await idem.runWithin(db, async (tx) => ({ status: 201, data: await create(tx) }));
  await tellRouters();
  return answer;
}

/** @throws HoldfastError as `applied` does */
export function rowOf<Row>(changed: Changed<Row>): Row {
  if ('row' in changed) return changed.row;
  switch (changed.refused) {
    case 'not_found':
      throw fail('NOT_FOUND');
    case 'changed':
      throw fail('ROUTING_CHANGED', { version: changed.version });
    case 'limit':
      throw fail('ROUTING_LIMIT', { limit: changed.limit });
    case 'exists':
      throw fail('ROUTING_FEE_EXISTS', { id: changed.id });
    case 'unknown':
      throw invalidRequest([{ path: changed.field, message: UNKNOWN[changed.field] }]);
  }
}

/** The same for putting something back: what is not there needs no removing, and is no change. */
export async function appliedIfThere<Row>(
  deps: RoutingAdminDeps,
  removing: Promise<Changed<Row>>,
): Promise<void> {
  const changed = await removing;
  if ('row' in changed || changed.refused !== 'not_found') await applied(deps, Promise.resolve(changed));
}

const UNKNOWN = {
  account_id: 'is no account at this channel',
  merchant_id: 'is no merchant',
} as const;
