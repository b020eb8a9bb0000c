/**
 * Which PayPal error means what, as data. The first row that matches decides; what matches none is `maybe_executed`,
 * because an error we do not know proves nothing about money. PayPal stores no errors under a request id: the same id
 * executes again, so `storedAnswer` is never true.
 */
import { ChannelFault } from '../../domain/channel';
import type { Decline, DeclineCode, FaultExecution } from '../../domain/channel';

/** What is left of an error answer when texts, which may carry personal data, are dropped. */
export interface PayPalFailure {
  readonly status: number;
  /** `name` of the answer: UNPROCESSABLE_ENTITY, RESOURCE_NOT_FOUND, ... */
  readonly name?: string;
  /** `issue` of its first detail: the code that says what happened. */
  readonly issue?: string;
}

type Meaning = { readonly declined: DeclineCode } | { readonly fault: FaultExecution };

interface ErrorRow {
  readonly status?: number | readonly [from: number, to: number];
  readonly name?: string;
  readonly issue?: string;
  readonly means: Meaning;
}

const fault = (execution: FaultExecution): Meaning => ({ fault: execution });
const declined = (code: DeclineCode): Meaning => ({ declined: code });

/** A business refusal: PayPal names the issue and did nothing. */
const ISSUES: Readonly<Partial<Record<DeclineCode, string>>> = {
  card_declined:
    'INSTRUMENT_DECLINED PAYER_CANNOT_PAY PAYER_ACCOUNT_LOCKED_OR_CLOSED PAYER_ACCOUNT_RESTRICTED ' +
    'REDIRECT_PAYER_FOR_ALTERNATE_FUNDING REAUTHORIZATION_DECLINED_BY_PROCESSOR',
  insufficient_funds: 'REFUND_FAILED_INSUFFICIENT_FUNDS',
  expired_card: 'CARD_EXPIRED',
  authentication_required: 'PAYER_ACTION_REQUIRED',
  fraud_suspected: 'TRANSACTION_BLOCKED_BY_PAYEE TRANSACTION_REFUSED COMPLIANCE_VIOLATION',
  hold_expired: 'AUTHORIZATION_EXPIRED',
  invalid_state:
    'ORDER_NOT_APPROVED ORDER_ALREADY_CAPTURED ORDER_ALREADY_AUTHORIZED ORDER_ALREADY_COMPLETED ORDER_EXPIRED ' +
    'ACTION_DOES_NOT_MATCH_INTENT MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED AUTHORIZATION_VOIDED AUTHORIZATION_DENIED ' +
    'AUTHORIZATION_ALREADY_CAPTURED MAX_CAPTURE_COUNT_EXCEEDED PREVIOUSLY_CAPTURED PREVIOUSLY_VOIDED CANNOT_BE_VOIDED ' +
    'REAUTHORIZATION_TOO_SOON REAUTHORIZATION_NOT_SUPPORTED REAUTHORIZATION_NOT_SUPPORTED_FOR_PAYMENT_SOURCE ' +
    'CAPTURE_FULLY_REFUNDED REFUND_NOT_ALLOWED REFUND_TIME_LIMIT_EXCEEDED PARTIAL_REFUND_NOT_ALLOWED PENDING_CAPTURE ' +
    'MAX_NUMBER_OF_REFUNDS_EXCEEDED REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK REFUND_IS_RESTRICTED TRANSACTION_DISPUTED',
  invalid_amount:
    'MAX_CAPTURE_AMOUNT_EXCEEDED AUTHORIZATION_AMOUNT_EXCEEDED REFUND_AMOUNT_EXCEEDED REFUND_AMOUNT_TOO_LOW ' +
    'TRANSACTION_LIMIT_EXCEEDED CANNOT_BE_ZERO_OR_NEGATIVE CANNOT_BE_NEGATIVE DECIMAL_PRECISION DECIMALS_NOT_SUPPORTED ' +
    'AMOUNT_MISMATCH MAX_VALUE_EXCEEDED',
  invalid_currency:
    'INVALID_CURRENCY_CODE CURRENCY_NOT_SUPPORTED CURRENCY_MISMATCH AUTH_CAPTURE_CURRENCY_MISMATCH ' +
    'AUTH_CURRENCY_MISMATCH REFUND_CAPTURE_CURRENCY_MISMATCH',
  account_invalid:
    'PAYEE_ACCOUNT_LOCKED_OR_CLOSED PAYEE_ACCOUNT_RESTRICTED PAYEE_ACCOUNT_INVALID INVALID_ACCOUNT_STATUS',
};

