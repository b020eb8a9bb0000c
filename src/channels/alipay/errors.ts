/**
 * Which Alipay answer means which outcome, as data. The first row that matches decides; what matches none is
 * `maybe_executed`, because a code we do not know proves nothing about money.
 */
import { ChannelFault } from '../../domain/channel';
import type { Decline, DeclineCode, FaultExecution } from '../../domain/channel';

/** What is left of a failed exchange when texts, which may carry personal data, are dropped. */
export interface AlipayFailure {
  /** Alipay's `code`; `local`: we could not even sign. Absent when no answer came. */
  readonly code?: string;
  readonly subCode?: string;
  /** HTTP status, when it was not 200. */
  readonly status?: number;
  /** Alipay's signature over the answer was there and right. */
  readonly isSigned: boolean;
  /** Bytes may have reached Alipay. */
  readonly sent: boolean;
  /** The socket's error code or a word for it, when there is no answer to believe. */
  readonly network?: string;
}

type Meaning = { readonly declined: DeclineCode } | { readonly fault: FaultExecution };

export interface ErrorRow {
  readonly code?: string;
  readonly subCodes?: readonly string[];
  readonly means: Meaning;
  /** Alipay cannot sign an answer to an application it does not know: only these are believed without a signature. */
  readonly isBelievedUnsigned?: true;
}

const declined = (code: DeclineCode): Meaning => ({ declined: code });
const fault = (execution: FaultExecution): Meaning => ({ fault: execution });
const acq = (codes: string): string[] => codes.split(' ').map((code) => `ACQ.${code}`);

