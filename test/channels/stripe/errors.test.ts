import {
  CARD_DECLINES,
  declineOfMeans,
  ERROR_TABLE,
  meaningOf,
  readFailure,
} from '../../../src/channels/stripe/errors';
import type { StripeFailure } from '../../../src/channels/stripe/errors';
import { ChannelFault } from '../../../src/domain/channel';

function meaning(failure: Partial<StripeFailure>): string {
  const result = meaningOf({ replayed: false, sent: true, ...failure });
  if (!(result instanceof ChannelFault)) return result.code;
  return result.storedAnswer ? `${result.execution}, stored` : result.execution;
}

const request = { type: 'invalid_request_error' };

describe('which error means what', () => {
  test.each<[Partial<StripeFailure>, string]>([
    [{ network: 'ECONNREFUSED', sent: false }, 'not_sent'],
    [{ network: 'ENOTFOUND', sent: false }, 'not_sent'],
    [{ network: 'ETIMEDOUT', sent: false }, 'not_sent'],
    // The SDK's repeat was refused, but the first try may have arrived.
    [{ network: 'ECONNREFUSED', sent: true }, 'maybe_executed'],
    [{ network: 'ECONNRESET', sent: true }, 'maybe_executed'],
    [{ network: 'ETIMEDOUT', sent: true }, 'maybe_executed'],
    [{ network: 'ABORTED', sent: true }, 'maybe_executed'],
    [{ status: 409, ...request, code: 'idempotency_key_in_use' }, 'in_progress'],
    [{ status: 409, ...request }, 'in_progress'],
    [{ status: 429, ...request, code: 'lock_timeout' }, 'in_progress'],
    [{ status: 400, type: 'idempotency_error' }, 'maybe_executed'],
    [{ status: 429, ...request }, 'not_sent'],
    [{ status: 400, ...request, code: 'rate_limit' }, 'not_sent'],
    [{ status: 500, type: 'api_error' }, 'maybe_executed'],
    [{ status: 502 }, 'maybe_executed'],
    [{ status: 500, type: 'api_error', replayed: true }, 'maybe_executed, stored'],
    [{ status: 401, ...request }, 'account_invalid'],
    [{ status: 403, ...request, code: 'secret_key_required' }, 'account_invalid'],
    [{ status: 400, ...request, code: 'secret_key_required' }, 'account_invalid'],
    [{ status: 400, ...request, code: 'api_key_expired' }, 'account_invalid'],
    [{ status: 400, ...request, code: 'account_invalid' }, 'account_invalid'],
    [{ status: 400, ...request, code: 'testmode_charges_only' }, 'account_invalid'],
    [{ status: 400, ...request, code: 'livemode_mismatch' }, 'account_invalid'],
    [{ status: 400, ...request, code: 'charge_expired_for_capture' }, 'hold_expired'],
    [{ status: 402, type: 'card_error', code: 'capture_charge_authorization_expired' }, 'hold_expired'],
    [{ status: 400, ...request, code: 'payment_intent_unexpected_state' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'intent_invalid_state' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'status_transition_invalid' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'charge_already_captured' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'charge_already_refunded' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'capture_unauthorized_payment' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'charge_disputed' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'refund_disputed_payment' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'charge_not_refundable' }, 'invalid_state'],
    [{ status: 400, ...request, code: 'balance_insufficient' }, 'processing_error'],
    // A refund of more than is left: no code, only the parameter.
    [{ status: 400, ...request, param: 'amount' }, 'invalid_amount'],
    [{ status: 400, ...request, code: 'amount_too_large' }, 'invalid_amount'],
    [{ status: 400, ...request, code: 'amount_too_small' }, 'invalid_amount'],
    [{ status: 400, ...request, code: 'invalid_charge_amount' }, 'invalid_amount'],
    [{ status: 400, ...request, code: 'charge_exceeds_transaction_limit' }, 'invalid_amount'],
    [{ status: 404, ...request, code: 'resource_missing' }, 'object_not_found'],
    [{ status: 402, type: 'card_error', code: 'card_declined' }, 'card_declined'],
    [{ status: 400, ...request, param: 'currency' }, 'invalid_currency'],
    [{ status: 400, ...request, code: 'parameter_unknown' }, 'invalid_request'],
    [{ status: 404, ...request }, 'invalid_request'],
    // Not in the table: proves nothing.
    [{ status: 402, ...request }, 'maybe_executed'],
    [{ status: 400, type: 'something_new' }, 'maybe_executed'],
    [{ status: 418 }, 'maybe_executed'],
    [{ status: 301 }, 'maybe_executed'],
  ])('%j is %s', (failure, expected) => {
    expect(meaning(failure)).toBe(expected);
  });

  test('every row of the table is reachable: none is hidden behind an earlier one', () => {
    const hidden = ERROR_TABLE.filter((row) => {
      const status = typeof row.status === 'number' ? row.status : (row.status?.[0] ?? 400);
      const { type = 'invalid_request_error', code = 'no_such_code', param = 'no_such_param' } = row;
      const failure = { status, type, code, param };
      const first = ERROR_TABLE.find(
        (other) =>
          (other.status === undefined || [other.status].flat()[0] === status) &&
          (other.type === undefined || other.type === failure.type) &&
          (other.code === undefined || other.code === failure.code) &&
          (other.param === undefined || other.param === failure.param),
      );
      return first !== row;
    });
    expect(hidden).toEqual([]);
  });

  test.each(Object.entries(CARD_DECLINES))('the card error %s is %s', (declineCode, expected) => {
    expect(meaning({ status: 402, type: 'card_error', code: 'card_declined', declineCode })).toBe(expected);
    expect(meaning({ status: 402, type: 'card_error', code: declineCode })).toBe(expected);
  });

  test('a decline names the codes and no text', () => {
    const failure = {
      status: 402,
      type: 'card_error',
      code: 'card_declined',
      declineCode: 'insufficient_funds',
    };
    expect(meaningOf({ replayed: false, sent: true, ...failure })).toEqual({
      kind: 'declined',
      code: 'insufficient_funds',
      providerCode: 'card_declined:insufficient_funds',
    });
    const odd = { status: 500, code: 'Mr. Smith <smith@example.com> has no money' };
    expect(meaningOf({ replayed: false, sent: true, ...odd })).toMatchObject({ reason: 'http_500' });
  });
});

