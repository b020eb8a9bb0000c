import { ERROR_TABLE, meaningOf, readFailure } from '../../../src/channels/paypal/errors';
import { ChannelFault, DECLINE_CODES } from '../../../src/domain/channel';

const unprocessable = (issue: string) => ({ status: 422, name: 'UNPROCESSABLE_ENTITY', issue });

const EXPECTED: readonly (readonly [string, Parameters<typeof meaningOf>[0], string])[] = [
  [
    'at work',
    { status: 409, name: 'RESOURCE_CONFLICT', issue: 'PREVIOUS_REQUEST_IN_PROGRESS' },
    'in_progress',
  ],
  ['at work, by another status', unprocessable('PREVIOUS_REQUEST_IN_PROGRESS'), 'in_progress'],
  ['conflict', { status: 409, name: 'RESOURCE_CONFLICT' }, 'in_progress'],
  ['a 409 of somebody else', { status: 409 }, 'maybe_executed'],
  ['id used before', { status: 400, name: 'DUPLICATE_REQUEST_ID' }, 'maybe_executed'],
  ['id used before, as an issue', unprocessable('DUPLICATE_REQUEST_ID'), 'maybe_executed'],
  ['id used for another request', unprocessable('PAYPAL_REQUEST_ID_PREVIOUSLY_USED'), 'maybe_executed'],
  ['invoice captured before', unprocessable('DUPLICATE_INVOICE_ID'), 'maybe_executed'],
  ['a duplicate', unprocessable('DUPLICATE_TRANSACTION'), 'maybe_executed'],
  ['limited', { status: 429, name: 'RATE_LIMIT_REACHED' }, 'not_sent'],
  ['limited by a proxy', { status: 429 }, 'not_sent'],
  ['limited, by another status', { status: 403, name: 'RATE_LIMIT_REACHED' }, 'not_sent'],
  ['500', { status: 500, name: 'INTERNAL_SERVER_ERROR' }, 'maybe_executed'],
  ['503', { status: 503, name: 'SERVICE_UNAVAILABLE' }, 'maybe_executed'],
  ['a page of a proxy', { status: 502 }, 'maybe_executed'],
  [
    '500 with an issue that would be a decline',
    { ...unprocessable('INSTRUMENT_DECLINED'), status: 500 },
    'maybe_executed',
  ],
  ['token refused twice', { status: 401, name: 'AUTHENTICATION_FAILURE' }, 'account_invalid'],
  ['credentials refused', { status: 401, name: 'invalid_client' }, 'account_invalid'],
  ['not allowed', { status: 403, name: 'NOT_AUTHORIZED', issue: 'PERMISSION_DENIED' }, 'account_invalid'],
  [
    'not found',
    { status: 404, name: 'RESOURCE_NOT_FOUND', issue: 'INVALID_RESOURCE_ID' },
    'object_not_found',
  ],
  ['not found, old form', { status: 404, issue: 'INVALID_RESOURCE_ID' }, 'object_not_found'],
  ['404 of a proxy', { status: 404 }, 'maybe_executed'],
  [
    'bad form',
    { status: 400, name: 'INVALID_REQUEST', issue: 'INVALID_PARAMETER_SYNTAX' },
    'invalid_request',
  ],
  ['bad type', { status: 415, name: 'UNSUPPORTED_MEDIA_TYPE' }, 'invalid_request'],
  ['declined', unprocessable('INSTRUMENT_DECLINED'), 'card_declined'],
  ['payer cannot pay', unprocessable('PAYER_CANNOT_PAY'), 'card_declined'],
  ['payer locked', unprocessable('PAYER_ACCOUNT_LOCKED_OR_CLOSED'), 'card_declined'],
  ['other means asked for', unprocessable('REDIRECT_PAYER_FOR_ALTERNATE_FUNDING'), 'card_declined'],
  ['expired card', unprocessable('CARD_EXPIRED'), 'expired_card'],
  ['3DS', unprocessable('PAYER_ACTION_REQUIRED'), 'authentication_required'],
  ['filter of the merchant', unprocessable('TRANSACTION_BLOCKED_BY_PAYEE'), 'fraud_suspected'],
  ['refused by PayPal', unprocessable('TRANSACTION_REFUSED'), 'fraud_suspected'],
  ['compliance', unprocessable('COMPLIANCE_VIOLATION'), 'fraud_suspected'],
  ['not approved', unprocessable('ORDER_NOT_APPROVED'), 'invalid_state'],
  ['captured already', unprocessable('ORDER_ALREADY_CAPTURED'), 'invalid_state'],
  ['authorized already', unprocessable('ORDER_ALREADY_AUTHORIZED'), 'invalid_state'],
  ['too many tries', unprocessable('MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED'), 'invalid_state'],
  ['voided', unprocessable('AUTHORIZATION_VOIDED'), 'invalid_state'],
  ['expired', unprocessable('AUTHORIZATION_EXPIRED'), 'hold_expired'],
  ['captured in full', unprocessable('AUTHORIZATION_ALREADY_CAPTURED'), 'invalid_state'],
  ['captured too often', unprocessable('MAX_CAPTURE_COUNT_EXCEEDED'), 'invalid_state'],
  ['captured too much', unprocessable('MAX_CAPTURE_AMOUNT_EXCEEDED'), 'invalid_amount'],
  ['void of what was captured', unprocessable('PREVIOUSLY_CAPTURED'), 'invalid_state'],
  ['void again', unprocessable('PREVIOUSLY_VOIDED'), 'invalid_state'],
  ['reauthorize too soon', unprocessable('REAUTHORIZATION_TOO_SOON'), 'invalid_state'],
  ['reauthorize a renewal', unprocessable('REAUTHORIZATION_NOT_SUPPORTED'), 'invalid_state'],
  [
    'reauthorize another means',
    unprocessable('REAUTHORIZATION_NOT_SUPPORTED_FOR_PAYMENT_SOURCE'),
    'invalid_state',
  ],
  ['reauthorization declined', unprocessable('REAUTHORIZATION_DECLINED_BY_PROCESSOR'), 'card_declined'],
  ['refunded too much', unprocessable('REFUND_AMOUNT_EXCEEDED'), 'invalid_amount'],
  ['refunded in full', unprocessable('CAPTURE_FULLY_REFUNDED'), 'invalid_state'],
  ['refund of a pending capture', unprocessable('PENDING_CAPTURE'), 'invalid_state'],
  ['refund without a balance', unprocessable('REFUND_FAILED_INSUFFICIENT_FUNDS'), 'insufficient_funds'],
  ['refund of what is disputed', unprocessable('TRANSACTION_DISPUTED'), 'invalid_state'],
  ['no such currency', unprocessable('CURRENCY_NOT_SUPPORTED'), 'invalid_currency'],
  ['decimals', unprocessable('DECIMALS_NOT_SUPPORTED'), 'invalid_amount'],
  ['payee locked', unprocessable('PAYEE_ACCOUNT_LOCKED_OR_CLOSED'), 'account_invalid'],
  ['payer restricted', unprocessable('PAYER_ACCOUNT_RESTRICTED'), 'card_declined'],
  ['completed already', unprocessable('ORDER_ALREADY_COMPLETED'), 'invalid_state'],
  ['order expired', unprocessable('ORDER_EXPIRED'), 'invalid_state'],
  ['the other intent', unprocessable('ACTION_DOES_NOT_MATCH_INTENT'), 'invalid_state'],
  ['authorization denied', unprocessable('AUTHORIZATION_DENIED'), 'invalid_state'],
  ['cannot be voided', unprocessable('CANNOT_BE_VOIDED'), 'invalid_state'],
  ['refund not allowed', unprocessable('REFUND_NOT_ALLOWED'), 'invalid_state'],
  ['refund too late', unprocessable('REFUND_TIME_LIMIT_EXCEEDED'), 'invalid_state'],
  ['no partial refund', unprocessable('PARTIAL_REFUND_NOT_ALLOWED'), 'invalid_state'],
  ['refunded too often', unprocessable('MAX_NUMBER_OF_REFUNDS_EXCEEDED'), 'invalid_state'],
  ['refund of a chargeback', unprocessable('REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK'), 'invalid_state'],
  ['refund restricted', unprocessable('REFUND_IS_RESTRICTED'), 'invalid_state'],
  ['authorized too much', unprocessable('AUTHORIZATION_AMOUNT_EXCEEDED'), 'invalid_amount'],
  ['refunded too little', unprocessable('REFUND_AMOUNT_TOO_LOW'), 'invalid_amount'],
  ['above the limit of one', unprocessable('TRANSACTION_LIMIT_EXCEEDED'), 'invalid_amount'],
  ['zero', unprocessable('CANNOT_BE_ZERO_OR_NEGATIVE'), 'invalid_amount'],
  ['negative', unprocessable('CANNOT_BE_NEGATIVE'), 'invalid_amount'],
  ['precision', unprocessable('DECIMAL_PRECISION'), 'invalid_amount'],
  ['sum of the parts', unprocessable('AMOUNT_MISMATCH'), 'invalid_amount'],
  ['beyond any amount', unprocessable('MAX_VALUE_EXCEEDED'), 'invalid_amount'],
  ['currency code', unprocessable('INVALID_CURRENCY_CODE'), 'invalid_currency'],
  ['another currency', unprocessable('CURRENCY_MISMATCH'), 'invalid_currency'],
  ['capture in another currency', unprocessable('AUTH_CAPTURE_CURRENCY_MISMATCH'), 'invalid_currency'],
  ['renewal in another currency', unprocessable('AUTH_CURRENCY_MISMATCH'), 'invalid_currency'],
  ['refund in another currency', unprocessable('REFUND_CAPTURE_CURRENCY_MISMATCH'), 'invalid_currency'],
  ['payee restricted', unprocessable('PAYEE_ACCOUNT_RESTRICTED'), 'account_invalid'],
  ['payee unknown', unprocessable('PAYEE_ACCOUNT_INVALID'), 'account_invalid'],
  ['account not ready', unprocessable('INVALID_ACCOUNT_STATUS'), 'account_invalid'],
  ['an issue nobody knows', unprocessable('SOMETHING_NEW'), 'processing_error'],
  ['a 422 of somebody else', { status: 422 }, 'maybe_executed'],
  ['a status nobody knows', { status: 418, name: 'TEAPOT' }, 'maybe_executed'],
  ['a redirect', { status: 302 }, 'maybe_executed'],
];

