/** Errors in PayPal's form, with its own names, issues and sentences. */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from './types';

const NAMES = {
  400: ['INVALID_REQUEST', 'Request is not well-formed, syntactically incorrect, or violates schema.'],
  401: [
    'AUTHENTICATION_FAILURE',
    'Authentication failed due to missing authorization header, or invalid authentication credentials.',
  ],
  403: ['NOT_AUTHORIZED', 'Authorization failed due to insufficient permissions.'],
  404: ['RESOURCE_NOT_FOUND', 'The specified resource does not exist.'],
  409: ['RESOURCE_CONFLICT', 'The server has detected a conflict while processing this request.'],
  415: ['UNSUPPORTED_MEDIA_TYPE', "The server does not support the request payload's media type."],
  422: [
    'UNPROCESSABLE_ENTITY',
    'The requested action could not be performed, semantically incorrect, or failed business validation.',
  ],
  429: ['RATE_LIMIT_REACHED', 'Too many requests. Blocked due to rate limiting.'],
  500: ['INTERNAL_SERVER_ERROR', 'An internal server error occurred.'],
} as const;

/** The issues the sandbox knows, in PayPal's words. */
const ISSUES = {
  INVALID_RESOURCE_ID: 'Specified resource ID does not exist. Please check the resource ID and try again.',
  PREVIOUS_REQUEST_IN_PROGRESS:
    'A previous request on this resource is currently in progress. Please wait for sometime and try again. It is best to space out the initial and the subsequent request(s) to avoid receiving this error.',
  PAYPAL_REQUEST_ID_REQUIRED:
    "A PayPal-Request-Id is required if you are trying to process payment for an Order. Please specify a PayPal-Request-Id or Create the Order without a 'payment_source' specified.",
  INVALID_PARAMETER_SYNTAX: 'The value of a field does not conform to the expected format.',
  CURRENCY_NOT_SUPPORTED: 'Currency code is currently not supported.',
  CANNOT_BE_ZERO_OR_NEGATIVE:
    'Must be greater than zero. If the currency supports decimals, only two decimal place precision is supported.',
  DECIMAL_PRECISION: 'If the currency supports decimals, only two decimal place precision is supported.',
  DECIMALS_NOT_SUPPORTED: 'Currency does not support decimals.',
  MAX_VALUE_EXCEEDED: 'Should be less than or equal to 9999999.99.',
  ORDER_NOT_APPROVED:
    "Payer has not yet approved the Order for payment. Please redirect the payer to the 'rel':'approve' url returned as part of the HATEOAS links within the Create Order call.",
  ORDER_ALREADY_CAPTURED: "Order already captured.If 'intent=CAPTURE' only one capture per order is allowed.",
  ORDER_ALREADY_AUTHORIZED:
    "Order already authorized.If 'intent=AUTHORIZE' only one authorization per order is allowed.",
  ORDER_ALREADY_COMPLETED: 'The order cannot be patched after it is completed.',
  ACTION_DOES_NOT_MATCH_INTENT: 'Order was created with another intent than this action.',
  INSTRUMENT_DECLINED:
    "The instrument presented  was either declined by the processor or bank, or it can't be used for this payment.",
  MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED:
    'You have exceeded the maximum number of payment attempts for this order.',
  DUPLICATE_INVOICE_ID: 'Requested invoice_id has been previously captured. Possible duplicate transaction.',
  AUTHORIZATION_VOIDED: 'A voided authorization cannot be captured or reauthorized. ',
  AUTHORIZATION_EXPIRED: 'An expired authorization cannot be captured.',
  AUTHORIZATION_ALREADY_CAPTURED: 'Authorization has previously been captured.',
  AUTH_CAPTURE_CURRENCY_MISMATCH: 'Currency of capture must be the same as currency of authorization.',
  MAX_CAPTURE_AMOUNT_EXCEEDED: 'Capture amount exceeds allowable limit.',
  MAX_CAPTURE_COUNT_EXCEEDED:
    'Maxmimum number of allowable captures has been reached. No additional captures are possible for this authorization.',
  PREVIOUSLY_CAPTURED: 'Authorization has been previously captured and hence cannot be voided.',
  PREVIOUSLY_VOIDED: 'Authorization has been previously voided and hence cannot be voided again.',
  CANNOT_BE_VOIDED: 'A reauthorization cannot be voided. Please void the original parent authorization.',
  REAUTHORIZATION_TOO_SOON:
    'A reauthorization is only allowed once from Day 4 to Day 29 since the date of the original authorization.',
  REAUTHORIZATION_NOT_SUPPORTED:
    'A reauthorize cannot be attempted on an authorization_id that is the result of a prior reauthorization or on an authorization made on an Order saved using the `v2/orders/id/save` API.',
  REAUTHORIZATION_NOT_SUPPORTED_FOR_PAYMENT_SOURCE:
    'Reauthorization is not supported for the payment source of this authorization.',
  REAUTHORIZATION_DECLINED_BY_PROCESSOR: 'The reauthorization was declined by the processor.',
  PERMISSION_DENIED: 'You do not have permission to access or perform operations on this resource.',
  TRANSACTION_REFUSED: "PayPal's internal controls prevent authorization from being captured.",
  AUTH_CURRENCY_MISMATCH:
    'The currency specified during reauthorization should be the same as the currency specified in the original authorization.',
  AUTHORIZATION_AMOUNT_EXCEEDED: 'Authorization amount specified exceeded allowable limit.',
  PENDING_CAPTURE: 'Cannot initiate a refund as the capture is pending.',
  REFUND_NOT_ALLOWED: 'Capture cannot be refunded.',
  CAPTURE_FULLY_REFUNDED: 'The capture has already been fully refunded',
  REFUND_AMOUNT_EXCEEDED:
    'The refund amount must be less than or equal to the capture amount that has not yet been refunded.',
  REFUND_CAPTURE_CURRENCY_MISMATCH: 'Refund must be in the same currency as the capture',
  TRANSACTION_DISPUTED:
    'Partial refunds cannot be offered at this time because there is an open case on this transaction. Visit the PayPal Resolution Center to review this case.',
} as const;

export type Issue = keyof typeof ISSUES;
export type ErrorStatus = keyof typeof NAMES;

export class PayPalError extends Error {
  constructor(
    readonly status: ErrorStatus,
    readonly body: JsonObject,
  ) {
    super(String(body['name']));
  }
}

export function failure(
  status: ErrorStatus,
  issue?: Issue,
  more: JsonObject = {},
  field?: string,
): PayPalError {
  const [name, message] = NAMES[status];
  const details =
    issue === undefined
      ? {}
      : {
          details: [
            {
              ...(field === undefined ? {} : { field, location: 'body' }),
              issue,
              description: ISSUES[issue],
            },
          ],
        };
  return new PayPalError(status, {
    name,
    ...details,
    message,
    debug_id: randomBytes(7).toString('hex').slice(0, 13),
    links: [],
    ...more,
  });
}

/** A refusal by the state an object is in. */
export const refuse = (issue: Issue, more: JsonObject = {}): PayPalError => failure(422, issue, more);
export const missing = (): PayPalError => failure(404, 'INVALID_RESOURCE_ID');
