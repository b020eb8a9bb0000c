/**
 * The closed list of what can go wrong for a caller. The HTTP status of each stands in api/errors.ts; a code never
 * changes its meaning, and nothing reaches a caller that is not in this list.
 */
export const ERROR_MESSAGES = {
  INVALID_REQUEST:
    'The request does not have the form this endpoint takes; details.issues names every field.',
  INVALID_JSON: 'The body is not valid JSON.',
  UNSUPPORTED_MEDIA_TYPE: 'Send the body as application/json.',
  PAYLOAD_TOO_LARGE: 'The body is larger than this endpoint takes.',
  UNAUTHENTICATED: 'No valid API key was given. Send "Authorization: Bearer hf_...".',
  FORBIDDEN: 'This key may not do that.',
  NOT_FOUND: 'There is no such object.',
  ROUTE_NOT_FOUND: 'There is no such address.',
  METHOD_NOT_ALLOWED: 'This address does not take that method.',
  IDEMPOTENCY_IN_PROGRESS: 'A request with this Idempotency-Key is still being worked on; repeat it shortly.',
  IDEMPOTENCY_KEY_REUSED: 'This Idempotency-Key was used with another body.',
  PRE_AUTH_CONFLICT: 'A hold with this pre_auth_no exists with other data.',
  PRE_AUTH_NOT_CAPTURABLE: 'The hold cannot be captured yet: the customer has not confirmed it.',
  PRE_AUTH_BUSY: 'Another command on this hold is under way; repeat when it is settled.',
  PRE_AUTH_CLOSED: 'The hold is closed.',
  PRE_AUTH_NOT_SUPPORTED: 'This channel does not support pre-authorization.',
  PAYMENT_BUSY: 'Another command on this payment is under way; repeat when it is settled.',
  PAYMENT_CLOSED: 'The payment is closed.',
  PAYMENT_NOT_CANCELLABLE: 'The payment cannot be cancelled now: the channel is at work on it.',
  PAYMENT_NOT_REFUNDABLE: 'The payment or hold has taken no money that could be given back.',
  REFUND_CONFLICT: 'A refund with this refund_no exists with other data.',
  REFUND_DISPUTED: 'The customer disputes this money: it cannot be refunded besides.',
  REFUND_EXCEEDS_PAID: 'The refund is more than what can be given back.',
  REFUND_NOT_SUPPORTED: 'This channel cannot give money back.',
  PARTIAL_REFUND_NOT_SUPPORTED: 'This channel gives back all or nothing.',
  CAPTURE_AMOUNT_EXCEEDS_HOLD: 'The amount is more than what is left of the hold.',
  CURRENCY_MISMATCH: 'The currency is not the currency of the hold.',
  CHANNEL_MISMATCH: 'The hold is not at this channel.',
  CURRENCY_NOT_SUPPORTED: 'This channel does not take this currency.',
  AMOUNT_NOT_SUPPORTED: 'This channel cannot express or does not take this amount.',
  CHANNEL_NOT_AVAILABLE: 'No account is set up for this channel.',
  CHANNEL_ACCOUNT_EXISTS: 'An enabled account of this channel exists already for this owner and world.',
  CHANNEL_DECLINED: 'The channel declined.',
  ORDER_IN_PROGRESS: 'This order has a live payment or hold; details name it.',
  ORDER_ALREADY_PAID: 'This order is paid; details name the payment or hold.',
  WEBHOOK_URL_NOT_ALLOWED: 'This notify_url may not be used; details.reason says why.',
  WEBHOOK_ENDPOINT_LIMIT: 'This merchant has as many webhook endpoints as it may have.',
  WEBHOOK_ENDPOINT_EXISTS: 'A webhook endpoint with this URL exists already; details.id names it.',
  WEBHOOK_ENDPOINT_IMPLICIT:
    'This endpoint stands for the origin of a notify_url: it has no URL and no secret of its own, and only enabled may change.',
  WEBHOOK_ENDPOINT_DISABLED: 'This webhook endpoint is disabled; enable it first.',
  WEBHOOK_ENDPOINT_DELETED: 'The webhook endpoint of this notification is deleted.',
  WEBHOOK_NOTIFICATION_DELIVERED: 'This notification has been delivered already.',
  LATE_PAYMENT_REFUNDED: 'This late money is being given back, or was; details.state says which.',
  ROUTING_CHANGED:
    'Somebody has changed this meanwhile; details.version is the present one, 0 when it is as built in.',
  ROUTING_LIMIT: 'The routing configuration holds as many of these as it may; details.limit says how many.',
  ROUTING_FEE_EXISTS:
    'A price for exactly this channel, account, currency and country exists; details.id names it.',
  SIGNATURE_INVALID: 'The signature of this event is not valid.',
  REQUEST_TIMEOUT: 'The request did not arrive in time.',
  TEMPORARILY_UNAVAILABLE:
    'The service cannot answer right now. Repeat the request with the same Idempotency-Key.',
  INTERNAL_ERROR: 'Something went wrong on our side; give the request_id when you ask us.',
} as const;

export type ErrorCode = keyof typeof ERROR_MESSAGES;

export type ErrorDetails = Readonly<Record<string, unknown>>;

/** A refusal as a value: why something was not done. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: ErrorDetails;
}

export function refuse(
  code: ErrorCode,
  details?: ErrorDetails,
  message: string = ERROR_MESSAGES[code],
): Refusal {
  return details === undefined ? { code, message } : { code, message, details };
}

/** A refusal on its way to the caller. Thrown only where no value can be returned. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails | undefined;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.code = refusal.code;
    this.details = refusal.details;
  }
}

/** `throw fail('NOT_FOUND')` */
export function fail(code: ErrorCode, details?: ErrorDetails, message?: string): HoldfastError {
  return new HoldfastError(refuse(code, details, message));
}