describe('the last decline that a PaymentIntent remembers', () => {
  test.each([
    [{ code: 'card_declined', decline_code: 'insufficient_funds' }, 'insufficient_funds'],
    [{ code: 'card_declined', decline_code: 'generic_decline' }, 'card_declined'],
    [{ code: 'expired_card', decline_code: null }, 'expired_card'],
    [{ code: 'payment_intent_authentication_failure' }, 'authentication_required'],
    [{ code: 'something_new' }, 'card_declined'],
    [{}, 'card_declined'],
  ])('%j is %s', (error, code) => {
    expect(declineOfMeans({ type: 'card_error', ...error }).code).toBe(code);
  });

  test('names codes and no text', () => {
    const error = {
      type: 'card_error',
      code: 'card_declined',
      decline_code: 'lost_card',
      message: 'Mr. Smith',
    };
    expect(declineOfMeans(error)).toEqual({
      code: 'fraud_suspected',
      providerCode: 'card_declined:lost_card',
    });
  });
});

describe('reading an error', () => {
  test('an answer: status, codes, and whether it was replayed', () => {
    const error = Object.assign(new Error('secret text'), {
      statusCode: 402,
      rawType: 'card_error',
      code: 'card_declined',
      decline_code: 'lost_card',
      param: '',
      headers: { 'idempotent-replayed': 'true' },
    });
    const expected = { status: 402, type: 'card_error', code: 'card_declined', declineCode: 'lost_card' };
    expect(readFailure(error, true)).toEqual({ ...expected, replayed: true, sent: true });
  });

  test('no answer: the code of the socket', () => {
    const error = Object.assign(new Error('connection'), { detail: { code: 'ECONNREFUSED' } });
    expect(readFailure(error, false)).toEqual({ network: 'ECONNREFUSED', replayed: false, sent: false });
    expect(readFailure(new SyntaxError('no JSON'), true)).toEqual({
      network: 'no_answer',
      replayed: false,
      sent: true,
    });
  });
});
