/** The errors of a route as the document shows them: by status, each code with an answer as it really looks. */
import type { ResponseConfig } from '@asteasolutions/zod-to-openapi';
import { ERROR_MESSAGES } from '../../domain/errors';
import type { ErrorCode, ErrorDetails } from '../../domain/errors';
import { HTTP_STATUS } from '../errors';
import type { Route } from '../route';
import { headersOf } from './headers';

const REQUEST_ID = '4f0c8f0e-3d6e-4b53-9a2e-0c8f9d5d7a10';

/** Details as they come; a code that is not here comes without. */
export const DETAILS: Readonly<Partial<Record<ErrorCode, ErrorDetails>>> = {
  INVALID_REQUEST: {
    issues: [
      { path: 'amount', message: 'must be greater than 0' },
      { path: 'metadata.room', message: 'Invalid input: expected string, received number' },
    ],
  },
  PRE_AUTH_CONFLICT: { pre_auth_no: 'PA20250124001' },
  PRE_AUTH_NOT_CAPTURABLE: { status: 'requires_payment_method' },
  PRE_AUTH_BUSY: { status: 'requires_capture', running: 'capture' },
  PRE_AUTH_CLOSED: { status: 'canceled' },
  PRE_AUTH_NOT_SUPPORTED: { channel: 'crypto' },
  PAYMENT_BUSY: { status: 'requires_action', running: 'cancel' },
  PAYMENT_CLOSED: { status: 'success' },
  PAYMENT_NOT_CANCELLABLE: { status: 'processing' },
  PAYMENT_NOT_REFUNDABLE: { status: 'expired' },
  REFUND_CONFLICT: { refund_no: 'RF-7' },
  REFUND_DISPUTED: { amount: 20000, amount_refundable: 0, amount_disputed: 50000 },
  REFUND_EXCEEDS_PAID: { amount: 60000, amount_refundable: 50000 },
  REFUND_NOT_SUPPORTED: { channel: 'crypto' },
  PARTIAL_REFUND_NOT_SUPPORTED: { channel: 'crypto', amount: 20000, amount_paid: 50000 },
  CAPTURE_AMOUNT_EXCEEDS_HOLD: { amount: 60000, amount_capturable: 50000 },
  CURRENCY_MISMATCH: { currency: 'EUR', expected: 'USD' },
  CURRENCY_NOT_SUPPORTED: { channel: 'alipay', currency: 'USD' },
  AMOUNT_NOT_SUPPORTED: { channel: 'stripe', amount: 30, currency: 'USD' },
  CHANNEL_NOT_AVAILABLE: { channel: 'paypal' },
  CHANNEL_SWITCHED_OFF: { channel: 'paypal' },
  ADMIN_KEY_LIMIT: { limit: 200 },
  CHANNEL_DECLINED: {
    ...{ payment_no: 'PY20250124123456abcdefgh', decline_code: 'insufficient_funds', status: 'failed' },
  },
  CHANNEL_NOT_REACHED: { payment_no: 'PY20250124123456abcdefgh', decline_code: null, status: 'expired' },
  ORDER_IN_PROGRESS: { kind: 'payment', number: 'PY20250124123456abcdefgh' },
  ORDER_ALREADY_PAID: { kind: 'payment', number: 'PY20250124123456abcdefgh' },
  WEBHOOK_URL_NOT_ALLOWED: {
    ...{ field: 'notify_url', code: 'ADDRESS_NOT_PUBLIC', reason: 'its address is not a public one' },
  },
  WEBHOOK_ENDPOINT_LIMIT: { limit: 20 },
  WEBHOOK_ENDPOINT_EXISTS: { id: '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11' },
  LATE_PAYMENT_REFUNDED: { state: 'refunding' },
  CUSTOMER_DATA_IN_USE: {
    open: [{ kind: 'pre_auth', number: 'PA20250124001', status: 'requires_capture' }],
  },
  ROUTING_CHANGED: { version: 12 },
  ROUTING_LIMIT: { limit: 1000 },
  ROUTING_FEE_EXISTS: { id: '7b0c4a52-8a0e-4c4b-9a3e-0a5f0d1f6a11' },
  REQUEST_SIGNATURE_REQUIRED: { missing: ['X-Holdfast-Signature'] },
  REQUEST_SIGNATURE_INVALID: { reason: 'signature' },
  RATE_LIMIT_EXCEEDED: { window: 'second', limit: 50 },
};

/** Whose `details` callers go by have a schema of their own. */
const SCHEMA_OF: Readonly<Partial<Record<number, string>>> = { 400: 'InvalidRequest', 429: 'RateLimited' };

const error = {
  code: { type: 'string', enum: Object.keys(ERROR_MESSAGES).sort() },
  message: { type: 'string', description: 'A sentence for people; it may change, the code does not' },
  request_id: { type: 'string', description: 'Give it when you ask us; as the X-Request-Id header' },
} as const;
const required = ['code', 'message', 'request_id'];

