/** Error code -> HTTP status, and whatever was thrown -> what the caller is told. */
import { fail, HoldfastError, refuse } from '../domain/errors';
import type { ErrorCode, Refusal } from '../domain/errors';

export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_REQUEST: 400,
  INVALID_JSON: 400,
  UNAUTHENTICATED: 401,
  LATE_PAYMENT_REFUNDED: 409,
  SIGNATURE_INVALID: 401,
  REQUEST_SIGNATURE_REQUIRED: 401,
  REQUEST_SIGNATURE_INVALID: 401,
  CHANNEL_DECLINED: 402,
  CHANNEL_NOT_REACHED: 402,
  FORBIDDEN: 403,
  MERCHANT_SUSPENDED: 403,
  NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  IDEMPOTENCY_IN_PROGRESS: 409,
  PRE_AUTH_CONFLICT: 409,
  PRE_AUTH_NOT_CAPTURABLE: 409,
  PRE_AUTH_BUSY: 409,
  PRE_AUTH_CLOSED: 409,
  PAYMENT_BUSY: 409,
  PAYMENT_CLOSED: 409,
  PAYMENT_NOT_CANCELLABLE: 409,
  PAYMENT_NOT_REFUNDABLE: 409,
  REFUND_CONFLICT: 409,
  REFUND_DISPUTED: 409,
  ORDER_IN_PROGRESS: 409,
  ORDER_ALREADY_PAID: 409,
  CHANNEL_ACCOUNT_EXISTS: 409,
  ADMIN_KEY_EXISTS: 409,
  WEBHOOK_ENDPOINT_EXISTS: 409,
  WEBHOOK_ENDPOINT_DISABLED: 409,
  WEBHOOK_ENDPOINT_DELETED: 409,
  WEBHOOK_NOTIFICATION_DELIVERED: 409,
  ROUTING_CHANGED: 409,
  CUSTOMER_DATA_IN_USE: 409,
  ROUTING_FEE_EXISTS: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  IDEMPOTENCY_KEY_REUSED: 422,
  PRE_AUTH_NOT_SUPPORTED: 422,
  CAPTURE_AMOUNT_EXCEEDS_HOLD: 422,
  REFUND_EXCEEDS_PAID: 422,
  REFUND_NOT_SUPPORTED: 422,
  PARTIAL_REFUND_NOT_SUPPORTED: 422,
  CURRENCY_MISMATCH: 422,
  CHANNEL_MISMATCH: 422,
  CURRENCY_NOT_SUPPORTED: 422,
  AMOUNT_NOT_SUPPORTED: 422,
  CHANNEL_NOT_AVAILABLE: 422,
  CHANNEL_SWITCHED_OFF: 422,
  ADMIN_KEY_LIMIT: 422,
  ROUTING_LIMIT: 422,
  WEBHOOK_URL_NOT_ALLOWED: 422,
  WEBHOOK_ENDPOINT_LIMIT: 422,
  WEBHOOK_ENDPOINT_IMPLICIT: 422,
  RATE_LIMIT_EXCEEDED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  OVERLOADED: 503,
  TEMPORARILY_UNAVAILABLE: 503,
};

/** What is wrong with one field. `path` is dotted: `metadata.room`, `items.0.name`; `body` for the body as a whole. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

const MAX_ISSUES = 20;

export function invalidRequest(issues: readonly Issue[]): HoldfastError {
  return fail('INVALID_REQUEST', { issues: issues.slice(0, MAX_ISSUES) });
}

/** An error as the caller sees it. */
export interface PublicError {
  readonly status: number;
  readonly refusal: Refusal;
  readonly headers: Readonly<Record<string, string>>;
  /** True: the cause is ours, is worth a log line, and is not shown. */
  readonly internal: boolean;
}

/** Turns anything thrown while a request was worked on into an answer. */
export function publicErrorOf(error: unknown): PublicError {
  const known = knownErrorOf(error);
  const refusal = known ?? refuse('INTERNAL_ERROR');
  const { code } = refusal;
  const internal = code === 'INTERNAL_ERROR' || (code === 'TEMPORARILY_UNAVAILABLE' && !isOurs(error));
  return { status: HTTP_STATUS[code], refusal, headers: headersOf(code, error), internal };
}

function isOurs(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError;
}

function knownErrorOf(error: unknown): Refusal | undefined {
  if (isOurs(error)) {
    return refuse(error.code, error.details, error.message);
  }
  if (isDatabaseUnavailable(error)) return refuse('TEMPORARILY_UNAVAILABLE');
  return bodyRefusalOf(error);
}

function headersOf(code: ErrorCode, error: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  if (code === 'TEMPORARILY_UNAVAILABLE') headers['Retry-After'] = '1';
  if (code === 'UNAUTHENTICATED') headers['WWW-Authenticate'] = 'Bearer';
  return error instanceof RefusalWithHeaders ? { ...headers, ...error.headers } : headers;
}

/** A refusal that needs a header of its own: `Allow`, or the mark of a replayed answer. */
export class RefusalWithHeaders extends HoldfastError {
  constructor(
    refusal: Refusal,
    readonly headers: Readonly<Record<string, string>>,
  ) {
    super(refusal);
  }
}

/** Errors of the body reader and the router carry a `type` and the status of a client error. */
function bodyRefusalOf(error: unknown): Refusal | undefined {
  const { type, status } = (error ?? {}) as { type?: unknown; status?: unknown };
  if (type === 'entity.too.large') return refuse('PAYLOAD_TOO_LARGE');
  if (type === 'encoding.unsupported') {
    return refuse('UNSUPPORTED_MEDIA_TYPE', undefined, 'Send the body without a Content-Encoding.');
  }
  if (typeof status === 'number' && status >= 400 && status < 500) {
    const cause = type === 'request.aborted' ? 'The body ended early.' : 'The address is not valid.';
    return refuse('INVALID_REQUEST', undefined, cause);
  }
  return undefined;
}

const NETWORK_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** Class 08: connection; 57P: the server ends or starts; 57014: statement time-out; 53300: too many connections. */
const SERVER_AWAY = /^(08...|57P0[1-5]|57014|53300|25006)$/;
/** What the client library says in words only. */
const CLIENT_AWAY =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|Client has encountered a connection error|Cannot use a pool after)/;

/** True when PostgreSQL cannot be reached or cannot work now, as opposed to refusing what we asked. */
function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string' && (NETWORK_CODES.has(code) || SERVER_AWAY.test(code))) return true;
  return CLIENT_AWAY.test(error.message);
}

/** What may be logged of an unexpected error: PostgreSQL's `detail`, for one, carries the values of a row. */
export function loggableError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { name: typeof error };
  const code = (error as { code?: unknown }).code;
  return { name: error.name, message: error.message, stack: error.stack, ...(code ? { code } : {}) };
}
