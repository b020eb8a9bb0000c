/** Where a merchant wants to be told: endpoints, their secrets, their health. */
import { z } from 'zod';
import type { ErrorCode } from '../../domain/errors';
import { findEndpoint, listEndpoints } from '../../stores/webhook-endpoints';
import type { EndpointRow } from '../../stores/webhook-endpoints';
import { readHealth } from '../../stores/webhook-health';
import { pageAnswer, pageOf, pageQuery, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';
import { rotateDefaultSecret } from '../webhooks/default-secret';
import type { WebhookApiDeps } from '../webhooks/deps';
import * as endpoints from '../webhooks/endpoints';
import { recoverSince } from '../webhooks/notifications';
import * as schemas from '../webhooks/schemas';
import { showEndpoint, showHealth } from '../webhooks/views';

const merchant = { tag: 'Webhook endpoints', auth: 'merchant' } as const;
const PATH = '/api/v1/webhook-endpoints';
const ONE = `${PATH}/{id}`;
const URL_ERRORS: readonly ErrorCode[] = ['WEBHOOK_URL_NOT_ALLOWED', 'WEBHOOK_ENDPOINT_EXISTS'];

export function webhookEndpointRoutes(deps: WebhookApiDeps): Route[] {
  return [...collectionRoutes(deps), ...singleRoutes(deps), ...secretRoutes(deps), ...deliveryRoutes(deps)];
}

function collectionRoutes(deps: WebhookApiDeps): Route[] {
  const create = defineRoute({
    ...merchant,
    method: 'post',
    path: PATH,
    summary: 'Add a webhook endpoint',
    description:
      'It is told of every event from now on that its filter lets pass. The secret is shown in this answer only; ' +
      'with it every delivery is signed. A merchant has at most 20 endpoints.',
    idempotent: true,
    request: { body: schemas.endpointBody },
    responses: {
      201: {
        description: 'The endpoint and its secret',
        schema: schemas.endpointWithSecretView,
        example: schemas.NEW_ENDPOINT_EXAMPLE,
      },
    },
    errors: [...URL_ERRORS, 'WEBHOOK_ENDPOINT_LIMIT', 'MERCHANT_SUSPENDED'],
    handler: ({ caller, body, idem }) => endpoints.createEndpoint(deps, caller, body, idem),
  });
  const list = defineRoute({
    ...merchant,
    method: 'get',
    path: PATH,
    summary: 'List webhook endpoints, newest first',
    description: 'Explicit ones, and those that were made for the origins of notify_url addresses.',
    request: { query: z.strictObject(pageQuery) },
    responses: { 200: { description: 'One page', schema: pageSchema(schemas.endpointView) } },
    errors: [],
    async handler({ caller, query }) {
      const page = pageOf(query, z.uuid());
      const rows = await listEndpoints(deps.db, caller.merchantId, { ...page, limit: page.limit + 1 });
      const keyOf = (row: EndpointRow) => ({ micros: row.created_at_micros, id: row.id });
      return { status: 200, data: pageAnswer(rows, page.limit, keyOf, showEndpoint) };
    },
  });
  return [create, list];
}

function singleRoutes(deps: WebhookApiDeps): Route[] {
  const shown = {
    description: 'The endpoint',
    schema: schemas.endpointView,
    example: schemas.ENDPOINT_EXAMPLE,
  };
  const read = defineRoute({
    ...merchant,
    method: 'get',
    path: ONE,
    summary: 'Read a webhook endpoint',
    request: { params: schemas.idParams },
    responses: { 200: shown },
    errors: ['NOT_FOUND'],
    async handler({ caller, params }) {
      const row = endpoints.found(await findEndpoint(deps.db, caller.merchantId, params.id));
      return { status: 200, data: showEndpoint(row) };
    },
  });
  const change = defineRoute({
    ...merchant,
    method: 'patch',
    path: ONE,
    summary: 'Change a webhook endpoint',
    description:
      'What waits goes to the new URL. While an endpoint is disabled its notifications are kept, and are delivered ' +
      'when it is enabled again; after 30 days they are given up. Of an implicit endpoint only enabled may change.',
    request: { params: schemas.idParams, body: schemas.endpointPatch },
    responses: { 200: shown },
    errors: ['NOT_FOUND', ...URL_ERRORS, 'WEBHOOK_ENDPOINT_IMPLICIT'],
    handler: ({ caller, params, body }) => endpoints.patchEndpoint(deps, caller, params.id, body),
  });
  const remove = defineRoute({
    ...merchant,
    method: 'delete',
    path: ONE,
    summary: 'Delete a webhook endpoint',
    description:
      'Its waiting notifications end failed with ENDPOINT_DELETED, large numbers of them within minutes. An implicit ' +
      'endpoint comes back with the next notify_url of its origin.',
    request: { params: schemas.idParams },
    responses: { 200: { description: 'Deleted', schema: schemas.deletedView } },
    errors: ['NOT_FOUND'],
    handler: ({ caller, params }) => endpoints.deleteEndpoint(deps, caller, params.id),
  });
  return [read, change, remove];
}

function secretRoutes(deps: WebhookApiDeps): Route[] {
  const rotate = defineRoute({
    ...merchant,
    method: 'post',
    path: `${ONE}/rotate-secret`,
    summary: 'Replace the secret of a webhook endpoint',
    description:
      'Both secrets sign for 24 hours. The new one is shown in this answer only. Rotating again within that time ends ' +
      'the older one at once. Implicit endpoints sign with the default secret, which has a route of its own.',
    idempotent: true,
    request: { params: schemas.idParams, body: schemas.noBody },
    responses: {
      200: {
        description: 'The endpoint and its new secret',
        schema: schemas.endpointWithSecretView,
        example: schemas.NEW_ENDPOINT_EXAMPLE,
      },
    },
    errors: ['NOT_FOUND', 'WEBHOOK_ENDPOINT_IMPLICIT'],
    handler: ({ caller, params, idem }) => endpoints.rotateSecret(deps, caller, params.id, idem),
  });
  const test = defineRoute({
    ...merchant,
    method: 'post',
    path: `${ONE}/test`,
    summary: 'Send a test event',
    description:
      'One webhook.test event to this endpoint, whatever its filter; ask for its notification to see the outcome.',
    idempotent: true,
    request: { params: schemas.idParams, body: schemas.noBody },
    responses: { 201: { description: 'The notification', schema: schemas.notificationView } },
    errors: [
      'NOT_FOUND',
      'WEBHOOK_URL_NOT_ALLOWED',
      'WEBHOOK_ENDPOINT_IMPLICIT',
      'WEBHOOK_ENDPOINT_DISABLED',
      'MERCHANT_SUSPENDED',
    ],
    handler: ({ caller, params, idem }) => endpoints.sendTestEvent(deps, caller, params.id, idem),
  });
  const rotateDefault = defineRoute({
    ...merchant,
    method: 'post',
    path: '/api/v1/webhook-secret/rotate',
    summary: 'Replace the default secret',
    description:
      'Implicit endpoints (those of notify_url addresses) sign with it. Both secrets sign for 24 hours. The new one is ' +
      'shown in this answer only. Rotating again within that time ends the older one at once.',
    idempotent: true,
    request: { body: schemas.noBody },
    responses: { 200: { description: 'The new secret', schema: schemas.defaultSecretView } },
    errors: [],
    handler: ({ caller, idem }) => rotateDefaultSecret(deps, caller, idem),
  });
  return [rotate, test, rotateDefault];
}

function deliveryRoutes(deps: WebhookApiDeps): Route[] {
  const recover = defineRoute({
    ...merchant,
    method: 'post',
    path: `${ONE}/recover`,
    summary: 'Send again what was given up since a time',
    description:
      'Each begins anew with all its attempts. At most 100000 a request; more says that there are others.',
    idempotent: true,
    request: { params: schemas.idParams, body: schemas.recoverBody },
    responses: { 200: { description: 'How many', schema: schemas.recoveredView } },
    errors: ['NOT_FOUND'],
    handler: ({ caller, params, body, idem }) =>
      recoverSince(deps, caller, params.id, new Date(body.since), idem),
  });
  const health = defineRoute({
    ...merchant,
    method: 'get',
    path: `${ONE}/health`,
    summary: 'How deliveries to a webhook endpoint fare',
    description: 'gated_since: it does not answer, so that everything waits but for one probe every 30 s.',
    request: { params: schemas.idParams },
    responses: { 200: { description: 'Counts stop at 10000', schema: schemas.healthView } },
    errors: ['NOT_FOUND'],
    async handler({ caller, params }) {
      const row = endpoints.found(await findEndpoint(deps.db, caller.merchantId, params.id));
      return { status: 200, data: showHealth(row, await readHealth(deps.db, row.id)) };
    },
  });
  return [recover, health];
}
