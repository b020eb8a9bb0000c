/** What the document describes once and refers to: schemas by name, wherever the generator has written them out. */
import { OpenApiGeneratorV31, OpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import type { z } from 'zod';
import { disputeView, latePaymentView } from '../late-money/schemas';
import { paymentView } from '../payments/schemas';
import { cancelView, captureView, preAuthView } from '../pre-auth/schemas';
import { refundView } from '../refunds/schemas';
import { decisionView } from '../routing/decision-view';
import * as routing from '../routing/schemas';
import * as webhooks from '../webhooks/schemas';

const JSON_TYPE = 'application/json';

interface ResponseObject {
  readonly content: Readonly<Record<string, { readonly schema: unknown }>>;
}

/** What contains another one of them comes before it. */
const VIEWS: Readonly<Record<string, z.ZodType>> = {
  PreAuth: preAuthView,
  PreAuthCapture: captureView,
  PreAuthCancel: cancelView,
  Payment: paymentView,
  Refund: refundView,
  RoutingDecision: decisionView,
  RoutingChannel: routing.channelView,
  RoutingFee: routing.feeView,
  RoutingRule: routing.ruleView,
  RoutingMerchant: routing.merchantView,
  RoutingAudit: routing.auditView,
  WebhookEndpoint: webhooks.endpointView,
  WebhookEndpointWithSecret: webhooks.endpointWithSecretView,
  WebhookEndpointHealth: webhooks.healthView,
  WebhookNotification: webhooks.notificationView,
  WebhookNotificationDetail: webhooks.notificationDetailView,
  LatePayment: latePaymentView,
  Dispute: disputeView,
};

/** Each view as the generator writes it into a route, so that it is found again there. */
function viewSchemas(): [name: string, schema: unknown][] {
  const registry = new OpenAPIRegistry();
  for (const [name, schema] of Object.entries(VIEWS)) {
    const content = { [JSON_TYPE]: { schema } };
    registry.registerPath({
      method: 'get',
      path: `/${name}`,
      responses: { 200: { description: name, content } },
    });
  }
  const { paths = {} } = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title: 'Views', version: '1' },
  });
  return Object.keys(VIEWS).map((name) => {
    const written = paths[`/${name}`]?.get?.responses?.['200'] as ResponseObject | undefined;
    return [name, written?.content[JSON_TYPE]?.schema];
  });
}

/**
 * Puts references in the place of views.
 * @param document any part of the document; schemas that equal a view are found however deep they lie
 * @returns it with references, and the views, themselves with references to each other
 */
export function withReferences<T>(document: T): { document: T; schemas: Record<string, unknown> } {
  const views = viewSchemas();
  const names = new Map(views.map(([name, schema]) => [JSON.stringify(schema), name]));
  const replaced = (value: unknown, isTop = false): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    // Views are objects: nothing else is worth being written out to be compared.
    const name = !isTop && 'properties' in value ? names.get(JSON.stringify(value)) : undefined;
    if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
    if (Array.isArray(value)) return value.map((item) => replaced(item));
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replaced(inner)]));
  };
  return {
    document: replaced(document) as T,
    schemas: Object.fromEntries(views.map(([name, schema]) => [name, replaced(schema, true)])),
  };
}
