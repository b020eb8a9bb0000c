/** What a merchant may do to notifications: send one again, or take back what was given up since a time. */
import { fail } from '../../domain/errors';
import { withTransaction } from '../../stores/postgres';
import { findEndpoint, lockEndpoint } from '../../stores/webhook-endpoints';
import * as store from '../../stores/webhook-notifications';
import type { IdempotentRequest } from '../idempotency';
import type { MerchantCaller, RouteAnswer } from '../route';
import { wakeWorkflows } from './deps';
import type { WebhookApiDeps } from './deps';
import { found } from './endpoints';
import { showNotification } from './views';

/** What one request may do: so many notifications a transaction, so many in all, and for so long. */
const RECOVER_LIMITS = { batch: 1_000, max: 100_000, budgetMs: 10_000 };

export async function retryNotification(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  id: string,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  const { merchantId } = caller;
  return idem.run(undefined, async (own) => {
    const notification = await withTransaction(deps.db, async (tx) => {
      await own.insertWithin(tx);
      const seen = found(await store.findNotification(tx, merchantId, id));
      if (own.takenOver) return seen;
      const endpoint = await lockEndpoint(tx, merchantId, seen.endpoint_id);
      // Read again: until the lock was ours, others could change it.
      const { status } = found(await store.findNotification(tx, merchantId, id));
      if (status === 'success') throw fail('WEBHOOK_NOTIFICATION_DELIVERED');
      if (endpoint === undefined) throw fail('WEBHOOK_ENDPOINT_DELETED');
      await store.retryNotification(tx, id);
      return found(await store.findNotification(tx, merchantId, id));
    });
    deps.ringOutbox();
    if (notification.status === 'retrying') await wakeWorkflows(deps, [id]);
    return { status: 200, data: showNotification(notification), message: 'Due now' };
  });
}

export async function recoverSince(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  endpointId: string,
  since: Date,
  idem: IdempotentRequest,
  limits = RECOVER_LIMITS,
): Promise<RouteAnswer> {
  return idem.run(undefined, async (own) => {
    found(await findEndpoint(deps.db, caller.merchantId, endpointId));
    // Without a transaction of its own: a repeat by whoever takes over does no harm.
    await own.insert();
    const deadlineMs = Date.now() + limits.budgetMs;
    let recovered = 0;
    let reached = since;
    for (let isLast = false; !isLast;) {
      const batch = await recoverBatch(deps, caller.merchantId, endpointId, reached, limits.batch);
      recovered += batch.count;
      reached = batch.reached;
      isLast = batch.count < limits.batch || recovered >= limits.max || Date.now() >= deadlineMs;
    }
    deps.ringOutbox();
    const more = await store.hasFailed(deps.db, endpointId, reached);
    return { status: 200, data: { recovered, more } };
  });
}

/** One transaction, so that the endpoint's lock is given back between two batches: the relay waits for it. */
function recoverBatch(
  deps: WebhookApiDeps,
  merchantId: string,
  endpointId: string,
  since: Date,
  limit: number,
) {
  return withTransaction(deps.db, async (tx) => {
    found(await lockEndpoint(tx, merchantId, endpointId));
    return store.recoverNotifications(tx, endpointId, since, limit);
  });
}