export const ERROR_TABLE: readonly ErrorRow[] = [
  // The same request is at work: ask again with the same id.
  { issue: 'PREVIOUS_REQUEST_IN_PROGRESS', means: fault('in_progress') },
  { status: 409, name: 'RESOURCE_CONFLICT', means: fault('in_progress') },
  // The id, or the invoice_id that we derive from it, was used before: what was done then is what we do not know.
  { name: 'DUPLICATE_REQUEST_ID', means: fault('maybe_executed') },
  { issue: 'DUPLICATE_REQUEST_ID', means: fault('maybe_executed') },
  { issue: 'PAYPAL_REQUEST_ID_PREVIOUSLY_USED', means: fault('maybe_executed') },
  { issue: 'DUPLICATE_INVOICE_ID', means: fault('maybe_executed') },
  { issue: 'DUPLICATE_TRANSACTION', means: fault('maybe_executed') },
  // Limits are enforced before anything is executed.
  { status: 429, means: fault('not_sent') },
  { name: 'RATE_LIMIT_REACHED', means: fault('not_sent') },
  { status: [500, 599], means: fault('maybe_executed') },
  { status: 401, means: declined('account_invalid') },
  { status: 403, means: declined('account_invalid') },
  ...Object.entries(ISSUES).flatMap(([code, issues]) =>
    issues.split(' ').map((issue) => ({ issue, means: declined(code as DeclineCode) })),
  ),
  { status: 404, name: 'RESOURCE_NOT_FOUND', means: declined('object_not_found') },
  { status: 404, issue: 'INVALID_RESOURCE_ID', means: declined('object_not_found') },
  { status: 400, name: 'INVALID_REQUEST', means: declined('invalid_request') },
  { status: 415, name: 'UNSUPPORTED_MEDIA_TYPE', means: declined('invalid_request') },
  // "The requested action could not be performed": definite, whatever the issue is that this list does not know yet.
  { status: 422, name: 'UNPROCESSABLE_ENTITY', means: declined('processing_error') },
];

/**
 * After these the order stays open and the payer may try another means: PayPal's answer carries a link back to its page,
 * the same one the customer got when the order was made.
 */
export const OPEN_FOR_ANOTHER_TRY: ReadonlySet<string> = new Set([
  'INSTRUMENT_DECLINED',
  'PAYER_ACTION_REQUIRED',
  'REDIRECT_PAYER_FOR_ALTERNATE_FUNDING',
  'CARD_EXPIRED',
]);

/** The meaning of a failure: a decline to return, or a fault to throw. Pure. */
export function meaningOf(failure: PayPalFailure): Decline | ChannelFault {
  const reason = failure.issue ?? failure.name ?? `http_${failure.status}`;
  const means = ERROR_TABLE.find((row) => matches(row, failure))?.means ?? fault('maybe_executed');
  if ('fault' in means) return new ChannelFault(means.fault, reason);
  return { kind: 'declined', code: means.declined, providerCode: reason };
}

function matches(row: ErrorRow, failure: PayPalFailure): boolean {
  const { status } = failure;
  const [from, to] = typeof row.status === 'number' ? [row.status, row.status] : (row.status ?? [0, 599]);
  return (
    status >= from &&
    status <= to &&
    (row.name === undefined || row.name === failure.name) &&
    (row.issue === undefined || row.issue === failure.issue)
  );
}

const CODE = /^[A-Za-z0-9_.-]{1,80}$/;

/** Reads an answer that is no 2xx. Codes only: a message may name a customer. */
export function readFailure(status: number, body: unknown): PayPalFailure {
  const { name, details } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >;
  const first: unknown = Array.isArray(details) ? details[0] : undefined;
  const issue = (typeof first === 'object' && first !== null ? first : {}) as { issue?: unknown };
  return { status, ...code('name', name), ...code('issue', issue.issue) };
}

function code<K extends string>(key: K, value: unknown): { [P in K]?: string } {
  return typeof value === 'string' && CODE.test(value) ? ({ [key]: value } as { [P in K]?: string }) : {};
}
