/** Row by row: which answer of Alipay is a decline, and which says nothing about money. */
import { ERROR_TABLE, meaningOf } from '../../../src/channels/alipay/errors';
import type { AlipayFailure } from '../../../src/channels/alipay/errors';
import { ChannelFault } from '../../../src/domain/channel';

const business = (subCode: string): AlipayFailure => ({ code: '40004', subCode, isSigned: true, sent: true });
const gateway = (code: string, subCode: string): AlipayFailure => ({
  code,
  subCode,
  isSigned: true,
  sent: true,
});

function outcome(failure: AlipayFailure): string {
  const meaning = meaningOf(failure);
  return meaning instanceof ChannelFault ? meaning.execution : meaning.code;
}

const GATEWAY: readonly (readonly [failure: AlipayFailure, expected: string])[] = [
  [gateway('20000', 'isp.unknow-error'), 'maybe_executed'],
  [gateway('20000', 'aop.unknow-error'), 'maybe_executed'],
  [gateway('20001', 'aop.invalid-app-auth-token'), 'account_invalid'],
  [gateway('40001', 'isv.missing-method'), 'invalid_request'],
  [gateway('40002', 'isv.invalid-signature'), 'account_invalid'],
  [gateway('40002', 'isv.invalid-app-id'), 'account_invalid'],
  [gateway('40002', 'isv.invalid-timestamp'), 'invalid_request'],
  [gateway('40001', 'isv.missing-app-id'), 'account_invalid'],
  [gateway('40001', 'isv.missing-signature'), 'account_invalid'],
  [gateway('40002', 'isv.missing-signature-key'), 'account_invalid'],
  [gateway('40002', 'isv.missing-signature-config'), 'account_invalid'],
  [gateway('40003', 'isv.insufficient-conditions'), 'invalid_request'],
  [gateway('40005', 'isv.app-call-limited'), 'not_sent'],
  [gateway('40006', 'isv.insufficient-isv-permissions'), 'account_invalid'],
];

test.each(GATEWAY)('gateway %j is %s', (failure, expected) => {
  expect(outcome(failure)).toBe(expected);
});