export const ERROR_SCHEMAS = {
  Error: {
    ...{ type: 'object', required },
    properties: {
      ...error,
      details: { type: 'object', additionalProperties: true, description: 'What the code is about' },
    },
  },
  InvalidRequest: {
    ...{ type: 'object', required },
    description: '`INVALID_REQUEST` says in `details.issues` what is wrong with which field',
    properties: {
      ...error,
      code: { type: 'string', enum: codesOfStatus(400) },
      details: {
        type: 'object',
        properties: {
          issues: {
            ...{ type: 'array', minItems: 1, maxItems: 20 },
            items: {
              ...{ type: 'object', required: ['path', 'message'] },
              properties: {
                path: { type: 'string', description: 'Dotted: `metadata.room`, `items.0.name`, `body`' },
                message: { type: 'string' },
              },
            },
          },
        },
      },
    },
  },
  RateLimited: {
    ...{ type: 'object', required: ['code', 'message', 'request_id'] },
    properties: {
      ...error,
      code: { type: 'string', enum: codesOfStatus(429) },
      tier: { type: 'string', description: 'Your tier; absent where an address is limited, not a merchant' },
      details: {
        type: 'object',
        properties: {
          window: { type: 'string', description: 'Which limit: second, minute, hour, concurrent, ...' },
          limit: { type: 'integer', description: 'Requests of that window' },
        },
      },
    },
  },
} as const;

function codesOfStatus(status: number): string[] {
  return (Object.keys(ERROR_MESSAGES) as ErrorCode[]).filter((code) => HTTP_STATUS[code] === status).sort();
}

/** The codes a route may answer, its own and those of the frame. */
export function errorCodesOf(route: Route): ErrorCode[] {
  const { params, query, body } = route.request;
  const codes = new Set<ErrorCode>([...route.errors, 'INTERNAL_ERROR']);
  const add = (...more: ErrorCode[]): void => more.forEach((code) => codes.add(code));
  if (route.auth !== 'none') add('UNAUTHENTICATED', 'FORBIDDEN', 'TEMPORARILY_UNAVAILABLE');
  if (route.auth !== 'none') add('RATE_LIMIT_EXCEEDED', 'OVERLOADED');
  if (route.auth === 'merchant') add('REQUEST_SIGNATURE_REQUIRED', 'REQUEST_SIGNATURE_INVALID');
  if ([params, query, body].some((schema) => schema !== undefined)) add('INVALID_REQUEST');
  if (body !== undefined) add('INVALID_JSON');
  if (body !== undefined || route.rawBody !== undefined)
    add('UNSUPPORTED_MEDIA_TYPE', 'PAYLOAD_TOO_LARGE', 'REQUEST_TIMEOUT');
  if (route.idempotent === true) add('IDEMPOTENCY_IN_PROGRESS', 'IDEMPOTENCY_KEY_REUSED');
  return [...codes].sort();
}

/** Each code with its answer, described once. */
export function errorExamples(): Record<string, unknown> {
  const codes = (Object.keys(ERROR_MESSAGES) as ErrorCode[]).sort();
  return Object.fromEntries(
    codes.map((code) => [code, { summary: ERROR_MESSAGES[code], value: errorExample(code) }]),
  );
}

/** An answer with this code as it comes. */
export function errorExample(code: ErrorCode): Readonly<Record<string, unknown>> {
  const details = DETAILS[code];
  return {
    ...{ code, message: ERROR_MESSAGES[code] },
    ...(code === 'RATE_LIMIT_EXCEEDED' && { tier: 'business' }),
    ...(details !== undefined && { details }),
    request_id: REQUEST_ID,
  };
}

/** Statuses that are a success's besides, such as 503 of a probe, are left to it. */
export function failuresOf(route: Route): Record<string, ResponseConfig> {
  const failures: Record<string, ResponseConfig> = {};
  const codes = errorCodesOf(route).filter((code) => route.responses[HTTP_STATUS[code]] === undefined);
  for (const status of [...new Set(codes.map((code) => HTTP_STATUS[code]))].sort()) {
    const ofStatus = codes.filter((code) => HTTP_STATUS[code] === status);
    const examples = ofStatus.map((code) => [code, { $ref: `#/components/examples/${code}` }]);
    const schema = { $ref: `#/components/schemas/${SCHEMA_OF[status] ?? 'Error'}` };
    failures[status] = {
      description: ofStatus.join(', '),
      headers: headersOf(route, status, true),
      content: {
        'application/json': {
          schema,
          examples: Object.fromEntries(examples) as Record<string, { $ref: string }>,
        },
      },
    };
  }
  return failures;
}
