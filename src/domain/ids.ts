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
  return workflowIdOf({ merchantId, kind: 'pre_auth', no: preAuthNo });
}

/** What a channel call, an event or a workflow is about. */
export type ObjectKind = 'payment' | 'pre_auth' | 'refund';

/** Names one object of a merchant. */
export interface ObjectRef {
  readonly merchantId: string;
  readonly kind: ObjectKind;
  readonly no: string;
}

const WORKFLOW_PREFIX = { payment: 'payment', pre_auth: 'pre-auth', refund: 'refund' } as const;

/** `payment/{merchant_id}/{payment_no}`, `pre-auth/...`, `refund/...`: at most 110 characters. */
export function workflowIdOf({ merchantId, kind, no }: ObjectRef): string {
  return `${WORKFLOW_PREFIX[kind]}/${merchantId}/${no}`;
}

const WORKFLOW_ID = /^(payment|pre-auth|refund)\/([0-9a-f-]{36})\/([A-Za-z0-9._-]{1,64})$/;

/** The object that a workflow id names; undefined for anything else, such as another system's metadata. */
export function objectOfWorkflowId(workflowId: string): ObjectRef | undefined {
  const [, prefix, merchantId, no] = WORKFLOW_ID.exec(workflowId) ?? [];
  if (prefix === undefined || merchantId === undefined || no === undefined) return undefined;
  return { merchantId, kind: prefix === 'pre-auth' ? 'pre_auth' : (prefix as 'payment' | 'refund'), no };
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
