import { GreenfieldError, NOT_SENT_CODES } from '../../../src/channels/crypto/client';
import type { GreenfieldFailure } from '../../../src/channels/crypto/client';
import {
  afterMoney,
  attempt,
  beforeMoney,
  ERROR_TABLE,
  meaningOf,
  read,
} from '../../../src/channels/crypto/errors';
import { ChannelFault } from '../../../src/domain/channel';

const failure = (more: Partial<GreenfieldFailure>): GreenfieldFailure => ({ paths: [], sent: true, ...more });

const ROWS: readonly (readonly [string, Partial<GreenfieldFailure>, string, string])[] = [
  ['no usable address', { code: 'base-url-invalid', sent: false }, 'declined account_invalid', 'base-url-invalid'],
  ['too many requests', { status: 429 }, 'not_sent', 'http_429'],
  ['no or a wrong key', { status: 401, code: 'unauthenticated' }, 'declined account_invalid', 'unauthenticated'],
  ['a key that may not', { status: 403, code: 'missing-permission' }, 'declined account_invalid', 'missing-permission'],
  ['no such invoice', { status: 404, code: 'invoice-not-found' }, 'declined object_not_found', 'invoice-not-found'],
  ['no such refund', { status: 404, code: 'pullpayment-not-found' }, 'declined object_not_found', 'pullpayment-not-found'],
  ['no such store', { status: 404, code: 'store-not-found' }, 'declined account_invalid', 'store-not-found'],
  ['no BTCPay there', { status: 404 }, 'declined account_invalid', 'http_404'],
  ['nothing to refund', { status: 400, code: 'non-refundable' }, 'declined invalid_state', 'non-refundable'],
  ['archived', { status: 400, code: 'archived' }, 'declined invalid_state', 'archived'],
  ['a bad amount', { status: 422, paths: ['amount'] }, 'declined invalid_amount', 'amount'],
  ['a bad refund', { status: 422, paths: ['customamount'] }, 'declined invalid_amount', 'customamount'],
  ['a bad currency', { status: 422, paths: ['currency'] }, 'declined invalid_currency', 'currency'],
  ['a bad refund currency', { status: 422, paths: ['customcurrency'] }, 'declined invalid_currency', 'customcurrency'],
  ['cannot be marked', { status: 422, paths: ['status'] }, 'declined invalid_state', 'status'],
  ['no rate', { status: 422, paths: ['refundvariant'] }, 'declined processing_error', 'refundvariant'],
  ['another field', { status: 422, paths: ['checkout.expiration'] }, 'declined invalid_request', 'checkout.expiration'],
  ['no wallet', { status: 400, code: 'generic-error' }, 'declined invalid_request', 'generic-error'],
  ['the server failed', { status: 500, code: 'server-error' }, 'maybe_executed', 'server-error'],
  ['the proxy failed', { status: 502 }, 'maybe_executed', 'http_502'],
  ['a conflict', { status: 409 }, 'maybe_executed', 'http_409'],
  ['a redirect', { status: 301 }, 'maybe_executed', 'http_301'],
  ['an answer that cannot be read', { network: 'malformed_answer' }, 'maybe_executed', 'malformed_answer'],
  ['a reset', { network: 'ECONNRESET' }, 'maybe_executed', 'ECONNRESET'],
  ['no answer in time', { network: 'timeout' }, 'maybe_executed', 'timeout'],
  ['refused', { network: 'ECONNREFUSED', sent: false }, 'not_sent', 'ECONNREFUSED'],
]; // prettier-ignore

test.each(ROWS)('%s', (_name, given, meaning, reason) => {
  const got = meaningOf(failure(given));
  if (got instanceof ChannelFault) {
    expect([got.execution, got.reason, got.storedAnswer]).toEqual([meaning, reason, false]);
  } else expect([`declined ${got.code}`, got.providerCode]).toEqual([meaning, reason]);
});

test('every row of the table is met by a case above', () => {
  const isMet = (row: (typeof ERROR_TABLE)[number]) =>
    ROWS.some(
      ([, given]) =>
        (row.status === undefined || row.status === given.status) &&
        (row.code === undefined || row.code === given.code) &&
        (row.path === undefined || given.paths?.includes(row.path) === true),
    );
  expect(ERROR_TABLE.filter((row) => !isMet(row))).toEqual([]);
});

test('what looks like no code is not passed on', () => {
  const fault = meaningOf(failure({ status: 500, code: 'Mrs. Smith <smith@example.com> said so' }));
  expect(fault).toMatchObject({ reason: 'http_500' });
});

test('only errors before the first byte count as not sent', () => {
  for (const code of [
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'UND_ERR_SOCKET',
    'UND_ERR_HEADERS_TIMEOUT',
    'timeout',
  ]) {
    expect(NOT_SENT_CODES.has(code)).toBe(false);
  }
});

describe('the four ways to make calls', () => {
  const failing = (given: Partial<GreenfieldFailure>) => () =>
    Promise.reject(new GreenfieldError(failure(given)));

  test('a call that may move money may have been executed', async () => {
    await expect(attempt(failing({ status: 500 }))).rejects.toMatchObject({ execution: 'maybe_executed' });
    expect(await attempt(failing({ status: 401 }))).toMatchObject({
      kind: 'declined',
      code: 'account_invalid',
    });
  });

  test('before it nothing was sent, but a judgement is passed through', async () => {
    await expect(beforeMoney(failing({ status: 500 }))).rejects.toMatchObject({ execution: 'not_sent' });
    const reused = new ChannelFault('maybe_executed', 'identity_reused');
    await expect(beforeMoney(() => Promise.reject(reused))).rejects.toBe(reused);
  });

  test('what is declined before it says nothing of earlier sends', async () => {
    expect(await beforeMoney(failing({ status: 401 }))).toMatchObject({
      ...{ kind: 'declined', code: 'account_invalid', ofPreparation: true },
    });
  });

  test.each<[string, () => Promise<never>]>([
    ['never left', failing({ network: 'ECONNREFUSED', sent: false })],
    ['is refused', failing({ status: 403 })],
    ['was judged already', () => Promise.reject(new ChannelFault('not_sent', 'http_429'))],
  ])('after it a read that %s does not say that nothing was made', async (_, read) => {
    await expect(afterMoney(read)).rejects.toMatchObject({ execution: 'maybe_executed' });
  });

  test('a read that is refused is a fault; only "no such object" is undefined', async () => {
    expect(await read(failing({ status: 404, code: 'invoice-not-found' }))).toBeUndefined();
    await expect(read(failing({ status: 403 }))).rejects.toMatchObject({
      reason: 'read_refused:account_invalid',
    });
    await expect(read(failing({ status: 404 }))).rejects.toMatchObject({
      reason: 'read_refused:account_invalid',
    });
  });
});