/** The gateway's own codes come before the business codes of 40004. */
export const ERROR_TABLE: readonly ErrorRow[] = [
  { code: 'local', means: declined('account_invalid'), isBelievedUnsigned: true },
  // "Unknown": the business system behind the gateway may have worked on.
  { code: '20000', means: fault('maybe_executed') },
  { subCodes: ['ACQ.SYSTEM_ERROR', 'AQC.SYSTEM_ERROR', 'SYSTEM_ERROR'], means: fault('maybe_executed') },
  // The number was used with other parameters: what it did then is exactly what we do not know.
  {
    subCodes: ['ACQ.CONTEXT_INCONSISTENT', 'ACQ.DISCORDANT_REPEAT_REQUEST', 'UNIQUE_VIOLATION'],
    means: fault('maybe_executed'),
  },
  // This number is paid: verbs that can meet it read the trade; nobody may take it for a refusal.
  { subCodes: ['ACQ.TRADE_HAS_SUCCESS'], means: fault('maybe_executed') },
  // Limits are enforced by the gateway before anything is executed.
  { code: '40005', means: fault('not_sent') },
  { code: '20001', means: declined('account_invalid') },
  { code: '40006', means: declined('account_invalid') },
  {
    subCodes: ['isv.invalid-app-id', 'isv.missing-app-id', 'isv.missing-signature-key'],
    means: declined('account_invalid'),
    isBelievedUnsigned: true,
  },
  {
    subCodes: ['isv.invalid-signature', 'isv.missing-signature', 'isv.missing-signature-config'],
    means: declined('account_invalid'),
    isBelievedUnsigned: true,
  },
  { code: '40001', means: declined('invalid_request') },
  { code: '40002', means: declined('invalid_request') },
  { code: '40003', means: declined('invalid_request') },
  { subCodes: acq('TRADE_NOT_EXIST'), means: declined('object_not_found') },
  { subCodes: ['AUTH_ORDER_NOT_EXIST', 'AUTH_OPERATION_NOT_EXIST'], means: declined('object_not_found') },
  {
    subCodes: acq('TRADE_STATUS_ERROR REASON_TRADE_STATUS_INVALID REASON_ILLEGAL_STATUS TRADE_HAS_CLOSE'),
    means: declined('invalid_state'),
  },
  {
    subCodes: acq('TRADE_HAS_FINISHED TRADE_NOT_ALLOW_REFUND REASON_TRADE_BEEN_FREEZEN'),
    means: declined('invalid_state'),
  },
  {
    subCodes: acq('NOT_ALLOW_PARTIAL_REFUND ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND'),
    means: declined('invalid_state'),
  },
  {
    subCodes: acq('AUTH_ORDER_HAS_CLOSED AUTH_ORDER_HAS_FINISHED AUTH_ORDER_NOT_PAID AUTH_NO_ERROR'),
    means: declined('invalid_state'),
  },
  {
    subCodes: ['ILLEGAL_STATUS', 'ORDER_ALREADY_FINISH', 'ORDER_ALREADY_CLOSED'],
    means: declined('invalid_state'),
  },
  {
    subCodes: acq('REFUND_AMT_NOT_EQUAL_TOTAL REASON_TRADE_REFUND_FEE_ERR REFUND_FEE_ERROR'),
    means: declined('invalid_amount'),
  },
  { subCodes: acq('TOTAL_FEE_EXCEED AMOUNT_OR_CURRENCY_ERROR'), means: declined('invalid_amount') },
  {
    subCodes: [...acq('AUTH_AMOUNT_NOT_ENOUGH REQUEST_AMOUNT_EXCEED'), 'REQUEST_AMOUNT_EXCEED'],
    means: declined('invalid_amount'),
  },
  {
    subCodes: acq('BEYOND_PAY_RESTRICTION BEYOND_PER_RECEIPT_SINGLE_RESTRICTION PRODUCT_AMOUNT_LIMIT_ERROR'),
    means: declined('invalid_amount'),
  },
  { subCodes: acq('CURRENCY_NOT_SUPPORT'), means: declined('invalid_currency') },
  {
    subCodes: acq('SELLER_BALANCE_NOT_ENOUGH BUYER_BALANCE_NOT_ENOUGH BUYER_BANKCARD_BALANCE_NOT_ENOUGH'),
    means: declined('insufficient_funds'),
  },
  { subCodes: acq('PAYMENT_REQUEST_HAS_RISK'), means: declined('fraud_suspected') },
  {
    subCodes: acq('BUYER_ENABLE_STATUS_FORBID BUYER_NOT_EXIST BUYER_SELLER_EQUAL BUYER_ERROR'),
    means: declined('card_declined'),
  },
  {
    subCodes: ['ACQ.CUSTOMER_VALIDATE_ERROR', 'PAYER_USER_STATUS_LIMIT', 'PAYER_NOT_EXIST'],
    means: declined('card_declined'),
  },
  { subCodes: acq('PAYMENT_FAIL NO_PAYMENT_INSTRUMENTS_AVAILABLE'), means: declined('processing_error') },
  {
    subCodes: [...acq('ACCESS_FORBIDDEN PARTNER_ERROR'), 'ACCESS_FORBIDDEN', 'HAS_NO_PRIVILEGE'],
    means: declined('account_invalid'),
  },
  {
    subCodes: acq('SELLER_BEEN_BLOCKED SELLER_NOT_EXIST INVALID_RECEIVE_ACCOUNT MERCHANT_STATUS_NOT_NORMAL'),
    means: declined('account_invalid'),
  },
  {
    subCodes: acq('MERCHANT_AGREEMENT_INVALID MERCHANT_AGREEMENT_NOT_EXIST'),
    means: declined('account_invalid'),
  },
  {
    subCodes: acq('INVALID_PARAMETER EXIST_FORBIDDEN_WORD NOW_TIME_AFTER_EXPIRE_TIME_ERROR'),
    means: declined('invalid_request'),
  },
  { subCodes: ['ILLEGAL_ARGUMENT'], means: declined('invalid_request') },
];

/** The meaning of a failure: a decline to return, or a fault to throw. Pure. */
export function meaningOf(failure: AlipayFailure): Decline | ChannelFault {
  const reason = reasonOf(failure);
  if (failure.code === undefined)
    return new ChannelFault(failure.sent ? 'maybe_executed' : 'not_sent', reason);
  const row = ERROR_TABLE.find((candidate) => matches(candidate, failure));
  if (!failure.isSigned && row?.isBelievedUnsigned !== true)
    return new ChannelFault('maybe_executed', `unsigned:${reason}`);
  const means = row?.means ?? fault('maybe_executed');
  if ('fault' in means) return new ChannelFault(means.fault, reason);
  return { kind: 'declined', code: means.declined, providerCode: reason };
}

function matches(row: ErrorRow, failure: AlipayFailure): boolean {
  return (
    (row.code === undefined || row.code === failure.code) &&
    (row.subCodes === undefined || row.subCodes.includes(failure.subCode ?? ''))
  );
}

const CODE = /^[A-Za-z0-9_.-]{1,60}$/;

/** Codes only: `sub_msg` may quote a customer's data, and what looks like no code is not passed on. */
function reasonOf({ subCode, code, network, status }: AlipayFailure): string {
  const found = [subCode, code, network].find((part) => part !== undefined && CODE.test(part));
  return found ?? `http_${status ?? 'none'}`;
}
