/** What a merchant may do to an endpoint: one transaction each, with the idempotency record as its first row. */
import { randomUUID } from 'node:crypto';
import { fail } from '../../domain/errors';
import { withTransaction } from '../../stores/postgres';
import * as store from '../../stores/webhook-endpoints';
import type { EndpointRow } from '../../stores/webhook-endpoints';
import { appendEndpointEvent } from '../../stores/outbox';
import { releaseWaiting } from '../../stores/webhook-endpoint-health';
import { endWaiting } from '../../stores/webhook-endings';
import { findNotificationOfEvent } from '../../stores/webhook-notifications';
import { checkWebhookUrl } from '../../webhooks/ssrf-guard';
import type { IdempotentRequest } from '../idempotency';
import type { MerchantCaller, RouteAnswer } from '../route';
import { assertActive } from '../suspension';
import { wakeWorkflows } from './deps';
import type { WebhookApiDeps } from './deps';
import type { EndpointBody, EndpointPatch } from './schemas';
import { showEndpoint, showNotification } from './views';

/** The rest of a deletion is left to the sweep: a request is no place for a million rows. */
const ENDED_AT_ONCE = 1_000;

export async function createEndpoint(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  body: EndpointBody,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  assertActive(caller);
  assertUrlAllowed(deps, body.url);
  const { merchantId } = caller;
  return idem.run(randomUUID(), async (own) => {
    const id = own.number ?? randomUUID();
    const endpoint = await withTransaction(deps.db, async (tx) => {
      await own.insertWithin(tx);
      // The record was committed with the endpoint: whoever takes it over finds that it is done.
      if (own.takenOver) return found(await store.findEndpoint(tx, merchantId, id));
      const secretSealed = deps.box.seal(store.newWebhookSecret(), store.ENDPOINT_SECRET_PURPOSE);
      const outcome = await store.createEndpoint(tx, {
        id,
        merchantId,
        url: body.url,
        eventFilter: [...new Set(body.event_filter)],
        enabled: body.enabled,
        maxRetries: body.max_retries ?? null,
        secretSealed,
      });
      if (outcome.kind === 'exists') throw fail('WEBHOOK_ENDPOINT_EXISTS', { id: outcome.id });
      if (outcome.kind === 'limit')
        throw fail('WEBHOOK_ENDPOINT_LIMIT', { limit: store.MAX_EXPLICIT_ENDPOINTS });
      return outcome.endpoint;
    });
    return { status: 201, data: showWithSecret(deps, endpoint), message: 'Webhook endpoint created' };
  });
}

export async function rotateSecret(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  id: string,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  return idem.run(undefined, async (own) => {
    const endpoint = await withTransaction(deps.db, async (tx) => {
      await own.insertWithin(tx);
      const row = found(await store.lockEndpoint(tx, caller.merchantId, id));
      if (row.kind === 'implicit') throw fail('WEBHOOK_ENDPOINT_IMPLICIT');
      // Done by the request taken over: a second rotation would drop the secret the merchant still uses.
      if (own.takenOver) return row;
      const sealed = deps.box.seal(store.newWebhookSecret(), store.ENDPOINT_SECRET_PURPOSE);
      return store.rotateSecret(tx, id, sealed);
    });
    return { status: 200, data: showWithSecret(deps, endpoint), message: 'Webhook secret rotated' };
  });
}

export async function patchEndpoint(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  id: string,
  patch: EndpointPatch,
): Promise<RouteAnswer> {
  const { merchantId } = caller;
  const change = changeOf(patch);
  if (change.url !== undefined) assertUrlAllowed(deps, change.url);
  const { endpoint, handedBack } = await withTransaction(deps.db, async (tx) => {
    if (change.url !== undefined) await store.lockEndpointsOf(tx, merchantId);
    const row = found(await store.lockEndpoint(tx, merchantId, id));
    if (row.kind === 'implicit' && Object.keys(change).some((field) => field !== 'enabled'))
      throw fail('WEBHOOK_ENDPOINT_IMPLICIT');
    if (change.url !== undefined) {
      const other = await store.findEndpointOfUrl(tx, merchantId, change.url, id);
      if (other !== undefined) throw fail('WEBHOOK_ENDPOINT_EXISTS', { id: other });
    }
    const updated = await store.updateEndpoint(tx, row, change);
    return { endpoint: updated, handedBack: opens(row, updated) ? await releaseWaiting(tx, id) : [] };
  });
  // What waited while it was disabled or gated.
  deps.ringOutbox();
  await wakeWorkflows(deps, handedBack);
  return { status: 200, data: showEndpoint(endpoint) };
}

