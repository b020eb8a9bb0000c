/** What goes in and out of the webhook endpoints of the API. */
import { z } from 'zod';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { WEBHOOK_EVENTS } from '../../domain/webhook/events';
import { NOTIFICATION_STATUSES } from '../../stores/webhook-notifications';
import { MAX_WEBHOOK_URL_CHARACTERS } from '../../webhooks/ssrf-guard';
import { pageQuery } from '../pagination';

const MAX_RETRIES = 40;

const uuid = z.uuid();
const event = z.enum(WEBHOOK_EVENTS);
const status = z.enum(NOTIFICATION_STATUSES);
const instant = z.iso.datetime({ offset: true });
const url = z
  .string()
  .min(1)
  .max(MAX_WEBHOOK_URL_CHARACTERS)
  .describe('http or https (in production https only), at a public address, without credentials or fragment');
const eventFilter = z
  .array(event)
  .max(WEBHOOK_EVENTS.length)
  .describe('Events to be told of; empty: every event');
const maxRetries = z.int().min(0).max(MAX_RETRIES);

export const idParams = z.strictObject({ id: uuid });
/** For commands that take nothing. */
export const noBody = z.strictObject({});

export const endpointBody = z.strictObject({
  url,
  event_filter: eventFilter.default([]),
  enabled: z.boolean().default(true).describe('false: notifications are kept and wait'),
  max_retries: maxRetries
    .optional()
    .describe("Retries after the first attempt; the gateway's setting when absent"),
});
export type EndpointBody = z.infer<typeof endpointBody>;

export const endpointPatch = z.strictObject({
  url: url.optional(),
  event_filter: eventFilter.optional(),
  enabled: z.boolean().optional().describe('true: what has waited is delivered'),
  max_retries: maxRetries
    .nullable()
    .optional()
    .describe("For notifications from now on; null: the gateway's setting"),
});
export type EndpointPatch = z.infer<typeof endpointPatch>;

export const endpointView = z.object({
  id: uuid,
  kind: z.enum(['explicit', 'implicit']).describe('implicit: made for the origin of a notify_url'),
  url: z.string().describe('Of an implicit endpoint: its origin'),
  event_filter: z.array(event),
  enabled: z.boolean(),
  max_retries: z.int().nullable(),
  disabled_at: instant.nullable(),
  disabled_reason: z
    .enum(['MERCHANT', 'GONE', 'FAILING'])
    .nullable()
    .describe('MERCHANT: by you; GONE: it answered 410; FAILING: days without one success'),
  previous_secret_until: instant.nullable().describe('Until then the previous secret signs too'),
  created_at: instant,
  updated_at: instant,
});

export const endpointWithSecretView = endpointView.extend({
  secret: z.string().describe('whsec_...: shown in this answer only'),
});

export const defaultSecretView = z.object({
  secret: z.string().describe('whsec_...: shown in this answer only'),
  previous_secret_until: instant.nullable().describe('Until then the previous secret signs too'),
});

export const deletedView = z.object({
  id: uuid,
  deleted_at: instant,
  notifications_ended: z.int().describe('Waiting notifications that ended failed, ENDPOINT_DELETED'),
  more: z.boolean().describe('true: there are others, which end within minutes'),
});

export const recoverBody = z.strictObject({
  since: instant.describe('Notifications created then or later'),
});

export const recoveredView = z.object({
  recovered: z.int().describe('Notifications that were given up and are pending again'),
  more: z.boolean().describe('true: there are others; repeat the request'),
});

const boundedCount = z.object({
  count: z.int(),
  more: z.boolean().describe('true: there are more than count'),
});

export const healthView = z.object({
  endpoint_id: uuid,
  enabled: z.boolean(),
  disabled_reason: endpointView.shape.disabled_reason,
  success_share: z.number().nullable().describe('0 to 1, of the attempts; null without attempts'),
  attempts: boundedCount.describe(
    'Attempts of the last 24 hours at the newest 10000 notifications; more: there are older notifications',
  ),
  waiting: boundedCount.describe('Pending notifications'),
  in_retry: boundedCount.describe('Notifications between two attempts'),
  last_success_at: instant.nullable(),
  last_failure_at: instant.nullable(),
  last_error: z.string().nullable(),
  gated_since: instant.nullable().describe('Since then it gets probes only, as it does not answer'),
  next_probe_at: instant.nullable(),
});