const BUSINESS: readonly (readonly [subCode: string, expected: string])[] = [
  ['ACQ.SYSTEM_ERROR', 'maybe_executed'],
  ['AQC.SYSTEM_ERROR', 'maybe_executed'],
  ['SYSTEM_ERROR', 'maybe_executed'],
  ['ACQ.CONTEXT_INCONSISTENT', 'maybe_executed'],
  ['ACQ.DISCORDANT_REPEAT_REQUEST', 'maybe_executed'],
  ['UNIQUE_VIOLATION', 'maybe_executed'],
  ['ACQ.TRADE_HAS_SUCCESS', 'maybe_executed'],
  ['ACQ.A_CODE_OF_TOMORROW', 'maybe_executed'],
  ['ACQ.TRADE_NOT_EXIST', 'object_not_found'],
  ['AUTH_ORDER_NOT_EXIST', 'object_not_found'],
  ['AUTH_OPERATION_NOT_EXIST', 'object_not_found'],
  ['ACQ.TRADE_STATUS_ERROR', 'invalid_state'],
  ['ACQ.REASON_TRADE_STATUS_INVALID', 'invalid_state'],
  ['ACQ.REASON_ILLEGAL_STATUS', 'invalid_state'],
  ['ACQ.TRADE_HAS_CLOSE', 'invalid_state'],
  ['ACQ.TRADE_HAS_FINISHED', 'invalid_state'],
  ['ACQ.TRADE_NOT_ALLOW_REFUND', 'invalid_state'],
  ['ACQ.REASON_TRADE_BEEN_FREEZEN', 'invalid_state'],
  ['ACQ.NOT_ALLOW_PARTIAL_REFUND', 'invalid_state'],
  ['ACQ.AUTH_ORDER_HAS_CLOSED', 'invalid_state'],
  ['ACQ.AUTH_ORDER_HAS_FINISHED', 'invalid_state'],
  ['ACQ.AUTH_ORDER_NOT_PAID', 'invalid_state'],
  ['ACQ.AUTH_NO_ERROR', 'invalid_state'],
  ['ILLEGAL_STATUS', 'invalid_state'],
  ['ORDER_ALREADY_FINISH', 'invalid_state'],
  ['ORDER_ALREADY_CLOSED', 'invalid_state'],
  ['ACQ.REFUND_AMT_NOT_EQUAL_TOTAL', 'invalid_amount'],
  ['ACQ.REASON_TRADE_REFUND_FEE_ERR', 'invalid_amount'],
  ['ACQ.TOTAL_FEE_EXCEED', 'invalid_amount'],
  ['ACQ.AUTH_AMOUNT_NOT_ENOUGH', 'invalid_amount'],
  ['REQUEST_AMOUNT_EXCEED', 'invalid_amount'],
  ['ACQ.BEYOND_PAY_RESTRICTION', 'invalid_amount'],
  ['ACQ.CURRENCY_NOT_SUPPORT', 'invalid_currency'],
  ['ACQ.SELLER_BALANCE_NOT_ENOUGH', 'insufficient_funds'],
  ['ACQ.BUYER_BALANCE_NOT_ENOUGH', 'insufficient_funds'],
  ['ACQ.PAYMENT_REQUEST_HAS_RISK', 'fraud_suspected'],
  ['ACQ.BUYER_ENABLE_STATUS_FORBID', 'card_declined'],
  ['PAYER_USER_STATUS_LIMIT', 'card_declined'],
  ['ACQ.PAYMENT_FAIL', 'processing_error'],
  ['ACQ.ACCESS_FORBIDDEN', 'account_invalid'],
  ['ACCESS_FORBIDDEN', 'account_invalid'],
  ['ACQ.SELLER_BEEN_BLOCKED', 'account_invalid'],
  ['ACQ.MERCHANT_AGREEMENT_INVALID', 'account_invalid'],
  ['ACQ.INVALID_PARAMETER', 'invalid_request'],
  ['ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR', 'invalid_request'],
  ['ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND', 'invalid_state'],
  ['ACQ.REFUND_FEE_ERROR', 'invalid_amount'],
  ['ACQ.AMOUNT_OR_CURRENCY_ERROR', 'invalid_amount'],
  ['ACQ.REQUEST_AMOUNT_EXCEED', 'invalid_amount'],
  ['ACQ.BEYOND_PER_RECEIPT_SINGLE_RESTRICTION', 'invalid_amount'],
  ['ACQ.PRODUCT_AMOUNT_LIMIT_ERROR', 'invalid_amount'],
  ['ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH', 'insufficient_funds'],
  ['ACQ.BUYER_NOT_EXIST', 'card_declined'],
  ['ACQ.BUYER_SELLER_EQUAL', 'card_declined'],
  ['ACQ.BUYER_ERROR', 'card_declined'],
  ['ACQ.CUSTOMER_VALIDATE_ERROR', 'card_declined'],
  ['PAYER_NOT_EXIST', 'card_declined'],
  ['ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE', 'processing_error'],
  ['ACQ.PARTNER_ERROR', 'account_invalid'],
  ['HAS_NO_PRIVILEGE', 'account_invalid'],
  ['ACQ.SELLER_NOT_EXIST', 'account_invalid'],
  ['ACQ.INVALID_RECEIVE_ACCOUNT', 'account_invalid'],
  ['ACQ.MERCHANT_STATUS_NOT_NORMAL', 'account_invalid'],
  ['ACQ.MERCHANT_AGREEMENT_NOT_EXIST', 'account_invalid'],
  ['ACQ.EXIST_FORBIDDEN_WORD', 'invalid_request'],
  ['ILLEGAL_ARGUMENT', 'invalid_request'],
];

test.each(BUSINESS)('business code %s is %s', (subCode, expected) => {
  expect(outcome(business(subCode))).toBe(expected);
});

test('every code of the table has a case above', () => {
  const tried = new Set(
    [...BUSINESS, ...GATEWAY.map(([{ subCode }]) => [subCode])].map(([subCode]) => subCode),
  );
  expect(ERROR_TABLE.flatMap(({ subCodes = [] }) => subCodes).filter((code) => !tried.has(code))).toEqual([]);
});

test('an answer without a signature proves nothing, but for an application that Alipay does not know', () => {
  for (const row of ERROR_TABLE) {
    const subCode = row.subCodes?.[0] ?? 'isv.any';
    const unsigned = { code: row.code ?? '40004', subCode, isSigned: false, sent: true };
    if (row.isBelievedUnsigned !== true) expect(outcome(unsigned)).toBe('maybe_executed');
  }
  expect(outcome({ ...gateway('40002', 'isv.invalid-app-id'), isSigned: false })).toBe('account_invalid');
  // A forged success is no success either.
  expect(outcome({ code: '10000', isSigned: false, sent: true })).toBe('maybe_executed');
});

test('without an answer, whether bytes have left decides', () => {
  expect(outcome({ network: 'ECONNREFUSED', isSigned: false, sent: false })).toBe('not_sent');
  expect(outcome({ network: 'ETIMEDOUT', isSigned: false, sent: true })).toBe('maybe_executed');
  expect(outcome({ status: 502, isSigned: false, sent: true })).toBe('maybe_executed');
});

test('a reason is a code and never a text', () => {
  const meaning = meaningOf(business('买家 138****0000 余额不足'));
  expect(meaning).toMatchObject({ reason: '40004' });
});