/** Only the fields that were sent. */
function changeOf({ url, event_filter: filter, enabled, max_retries }: EndpointPatch): store.EndpointChange {
  return {
    ...(url === undefined ? {} : { url }),
    ...(filter === undefined ? {} : { event_filter: [...new Set(filter)] }),
    ...(enabled === undefined ? {} : { enabled }),
    ...(max_retries === undefined ? {} : { max_retries }),
  };
}

/** When an endpoint can be reached again, what sleeps in retries goes out with the rest. */
function opens(before: EndpointRow, after: EndpointRow): boolean {
  if (!after.enabled) return false;
  return !before.enabled || (before.gated_at !== null && after.gated_at === null);
}

export async function deleteEndpoint(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  id: string,
): Promise<RouteAnswer> {
  const { deletedAt, ended } = await withTransaction(deps.db, async (tx) => {
    found(await store.lockEndpoint(tx, caller.merchantId, id));
    return {
      deletedAt: await store.deleteEndpoint(tx, id),
      ended: await endWaiting(tx, id, ENDED_AT_ONCE),
    };
  });
  await deps.noteFailed(ended.failed);
  await wakeWorkflows(deps, ended.retryingIds);
  const data = {
    id,
    deleted_at: deletedAt.toISOString(),
    notifications_ended: ended.failed.length,
    more: ended.failed.length === ENDED_AT_ONCE,
  };
  return { status: 200, data, message: 'Webhook endpoint deleted' };
}

export async function sendTestEvent(
  deps: WebhookApiDeps,
  caller: MerchantCaller,
  id: string,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  assertActive(caller);
  return idem.run(randomUUID(), async (own) => {
    const eventId = own.number ?? randomUUID();
    const notification = await withTransaction(deps.db, async (tx) => {
      await own.insertWithin(tx);
      const row = found(await store.findEndpoint(tx, caller.merchantId, id));
      if (row.kind === 'implicit') throw fail('WEBHOOK_ENDPOINT_IMPLICIT');
      if (!row.enabled) throw fail('WEBHOOK_ENDPOINT_DISABLED');
      assertUrlAllowed(deps, row.url);
      await appendEndpointEvent(tx, {
        merchantId: caller.merchantId,
        type: 'webhook.test',
        eventId,
        status: 'test',
        at: new Date(),
        extra: { endpoint_id: id },
        to: { only: id },
        defaultMaxRetries: deps.defaultMaxRetries,
      });
      // Nothing there: the endpoint was deleted between the two statements.
      return found(await findNotificationOfEvent(tx, eventId, id));
    });
    deps.ringOutbox();
    return { status: 201, data: showNotification(notification), message: 'Test event on its way' };
  });
}

function assertUrlAllowed(deps: WebhookApiDeps, url: string): void {
  const verdict = checkWebhookUrl(url, deps.webhookUrlPolicy);
  if (verdict.ok) return;
  const details = { field: 'url', reason: verdict.reason, code: verdict.code };
  throw fail('WEBHOOK_URL_NOT_ALLOWED', details, `This url may not be used: ${verdict.reason}.`);
}

function showWithSecret(deps: WebhookApiDeps, row: EndpointRow) {
  if (row.secret_sealed === null) throw new Error(`webhook endpoint ${row.id} has no secret of its own`);
  return { ...showEndpoint(row), secret: deps.box.open(row.secret_sealed, store.ENDPOINT_SECRET_PURPOSE) };
}

/** @throws HoldfastError NOT_FOUND, also for what belongs to somebody else */
export function found<T>(value: T | undefined): T {
  if (value === undefined) throw fail('NOT_FOUND');
  return value;
}