export const listQuery = z.strictObject({
  ...pageQuery,
  endpoint_id: uuid.optional(),
  status: status.optional(),
  event: event.optional(),
  payment_no: z.string().regex(MERCHANT_NUMBER, 'must match [A-Za-z0-9._-]{1,64}').optional(),
  created_from: instant.optional().describe('Inclusive'),
  created_to: instant.optional().describe('Exclusive'),
});

export const notificationView = z.object({
  id: uuid,
  event_id: uuid.describe('The webhook-id header'),
  endpoint_id: uuid,
  event,
  payment_no: z.string(),
  url: z.string().describe("The endpoint's when the event happened; attempts use its current one"),
  status,
  attempts: z.int(),
  max_attempts: z.int(),
  status_code: z.int().nullable().describe('Of the last attempt'),
  error: z.string().nullable(),
  next_retry_at: instant.nullable().describe('null once it is delivered or given up'),
  last_attempt_at: instant.nullable(),
  succeeded_at: instant.nullable(),
  failed_at: instant.nullable(),
  created_at: instant,
});

const attemptView = z.object({
  attempt: z.int().describe('As X-Webhook-Attempt said; a probe that failed uses up none'),
  kind: z.enum(['first', 'retry', 'probe']),
  started_at: instant,
  duration_ms: z.int(),
  status_code: z.int().nullable(),
  error: z.string().nullable(),
  response: z.string().nullable(),
});

export const notificationDetailView = notificationView.extend({
  payload: z
    .record(z.string(), z.unknown())
    .describe(
      'The body, parsed; verify signatures against the bytes you received, whose order of fields may differ',
    ),
  response: z.string().nullable(),
  attempt_log: z.array(attemptView).describe('The newest 50 attempts, oldest first'),
});

export const ENDPOINT_EXAMPLE = {
  id: '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11',
  kind: 'explicit',
  url: 'https://shop.example/holdfast',
  event_filter: ['pre_auth.captured', 'pre_auth.expired'],
  enabled: true,
  max_retries: 12,
  disabled_at: null,
  disabled_reason: null,
  previous_secret_until: null,
  created_at: '2025-01-24T12:00:00.000Z',
  updated_at: '2025-01-24T12:00:00.000Z',
};
export const NOTIFICATION_EXAMPLE = {
  id: '1f9a5e4e-57b5-4a3c-8a55-2a1c6f0f9d20',
  event_id: '0b6f2a8e-4d0c-5c2e-9b57-5d3c2f7f1e44',
  endpoint_id: ENDPOINT_EXAMPLE.id,
  event: 'pre_auth.captured',
  payment_no: 'PA20250124001',
  url: ENDPOINT_EXAMPLE.url,
  status: 'success',
  attempts: 1,
  max_attempts: 13,
  status_code: 200,
  error: null,
  next_retry_at: null,
  last_attempt_at: '2025-01-24T12:00:01.000Z',
  succeeded_at: '2025-01-24T12:00:01.000Z',
  failed_at: null,
  created_at: '2025-01-24T12:00:00.000Z',
};

export const NEW_ENDPOINT_EXAMPLE = {
  ...ENDPOINT_EXAMPLE,
  secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazGb9cyZ8yU=',
};
export const NOTIFICATION_DETAIL_EXAMPLE = {
  ...NOTIFICATION_EXAMPLE,
  payload: {
    event: 'pre_auth.captured',
    payment_no: 'PA20250124001',
    order_no: 'ORDER-001',
    amount: 50000,
    currency: 'USD',
    status: 'succeeded',
    timestamp: 1737720000,
    extra: { channel: 'stripe', sequence: 2 },
  },
  response: 'ok',
  attempt_log: [
    {
      attempt: 1,
      kind: 'first',
      started_at: '2025-01-24T12:00:00.900Z',
      duration_ms: 84,
      status_code: 200,
      error: null,
      response: 'ok',
    },
  ],
};
