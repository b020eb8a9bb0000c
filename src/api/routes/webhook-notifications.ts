/** What was sent to a merchant's endpoints, and what became of it. */
import { z } from 'zod';
import { findNotification, listAttempts, listNotifications } from '../../stores/webhook-notifications';
import type { NotificationRow } from '../../stores/webhook-notifications';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';
import type { WebhookApiDeps } from '../webhooks/deps';
import { found } from '../webhooks/endpoints';
import { retryNotification } from '../webhooks/notifications';
import * as schemas from '../webhooks/schemas';
import { showNotification, showNotificationDetail } from '../webhooks/views';

const merchant = { tag: 'Webhook notifications', auth: 'merchant' } as const;
const PATH = '/api/v1/webhook-notifications';
/** With 16 KiB of response each, an answer stays below 1 MiB. */
const SHOWN_ATTEMPTS = 50;

export function webhookNotificationRoutes(deps: WebhookApiDeps): Route[] {
  const list = defineRoute({
    ...merchant,
    method: 'get',
    path: PATH,
    summary: 'List webhook notifications, newest first',
    description:
      'pending: waits for its turn; retrying: between two attempts; success; failed: given up, retry or recover sends it again.',
    request: { query: schemas.listQuery },
    responses: { 200: { description: 'One page', schema: pageSchema(schemas.notificationView) } },
    errors: [],
    async handler({ caller, query }) {
      const page = pageOf(query, z.uuid());
      const filter = {
        merchantId: caller.merchantId,
        endpointId: query.endpoint_id,
        paymentNo: query.payment_no,
        status: query.status,
        event: query.event,
        createdFrom: query.created_from === undefined ? undefined : new Date(query.created_from),
        createdTo: query.created_to === undefined ? undefined : new Date(query.created_to),
      };
      const rows = await listNotifications(deps.db, filter, { ...page, limit: page.limit + 1 });
      const keyOf = (row: NotificationRow) => ({ micros: row.created_at_micros, id: row.id });
      return { status: 200, data: pageAnswer(rows, page.limit, keyOf, showNotification) };
    },
  });
  const read = defineRoute({
    ...merchant,
    method: 'get',
    path: `${PATH}/{id}`,
    summary: 'Read a webhook notification with its attempts',
    request: { params: schemas.idParams },
    responses: {
      200: {
        description: 'The notification',
        schema: schemas.notificationDetailView,
        example: schemas.NOTIFICATION_DETAIL_EXAMPLE,
      },
    },
    errors: ['NOT_FOUND'],
    async handler({ caller, params }) {
      const row = found(await findNotification(deps.db, caller.merchantId, params.id));
      const attempts = await listAttempts(deps.db, row.id, SHOWN_ATTEMPTS);
      return { status: 200, data: showNotificationDetail(row, attempts) };
    },
  });
  const retry = defineRoute({
    ...merchant,
    method: 'post',
    path: `${PATH}/{id}/retry`,
    summary: 'Send a webhook notification again',
    description:
      'One that was given up begins anew with all its attempts; one that waits is due now. While its endpoint is ' +
      'disabled or does not answer it waits all the same.',
    idempotent: true,
    request: { params: schemas.idParams, body: schemas.noBody },
    responses: { 200: { description: 'The notification', schema: schemas.notificationView } },
    errors: ['NOT_FOUND', 'WEBHOOK_NOTIFICATION_DELIVERED', 'WEBHOOK_ENDPOINT_DELETED'],
    handler: ({ caller, params, idem }) => retryNotification(deps, caller, params.id, idem),
  });
  return [list, read, retry];
}
