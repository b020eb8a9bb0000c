/**
 * Idempotency keys as Stripe keeps them: scoped to the account, the first answer stored once the execution has begun,
 * 500s included; validation errors and conflicts are not stored; another request under the same key is an error.
 */
import { invalid, StripeApiError } from './errors';
import type { State } from './state';
import type { JsonObject, StoredAnswer } from './types';

const MAX_KEY_LENGTH = 255;

export interface KeyedRequest {
  readonly scope: string;
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly fingerprint: string;
}

/** @returns undefined when the request carries no key */
export function keyOf(
  account: string,
  key: string | undefined,
  method: string,
  path: string,
  raw: JsonObject,
): KeyedRequest | undefined {
  if (key === undefined || method !== 'POST') return undefined;
  if (key === '' || key.length > MAX_KEY_LENGTH) {
    throw invalid(undefined, `Idempotency keys must be between 1 and ${MAX_KEY_LENGTH} characters.`);
  }
  return { scope: `${account}\n${key}`, key, method, path, fingerprint: canonical(raw) };
}

/** The same parameters in another order are the same parameters. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonical(child)}`).join(',')}}`;
}

/** The stored answer to give again. @throws StripeApiError idempotency_error when the key was used for something else */
export function storedAnswer(state: State, request: KeyedRequest): StoredAnswer | undefined {
  const stored = state.findAnswer(request.scope);
  if (stored === undefined) return undefined;
  if (
    stored.method === request.method &&
    stored.path === request.path &&
    stored.fingerprint === request.fingerprint
  ) {
    return stored;
  }
  const what = stored.path === request.path ? 'parameters' : 'endpoint';
  throw new StripeApiError(
    400,
    {
      type: 'idempotency_error',
      message: `Keys for idempotent requests can only be used with the same ${what} they were first used with. Try using a key other than '${request.key}' if you meant to execute a different request.`,
    },
    false,
  );
}

export function keyInUse(key: string): StripeApiError {
  return new StripeApiError(
    409,
    {
      type: 'invalid_request_error',
      code: 'idempotency_key_in_use',
      message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}.`,
    },
    false,
  );
}
