/** Every identifier that leaves the process is built here, so that it is built the same way everywhere. */

/** A merchant's own numbers: order_no, pre_auth_no, refund_no. */
export const MERCHANT_NUMBER = /^[A-Za-z0-9._-]{1,64}$/;

export type NumberPrefix = 'PA' | 'PY' | 'RF';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/**
 * A generated number: prefix, UTC `yyyyMMddHHmmss`, eight random letters, e.g. `PA20250124123456abcdefgh`.
 * `random` gives eight bytes; which source of chance is used is the caller's business.
 */
export function generateNumber(prefix: NumberPrefix, now: Date, random: Uint8Array): string {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const letters = [...random.subarray(0, 8)].map((byte) => LETTERS[byte % LETTERS.length]).join('');
  return `${prefix}${stamp}${letters}`;
}

export function preAuthWorkflowId(merchantId: string, preAuthNo: string): string {
  return `pre-auth/${merchantId}/${preAuthNo}`;
}

/** What a channel sees as `holdfast_call`: `create/1`, `capture/2`. */
export function callName(operation: string, n: number | ''): string {
  return `${operation}/${n}`;
}

/**
 * Stable over retries, different per operation and attempt. Stripe allows 255 characters; this has at most 130. With ''
 * for n: everything before it, for the statement that counts n.
 */
export function channelIdempotencyKey(workflowId: string, operation: string, n: number | ''): string {
  return `${workflowId}/${callName(operation, n)}`;
}
