/**
 * Which Stripe error means what, as data. The first row that matches decides; what matches none is `maybe_executed`,
 * because an error we do not know proves nothing about money.
 */
import type Stripe from 'stripe';
import { ChannelFault } from '../../domain/channel';
import type { Decline, DeclineCode, FaultExecution } from '../../domain/channel';

/** What is left of an error when texts, which may carry personal data, are dropped. */
export interface StripeFailure {
  /** HTTP status; absent when no answer came. */
  readonly status?: number;
  /** Stripe's `error.type`. */
  readonly type?: string;
  readonly code?: string;
  readonly declineCode?: string;
  readonly param?: string;
  /** The response carried `idempotent-replayed: true`: Stripe will answer this key so for ever. */
  readonly replayed: boolean;
  /** Bytes may have reached Stripe, in this try or in the SDK's repeat of it. */
  readonly sent: boolean;
  /** The socket's error code or a word for it, when no answer came. */
  readonly network?: string;
}

type Meaning =
  | { readonly declined: DeclineCode }
  | { readonly declined: 'by_card_table' }
  | { readonly fault: FaultExecution };

interface ErrorRow {
  readonly status?: number | readonly [from: number, to: number];
  readonly type?: string;
  readonly code?: string;
  readonly param?: string;
  readonly means: Meaning;
}

const declined = (code: DeclineCode): Meaning => ({ declined: code });
const fault = (execution: FaultExecution): Meaning => ({ fault: execution });

export const ERROR_TABLE: readonly ErrorRow[] = [
  // Another request works on the same key, or on the same object: ask again with the same key.
  { code: 'idempotency_key_in_use', means: fault('in_progress') },
  { code: 'lock_timeout', means: fault('in_progress') },
  { status: 409, means: fault('in_progress') },
  // The key was used with other parameters: what it did then is exactly what we do not know.
  { type: 'idempotency_error', means: fault('maybe_executed') },
  // Limits are enforced before anything is executed.
  { status: 429, means: fault('not_sent') },
  { code: 'rate_limit', means: fault('not_sent') },
  { status: [500, 599], means: fault('maybe_executed') },
  { status: 401, means: declined('account_invalid') },
  { status: 403, means: declined('account_invalid') },
  { code: 'api_key_expired', means: declined('account_invalid') },
  { code: 'account_invalid', means: declined('account_invalid') },
  { code: 'secret_key_required', means: declined('account_invalid') },
  { code: 'testmode_charges_only', means: declined('account_invalid') },
  { code: 'livemode_mismatch', means: declined('account_invalid') },
  { code: 'charge_expired_for_capture', means: declined('hold_expired') },
  { code: 'capture_charge_authorization_expired', means: declined('hold_expired') },
  { code: 'payment_intent_unexpected_state', means: declined('invalid_state') },
  { code: 'intent_invalid_state', means: declined('invalid_state') },
  { code: 'status_transition_invalid', means: declined('invalid_state') },
  { code: 'charge_already_captured', means: declined('invalid_state') },
  { code: 'charge_already_refunded', means: declined('invalid_state') },
  { code: 'capture_unauthorized_payment', means: declined('invalid_state') },
  { code: 'charge_disputed', means: declined('invalid_state') },
  { code: 'refund_disputed_payment', means: declined('invalid_state') },
  { code: 'charge_not_refundable', means: declined('invalid_state') },
  // Our balance at Stripe is too small for a refund: nothing was given back, and it may work later.
  { code: 'balance_insufficient', means: declined('processing_error') },
  { code: 'amount_too_large', means: declined('invalid_amount') },
  { code: 'amount_too_small', means: declined('invalid_amount') },
  { code: 'invalid_charge_amount', means: declined('invalid_amount') },
  { code: 'charge_exceeds_transaction_limit', means: declined('invalid_amount') },
  { code: 'resource_missing', means: declined('object_not_found') },
  { status: 402, type: 'card_error', means: { declined: 'by_card_table' } },
  { status: 400, type: 'invalid_request_error', param: 'currency', means: declined('invalid_currency') },
  // A refund of more than is left has no code of its own, only the parameter that is wrong.
  { status: 400, type: 'invalid_request_error', param: 'amount', means: declined('invalid_amount') },
  { status: 400, type: 'invalid_request_error', means: declined('invalid_request') },
  { status: 404, type: 'invalid_request_error', means: declined('invalid_request') },
];

