/** Errors in Stripe's form. */
import type { JsonObject } from './types';

export type StripeErrorType =
  'api_error' | 'card_error' | 'idempotency_error' | 'invalid_request_error' | 'rate_limit_error';

export interface StripeErrorBody {
  readonly type: StripeErrorType;
  readonly message: string;
  readonly code?: string;
  readonly param?: string;
  readonly decline_code?: string;
  readonly charge?: string;
  readonly payment_intent?: JsonObject;
}

/**
 * Thrown by routes. `isStored`: the answer is kept under the idempotency key, which Stripe does once the execution has
 * begun, and does not for requests that fail validation.
 */
export class StripeApiError extends Error {
  constructor(
    readonly status: number,
    readonly body: StripeErrorBody,
    readonly isStored: boolean,
  ) {
    super(body.message);
  }
}

/** A request that fails validation: never stored. */
export function invalid(
  code: string | undefined,
  message: string,
  param?: string,
  status = 400,
): StripeApiError {
  return new StripeApiError(
    status,
    {
      type: 'invalid_request_error',
      message,
      ...(code === undefined ? {} : { code }),
      ...(param === undefined ? {} : { param }),
    },
    false,
  );
}

/** A request that is well formed and refused by the state it meets: stored. */
export function refused(
  code: string,
  message: string,
  extra: { param?: string; payment_intent?: JsonObject } = {},
): StripeApiError {
  return new StripeApiError(400, { type: 'invalid_request_error', code, message, ...extra }, true);
}

export function cardError(
  code: string,
  declineCode: string | undefined,
  message: string,
  charge: string | null,
  intent: JsonObject,
): StripeApiError {
  return new StripeApiError(
    402,
    {
      type: 'card_error',
      code,
      message,
      ...(declineCode === undefined ? {} : { decline_code: declineCode }),
      ...(charge === null ? {} : { charge }),
      payment_intent: intent,
    },
    true,
  );
}

export function missing(kind: string, id: string, param = 'intent'): StripeApiError {
  return invalid('resource_missing', `No such ${kind}: '${id}'`, param, 404);
}

export const SERVER_ERROR: StripeErrorBody = {
  type: 'api_error',
  message: 'An unknown error occurred. This error was made by the sandbox.',
};
