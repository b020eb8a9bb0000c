/** What must be refused: each with its own code and a sentence, never with a 5xx, and nothing is written. */
import { setTimeout as sleep } from 'node:timers/promises';
import { countAllRows } from './checks';
import { startSystem } from './harness';
import type { System } from './harness';
import { CREATE_PATH, holdOf, MerchantClient } from './merchant-client';
import type { CallOptions, Reply } from './merchant-client';
import type { Hold } from '../../dev/demo-client';

const REVOKED_WITHIN_MS = 5_000;

let system: System;
let client: MerchantClient;
let held: Hold;
let open: Hold;
let canceled: Hold;
let others: Hold;

beforeAll(async () => {
  system = await startSystem({ environment: { PICKUP_INTERVAL: '600' } });
  client = system.client();
  const other = system.client(await system.createMerchant('Other'));
  [held, open, canceled, others] = await Promise.all([
    client.held(system.sandbox.url),
    client.open(),
    client.open(),
    other.held(system.sandbox.url),
  ]);
  await client.cancel(canceled.pre_auth_no);
});
afterAll(() => system?.stop());

interface Expected {
  readonly status: number;
  readonly code: string;
  /** The field that `details.issues` names. */
  readonly field?: string;
}

async function expectRefused(path: string, call: CallOptions, expected: Expected): Promise<Reply<unknown>> {
  const before = await countAllRows(system);
  const reply = await client.call<unknown>(path, call);
  expect({ status: reply.status, code: reply.code }).toEqual({
    status: expected.status,
    code: expected.code,
  });
  expect(reply.message).toMatch(/^[A-Z].{10,}\.$/s);
  expect(reply.request_id).toMatch(/^[0-9a-f-]{36}$/);
  if (expected.field !== undefined) {
    const issues = reply.details?.['issues'] as { path: string; message: string }[];
    expect(issues.map((issue) => issue.path)).toContain(expected.field);
  }
  expect(await countAllRows(system)).toEqual(before);
  return reply;
}

const invalid = (field: string): Expected => ({ status: 400, code: 'INVALID_REQUEST', field });

