/** Answers that no sandbox gives: what a proxy or a broken network may put between us and Stripe. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createStripeAdapter } from '../../../src/channels/stripe/adapter';
import type { StripeAdapter } from '../../../src/channels/stripe/adapter';
import { ChannelFault } from '../../../src/domain/channel';

let server: http.Server;
let adapter: StripeAdapter;
let answer: (response: http.ServerResponse, request: http.IncomingMessage) => void;
let requests = 0;

beforeAll(async () => {
  server = http.createServer((request, response) => {
    requests++;
    request.resume().on('end', () => answer(response, request));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const credentials = { secret_key: 'sk_test_x', webhook_secret: 'whsec_x' };
  const account = {
    id: 'a',
    channel: 'stripe',
    world: 'test',
    merchantId: null,
    credentials,
    contract: {},
  } as const;
  adapter = createStripeAdapter(account, base);
});
beforeEach(() => {
  requests = 0;
});
afterAll(async () => {
  adapter.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function faultOf(timeoutMs = 1_000, signal?: AbortSignal): Promise<ChannelFault> {
  const exchange = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
  const call = { idempotencyKey: 'k', holdfastId: 'h', holdfastCall: 'cancel/1' };
  const work = adapter.cancelPreAuth({ channelPreAuthNo: 'pi_1', currency: 'USD' }, call, exchange);
  const error: unknown = await work.catch((caught: unknown) => caught);
  if (!(error instanceof ChannelFault)) throw new Error('no fault', { cause: error });
  return error;
}

test.each<[string, (response: http.ServerResponse) => void]>([
  [
    "a proxy's error page",
    (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>'),
  ],
  ['a page with status 200', (response) => response.writeHead(200).end('<html>')],
  ['an empty body', (response) => response.writeHead(200).end()],
  ['JSON that is no PaymentIntent', (response) => response.writeHead(200).end('{}')],
  ['a status that does not exist', (response) => response.writeHead(599).end('{"error":{"type":"odd"}}')],
])('%s is unknown', async (_what, respond) => {
  answer = respond;
  expect(await faultOf()).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
  expect(requests).toBe(1);
});

const target = { kind: 'payment', channelNo: 'pi_1', currency: 'USD', amount: 500 } as const;
const call = { idempotencyKey: 'k', holdfastId: 'h', holdfastCall: 'refund/1' };

test.each<[string, string, () => Promise<unknown>]>([
  [
    'a refund',
    '{}',
    () =>
      adapter.createRefund({ refundNo: 'RF1', amount: 1, currency: 'USD', target }, call, {
        timeoutMs: 1_000,
      }),
  ],
  ['a list of refunds', '{}', () => adapter.listRefunds(target, { timeoutMs: 1_000 })],
  [
    'a list of refunds with something else in it',
    '{"object":"list","has_more":false,"data":[{}]}',
    () => adapter.listRefunds(target, { timeoutMs: 1_000 }),
  ],
  ['a list of disputes', '{"error":null}', () => adapter.listDisputes(target, { timeoutMs: 1_000 })],
  ['a payment', '{}', () => adapter.queryPayment('pi_1', { timeoutMs: 1_000 })],
])('%s that is none is unknown, and never taken for an empty one', async (_what, body, ask) => {
  answer = (response) => response.writeHead(200).end(body);
  const error: unknown = await ask().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ChannelFault);
  expect(error).toMatchObject({ execution: 'maybe_executed' });
});

test('a list whose pages never end is a fault, not a shorter list', async () => {
  answer = (response) => {
    const refund = { id: `re_${requests}`, currency: 'usd', amount: 1, status: 'succeeded', metadata: {} };
    const data = Array.from({ length: 100 }, () => ({ ...refund, balance_transaction: 'txn_1' }));
    response.writeHead(200).end(JSON.stringify({ object: 'list', url: '/v1/refunds', has_more: true, data }));
  };
  await expect(adapter.listRefunds(target, { timeoutMs: 20_000 })).rejects.toMatchObject({
    reason: 'list_too_long',
  });
  expect(requests).toBe(101);
});

test('a body that stops half-way is unknown, and is asked for once more at most', async () => {
  answer = (response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"id":');
    setTimeout(() => response.destroy(), 20);
  };
  expect(await faultOf(3_000)).toMatchObject({ execution: 'maybe_executed' });
  expect(requests).toBe(2);
});

test('a body that trickles for ever ends with the exchange', async () => {
  answer = (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  };
  const startedMs = Date.now();
  expect(await faultOf(300)).toMatchObject({ execution: 'maybe_executed', reason: 'ETIMEDOUT' });
  expect(Date.now() - startedMs).toBeLessThan(800);
});

test('every request carries its key, and an exchange aborted before it began sends nothing', async () => {
  let key: unknown;
  answer = (response, request) => {
    key = request.headers['idempotency-key'];
    response.writeHead(500).end('{"error":{"type":"api_error"}}');
  };
  await faultOf();
  expect(key).toBe('k');
  requests = 0;
  expect(await faultOf(1_000, AbortSignal.abort())).toMatchObject({
    execution: 'not_sent',
    reason: 'ABORTED',
  });
  expect(requests).toBe(0);
});