/** Card errors by their decline code, else by their code; what is not listed is a plain `card_declined`. */
export const CARD_DECLINES: Readonly<Record<string, DeclineCode>> = {
  insufficient_funds: 'insufficient_funds',
  card_velocity_exceeded: 'insufficient_funds',
  withdrawal_count_limit_exceeded: 'insufficient_funds',
  expired_card: 'expired_card',
  authentication_required: 'authentication_required',
  authentication_not_handled: 'authentication_required',
  payment_intent_authentication_failure: 'authentication_required',
  fraudulent: 'fraud_suspected',
  merchant_blacklist: 'fraud_suspected',
  lost_card: 'fraud_suspected',
  stolen_card: 'fraud_suspected',
  pickup_card: 'fraud_suspected',
  security_violation: 'fraud_suspected',
  currency_not_supported: 'invalid_currency',
  invalid_amount: 'invalid_amount',
  processing_error: 'processing_error',
  issuer_not_available: 'processing_error',
  reenter_transaction: 'processing_error',
  try_again_later: 'processing_error',
};

/** The meaning of a failure: a decline to return, or a fault to throw. Pure. */
export function meaningOf(failure: StripeFailure): Decline | ChannelFault {
  const reason = reasonOf(failure);
  if (failure.status === undefined)
    return new ChannelFault(failure.sent ? 'maybe_executed' : 'not_sent', reason);
  const means = ERROR_TABLE.find((row) => matches(row, failure))?.means ?? fault('maybe_executed');
  if ('fault' in means) {
    return new ChannelFault(means.fault, reason, failure.replayed && means.fault === 'maybe_executed');
  }
  return {
    kind: 'declined',
    code: means.declined === 'by_card_table' ? cardDecline(failure) : means.declined,
    providerCode: reason,
  };
}

/** The last decline of a customer's means, as a PaymentIntent remembers it. Pure. */
export function declineOfMeans(error: {
  readonly code?: string | undefined;
  readonly decline_code?: string | null | undefined;
  readonly type: string;
}): Omit<Decline, 'kind'> {
  const failure: StripeFailure = {
    status: 402,
    type: error.type,
    ...text('code', error.code),
    ...text('declineCode', error.decline_code),
    replayed: false,
    sent: true,
  };
  return { code: cardDecline(failure), providerCode: reasonOf(failure) };
}

function cardDecline(failure: StripeFailure): DeclineCode {
  return CARD_DECLINES[failure.declineCode ?? ''] ?? CARD_DECLINES[failure.code ?? ''] ?? 'card_declined';
}

function matches(row: ErrorRow, failure: StripeFailure): boolean {
  const { status = 0 } = failure;
  const [from, to] = typeof row.status === 'number' ? [row.status, row.status] : (row.status ?? [0, 599]);
  return (
    status >= from &&
    status <= to &&
    (row.type === undefined || row.type === failure.type) &&
    (row.code === undefined || row.code === failure.code) &&
    (row.param === undefined || row.param === failure.param)
  );
}

const CODE = /^[A-Za-z0-9_.-]{1,60}$/;

/** Codes only: a message may name a customer, and what looks like no code is not passed on. */
function reasonOf(failure: StripeFailure): string {
  const parts = [failure.code, failure.declineCode, failure.network, failure.type].filter(
    (part): part is string => part !== undefined && CODE.test(part),
  );
  const [first, second] = parts;
  if (first === undefined) return `http_${failure.status ?? 'none'}`;
  return failure.code !== undefined && second !== undefined && second === failure.declineCode
    ? `${first}:${second}`
    : first;
}

/** Reads an error of the SDK (or of the wire below it). */
export function readFailure(error: unknown, sent: boolean): StripeFailure {
  const raw = error as Partial<Stripe.errors.StripeError> & { detail?: { code?: unknown }; rawType?: string };
  const headers = (raw.headers ?? {}) as Record<string, string | undefined>;
  const network: unknown = (typeof raw.detail === 'object' ? raw.detail.code : undefined) ?? raw.code;
  return {
    ...(raw.statusCode === undefined ? {} : { status: raw.statusCode }),
    ...text('type', raw.rawType),
    ...text('code', raw.statusCode === undefined ? undefined : raw.code),
    ...text('declineCode', raw.decline_code),
    ...text('param', raw.param),
    replayed: headers['idempotent-replayed'] === 'true',
    sent,
    ...(raw.statusCode === undefined ? { network: typeof network === 'string' ? network : 'no_answer' } : {}),
  };
}

function text<K extends string>(key: K, value: unknown): { [P in K]?: string } {
  return typeof value === 'string' && value !== '' ? ({ [key]: value } as { [P in K]?: string }) : {};
}
