/** Where a merchant is told, and what was sent. */
import {
  ENDPOINT_EXAMPLE,
  NEW_ENDPOINT_EXAMPLE,
  NOTIFICATION_DETAIL_EXAMPLE,
  NOTIFICATION_EXAMPLE,
} from '../../webhooks/schemas';
import { pageOf } from './types';
import type { ExamplesByRoute } from './types';

const PENDING = {
  ...NOTIFICATION_EXAMPLE,
  status: 'pending',
  attempts: 0,
  status_code: null,
  next_retry_at: '2025-01-24T12:00:00.000Z',
  last_attempt_at: null,
  succeeded_at: null,
};

export const WEBHOOK_EXAMPLES: ExamplesByRoute = {
  'post /api/v1/webhook-endpoints': {
    request: {
      url: 'https://shop.example/holdfast',
      event_filter: ['pre_auth.captured', 'pre_auth.expired'],
      max_retries: 12,
    },
    responses: { 201: NEW_ENDPOINT_EXAMPLE },
    message: 'Webhook endpoint created',
  },
  'get /api/v1/webhook-endpoints': { responses: { 200: pageOf(ENDPOINT_EXAMPLE) } },
  'patch /api/v1/webhook-endpoints/{id}': {
    request: { enabled: true, max_retries: 20 },
    responses: { 200: { ...ENDPOINT_EXAMPLE, max_retries: 20 } },
  },
  'delete /api/v1/webhook-endpoints/{id}': {
    responses: {
      200: {
        id: ENDPOINT_EXAMPLE.id,
        deleted_at: '2025-01-24T12:00:00.000Z',
        notifications_ended: 3,
        more: false,
      },
    },
    message: 'Webhook endpoint deleted',
  },
  'post /api/v1/webhook-endpoints/{id}/rotate-secret': {
    request: {},
    responses: {
      200: { ...NEW_ENDPOINT_EXAMPLE, previous_secret_until: '2025-01-25T12:00:00.000Z' },
    },
    message: 'Webhook secret rotated',
  },
  'post /api/v1/webhook-endpoints/{id}/test': {
    request: {},
    responses: { 201: { ...PENDING, event: 'webhook.test', payment_no: PENDING.event_id } },
    message: 'Test event on its way',
  },
  'post /api/v1/webhook-secret/rotate': {
    request: {},
    responses: {
      200: { secret: NEW_ENDPOINT_EXAMPLE.secret, previous_secret_until: '2025-01-25T12:00:00.000Z' },
    },
    message: 'Default webhook secret rotated',
  },
  'post /api/v1/webhook-endpoints/{id}/recover': {
    request: { since: '2025-01-24T00:00:00Z' },
    responses: { 200: { recovered: 3, more: false } },
  },
  'get /api/v1/webhook-endpoints/{id}/health': {
    responses: {
      200: {
        endpoint_id: ENDPOINT_EXAMPLE.id,
        enabled: true,
        disabled_reason: null,
        success_share: 0.98,
        attempts: { count: 412, more: false },
        waiting: { count: 2, more: false },
        in_retry: { count: 1, more: false },
        last_success_at: '2025-01-24T12:00:01.000Z',
        last_failure_at: '2025-01-24T11:58:20.000Z',
        last_error: 'HTTP 503',
        gated_since: null,
        next_probe_at: null,
      },
    },
  },
  'get /api/v1/webhook-notifications': { responses: { 200: pageOf(NOTIFICATION_EXAMPLE) } },
  'get /api/v1/webhook-notifications/{id}': { responses: { 200: NOTIFICATION_DETAIL_EXAMPLE } },
  'post /api/v1/webhook-notifications/{id}/retry': {
    request: {},
    responses: { 200: PENDING },
    message: 'Due now',
  },
};
