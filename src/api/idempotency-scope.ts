/** Whose Idempotency-Key it is, for which route, with which request. */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { ADMIN_CALLER } from '../stores/idempotency';
import { invalidRequest } from './errors';
import { canonicalHash } from './idempotency';
import type { RequestScope } from './idempotency';
import { routeName } from './route';
import type { Caller, Route } from './route';

/**
 * @param given what names the request beside its key; the query does not: no route that takes a key has one
 * @returns undefined without a key, and for routes that take none
 * @throws HoldfastError INVALID_REQUEST
 */
export function scopeOf(
  route: Pick<Route, 'method' | 'path' | 'idempotent'>,
  caller: Caller,
  headers: IncomingHttpHeaders,
  given: { params: unknown; body: unknown },
): RequestScope | undefined {
  if (route.idempotent !== true || caller.kind === 'none') return undefined;
  const keyHash = keyHashOf(headers['idempotency-key']);
  if (keyHash === undefined) return undefined;
  const callerId = caller.kind === 'merchant' ? caller.merchantId : (caller.keyId ?? ADMIN_CALLER);
  const bodyHash = canonicalHash({ params: given.params, body: given.body });
  return { callerId, route: routeName(route), keyHash, bodyHash };
}

const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** The SHA-256 of the header's value, undefined without one. @throws HoldfastError INVALID_REQUEST */
export function keyHashOf(header: string | string[] | undefined): Buffer | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !IDEMPOTENCY_KEY.test(header)) {
    const message = 'must be 1 to 255 printable ASCII characters';
    throw invalidRequest([{ path: 'Idempotency-Key', message }]);
  }
  return createHash('sha256').update(header).digest();
}