const BAD_CREATES: readonly (readonly [what: string, fields: object, expected: Expected])[] = [
  ['an unknown field', { amuont: 1 }, invalid('amuont')],
  ['a wrong type', { amount: '50000' }, invalid('amount')],
  ['a list for a text', { order_no: ['A'] }, invalid('order_no')],
  ['null', { currency: null }, invalid('currency')],
  ['no amount', { amount: undefined }, invalid('amount')],
  ['amount 0', { amount: 0 }, invalid('amount')],
  ['a negative amount', { amount: -1 }, invalid('amount')],
  ['a fraction', { amount: 100.5 }, invalid('amount')],
  ['an amount beyond all numbers', { amount: 1e21 }, invalid('amount')],
  ['an unsafe integer', { amount: 2 ** 53 }, invalid('amount')],
  ["more than the channel's limit", { amount: 100_000_000 }, { status: 422, code: 'AMOUNT_NOT_SUPPORTED' }],
  [
    'an amount the channel cannot say',
    { currency: 'BHD', amount: 1_234_567 },
    { status: 422, code: 'AMOUNT_NOT_SUPPORTED' },
  ],
  [
    'too much where the channel adds zeros',
    { currency: 'ISK', amount: 1_000_000 },
    { status: 422, code: 'AMOUNT_NOT_SUPPORTED' },
  ],
  ['a currency that is none', { currency: 'XXX' }, { status: 422, code: 'CURRENCY_NOT_SUPPORTED' }],
  [
    'a currency the channel does not take',
    { currency: 'IQD' },
    { status: 422, code: 'CURRENCY_NOT_SUPPORTED' },
  ],
  ['a currency in lower case', { currency: 'usd' }, invalid('currency')],
  ['a number with a slash', { pre_auth_no: 'a/b' }, invalid('pre_auth_no')],
  ['a number with a blank', { pre_auth_no: 'a b' }, invalid('pre_auth_no')],
  ['an empty number', { pre_auth_no: '' }, invalid('pre_auth_no')],
  ['a number of 65 characters', { pre_auth_no: 'x'.repeat(65) }, invalid('pre_auth_no')],
  ['an order number in Chinese', { order_no: '订单' }, invalid('order_no')],
  ['an e-mail that is none', { customer_email: 'guest' }, invalid('customer_email')],
  ['an unknown channel', { channel: 'visa' }, invalid('channel')],
  ['expires_in 0', { expires_in: 0 }, invalid('expires_in')],
  ['expires_in of 31 days', { expires_in: 31 * 24 * 3600 }, invalid('expires_in')],
  [
    '21 metadata',
    { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`k${i}`, 'v'])) },
    invalid('metadata'),
  ],
  ['metadata that is no text', { metadata: { room: 7 } }, invalid('metadata.room')],
  ['a script as return_url', { return_url: 'javascript:alert(1)' }, invalid('return_url')],
  ['NUL in a text', { description: 'a\0b' }, invalid('description')],
  ['PayPal without an account', { channel: 'paypal' }, { status: 422, code: 'CHANNEL_NOT_AVAILABLE' }],
  ['Alipay', { channel: 'alipay', currency: 'CNY' }, { status: 422, code: 'PRE_AUTH_NOT_SUPPORTED' }],
  ['crypto', { channel: 'crypto' }, { status: 422, code: 'PRE_AUTH_NOT_SUPPORTED' }],
  [
    'a private notify_url',
    { notify_url: 'http://10.0.0.7/hook' },
    { status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' },
  ],
  [
    'a local notify_url',
    { notify_url: 'http://127.0.0.1:80/' },
    { status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' },
  ],
  [
    'the metadata address',
    { notify_url: 'http://169.254.169.254/latest' },
    { status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' },
  ],
  [
    'localhost by name',
    { notify_url: 'https://localhost/hook' },
    { status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' },
  ],
  [
    'credentials in notify_url',
    { notify_url: 'https://a:b@example.com/' },
    { status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' },
  ],
  [
    'a file as notify_url',
    { notify_url: 'file:///etc/passwd' },
    { status: 422, code: 'WEBHOOK_URL_NOT_ALLOWED' },
  ],
];

it.each(BAD_CREATES)('refuses a hold with %s', async (_what, fields, expected) => {
  await expectRefused(CREATE_PATH, { json: { ...holdOf(), ...fields } }, expected);
});

const json = { 'content-type': 'application/json' };
const RAW_BODIES: readonly (readonly [what: string, call: CallOptions, expected: Expected])[] = [
  [
    '100 KiB',
    { body: JSON.stringify({ description: 'x'.repeat(100 * 1024) }) },
    { status: 413, code: 'PAYLOAD_TOO_LARGE' },
  ],
  ['broken JSON', { body: '{"amount": 1' }, { status: 400, code: 'INVALID_JSON' }],
  ['no object', { body: '[1]' }, { status: 400, code: 'INVALID_REQUEST', field: 'body' }],
  ['nothing', { method: 'POST', headers: json }, { status: 400, code: 'INVALID_REQUEST', field: 'order_no' }],
  [
    'a form',
    { body: 'amount=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' },
  ],
  [
    'a compressed body',
    { body: '{}', headers: { 'content-encoding': 'gzip' } },
    { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' },
  ],
  ['no key', { json: holdOf(), headers: { authorization: '' } }, { status: 401, code: 'UNAUTHENTICATED' }],
  [
    'a made-up key',
    { json: holdOf(), headers: { authorization: `Bearer hf_test_${'x'.repeat(32)}` } },
    { status: 401, code: 'UNAUTHENTICATED' },
  ],
  [
    'an Idempotency-Key that is too long',
    { json: holdOf(), key: 'k'.repeat(256) },
    { status: 400, code: 'INVALID_REQUEST', field: 'Idempotency-Key' },
  ],
  ['another method', { method: 'DELETE' }, { status: 405, code: 'METHOD_NOT_ALLOWED' }],
];

it.each(RAW_BODIES)('refuses a request with %s', async (_what, call, expected) => {
  await expectRefused(CREATE_PATH, call, expected);
});

interface Command {
  readonly hold: () => Hold;
  readonly verb: 'capture' | 'cancel';
  readonly fields: object;
  readonly expected: Expected & { readonly details?: object };
}

const closedAs = (status: string) => ({ status: 409, code: 'PRE_AUTH_CLOSED', details: { status } });
const COMMANDS: readonly (readonly [what: string, command: Command])[] = [
  [
    'more than is held',
    {
      hold: () => held,
      verb: 'capture',
      fields: { amount: 50_001 },
      expected: { status: 422, code: 'CAPTURE_AMOUNT_EXCEEDS_HOLD', details: { amount_capturable: 50_000 } },
    },
  ],
  [
    'another currency',
    {
      hold: () => held,
      verb: 'capture',
      fields: { currency: 'EUR' },
      expected: { status: 422, code: 'CURRENCY_MISMATCH' },
    },
  ],
  ['amount 0', { hold: () => held, verb: 'capture', fields: { amount: 0 }, expected: invalid('amount') }],
  [
    'an unknown field',
    { hold: () => held, verb: 'capture', fields: { amuont: 1 }, expected: invalid('amuont') },
  ],
  [
    'an amount to cancel',
    { hold: () => held, verb: 'cancel', fields: { amount: 1 }, expected: invalid('amount') },
  ],
  [
    'a capture before the confirmation',
    {
      hold: () => open,
      verb: 'capture',
      fields: {},
      expected: {
        status: 409,
        code: 'PRE_AUTH_NOT_CAPTURABLE',
        details: { status: 'requires_payment_method' },
      },
    },
  ],
  [
    'a capture after the cancel',
    { hold: () => canceled, verb: 'capture', fields: {}, expected: closedAs('canceled') },
  ],
  ['a second cancel', { hold: () => canceled, verb: 'cancel', fields: {}, expected: closedAs('canceled') }],
  [
    "another merchant's hold",
    { hold: () => others, verb: 'capture', fields: {}, expected: { status: 404, code: 'NOT_FOUND' } },
  ],
  [
    "another merchant's cancel",
    { hold: () => others, verb: 'cancel', fields: {}, expected: { status: 404, code: 'NOT_FOUND' } },
  ],
];

it.each(COMMANDS)('refuses %s', async (_what, { hold, verb, fields, expected }) => {
  const { pre_auth_no: no, channel_pre_auth_no: channelNo } = hold();
  const byNo = await expectRefused(
    `/api/v1/pre-auth/${no}/${verb}`,
    { json: fields, key: `bad-${no}` },
    expected,
  );
  if (expected.details !== undefined) expect(byNo.details).toMatchObject(expected.details);
  const byChannel = {
    channel: 'stripe',
    channel_pre_auth_no: channelNo,
    ...(verb === 'capture' && { currency: 'USD' }),
  };
  await expectRefused(`${CREATE_PATH}/${verb}`, { json: { ...byChannel, ...fields } }, expected);
});

it('refuses to read what is not there or not theirs', async () => {
  const notFound = { status: 404, code: 'NOT_FOUND' };
  await expectRefused(`/api/v1/pre-auth/${others.pre_auth_no}`, {}, notFound);
  await expectRefused(`${CREATE_PATH}/${others.channel_pre_auth_no}?channel=stripe`, {}, notFound);
  await expectRefused(`${CREATE_PATH}/${held.channel_pre_auth_no}?channel=paypal`, {}, notFound);
  await expectRefused(`${CREATE_PATH}/${held.channel_pre_auth_no}`, {}, invalid('channel'));
  await expectRefused('/api/v1/pre-auth/a%20b', {}, invalid('pre_auth_no'));
  await expectRefused('/api/v1/pre-auth/%ff', {}, { status: 400, code: 'INVALID_REQUEST' });
  await expectRefused(`${CREATE_PATH}?limit=0`, {}, invalid('limit'));
  await expectRefused(`${CREATE_PATH}?cursor=abc`, {}, invalid('cursor'));
  await expectRefused(`${CREATE_PATH}?status=open`, {}, invalid('status'));
  await expectRefused('/api/v1/nothing', {}, { status: 404, code: 'ROUTE_NOT_FOUND' });
});

it('refuses a revoked key within 5 seconds', async () => {
  const path = `merchants/${system.merchant.merchantId}/api-keys`;
  const { data } = await system.admin<{ id: string; key: string }>(path, { body: { name: 'short-lived' } });
  const revoked = new MerchantClient(system.apiUrl, data.key);
  expect((await revoked.get(held.pre_auth_no)).status).toBe(200);
  const answer = await fetch(`${system.apiUrl}/api/v1/admin/${path}/${data.id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${system.adminKey}` },
  });
  expect(answer.status).toBe(200);
  await sleep(REVOKED_WITHIN_MS);
  expect(await revoked.create(holdOf())).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
});

it('refuses a merchant what is the operator’s, and the operator what is a merchant’s', async () => {
  await expectRefused(
    '/api/v1/admin/merchants',
    { json: { name: 'me' } },
    { status: 403, code: 'FORBIDDEN' },
  );
  const headers = { authorization: `Bearer ${system.adminKey}` };
  await expectRefused(CREATE_PATH, { json: holdOf(), headers }, { status: 403, code: 'FORBIDDEN' });
});