test.each(EXPECTED)('%s', (_what, failure, expected) => {
  const meaning = meaningOf(failure);
  const got = meaning instanceof ChannelFault ? meaning.execution : meaning.code;
  expect(got).toBe(expected);
  // PayPal keeps no errors under a request id: no answer may be taken for one that will not change.
  if (meaning instanceof ChannelFault) expect(meaning.storedAnswer).toBe(false);
});

test('every decline of the table is of the closed list, and no issue stands in it twice', () => {
  const issues = ERROR_TABLE.filter(({ status }) => status === undefined).map(
    ({ issue, name }) => `${name}/${issue}`,
  );
  expect(new Set(issues).size).toBe(issues.length);
  for (const { means } of ERROR_TABLE) {
    if ('declined' in means) expect(DECLINE_CODES).toContain(means.declined);
  }
});

test('every issue of the table has a case above', () => {
  const tried = new Set(EXPECTED.map(([, { issue }]) => issue));
  expect(ERROR_TABLE.filter(({ issue }) => issue !== undefined && !tried.has(issue))).toEqual([]);
});

test('codes are read from an answer, and texts are not', () => {
  const body = {
    name: 'UNPROCESSABLE_ENTITY',
    message: 'Jane Doe could not pay',
    details: [{ issue: 'INSTRUMENT_DECLINED', description: 'Jane Doe' }],
  };
  expect(readFailure(422, body)).toEqual(unprocessable('INSTRUMENT_DECLINED'));
  expect(readFailure(422, { name: 'Jane Doe', details: [{ issue: 'a sentence with spaces' }] })).toEqual({
    status: 422,
  });
  for (const odd of [undefined, null, 'x', [], { details: 'x' }, { details: [null] }]) {
    expect(readFailure(500, odd)).toEqual({ status: 500 });
  }
});
