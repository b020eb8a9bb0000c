/** Answers that no sandbox gives: what a proxy or a broken network may put between us and PayPal. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPayPalAdapter } from '../../../src/channels/paypal/adapter';
import type { PayPalAdapter } from '../../../src/channels/paypal/adapter';
import { ChannelFault } from '../../../src/domain/channel';

let server: http.Server;
let adapter: PayPalAdapter;
let answer: (response: http.ServerResponse, request: http.IncomingMessage) => void;
let requests: { url: string; headers: http.IncomingHttpHeaders }[] = [];

beforeAll(async () => {
  server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.url === '/v1/oauth2/token') {
        response.end(JSON.stringify({ access_token: 'secret-token', expires_in: 32_400 }));
        return;
      }
      requests.push({ url: request.url ?? '', headers: request.headers });
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const account = {
    id: 'a',
    channel: 'paypal',
    world: 'test',
    merchantId: null,
    credentials: { client_id: 'c', client_secret: 'very-secret', webhook_id: 'w' },
    contract: {},
  } as const;
  adapter = createPayPalAdapter(account, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
beforeEach(() => {
  requests = [];
});
afterAll(async () => {
  adapter.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const call = { idempotencyKey: 'payment/m/1/create/1', holdfastId: 'payment/m/1', holdfastCall: 'create/1' };

async function faultOf(timeoutMs = 1_000): Promise<ChannelFault> {
  const request = { paymentNo: 'P', orderNo: 'O', amount: 100, currency: 'USD', expiresAtUnixSeconds: 2e9 };
  const error: unknown = await adapter
    .createPayment(request, call, { timeoutMs })
    .catch((caught: unknown) => caught);
  if (!(error instanceof ChannelFault)) throw new Error('no fault', { cause: error });
  return error;
}

test.each<[string, (response: http.ServerResponse) => void]>([
  [
    "a proxy's error page",
    (response) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>'),
  ],
  ['a page with status 200', (response) => response.writeHead(200).end('<html>')],
  ['an empty body', (response) => response.writeHead(201).end()],
  ['JSON that is no order', (response) => response.writeHead(201).end('{"id":"O1"}')],
  ['a redirect', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ['a body that is too large', (response) => response.writeHead(200).end(' '.repeat(3 * 1024 * 1024))],
  ['a status that does not exist', (response) => response.writeHead(599).end('{}')],
])('%s is unknown', async (_what, respond) => {
  answer = respond;
  const fault = await faultOf();
  expect(fault).toMatchObject({ execution: 'maybe_executed', storedAnswer: false });
  expect(`${fault.message} ${fault.stack}`).not.toMatch(/secret/);
  expect(requests).toHaveLength(1);
});

test('a body that stops half-way, or trickles for ever, is unknown and ends in time', async () => {
  answer = (response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"id":');
    setTimeout(() => response.destroy(), 20);
  };
  expect(await faultOf()).toMatchObject({ execution: 'maybe_executed' });
  expect(requests).toHaveLength(1);
  answer = (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  };
  const startedMs = Date.now();
  expect(await faultOf(300)).toMatchObject({ execution: 'maybe_executed', reason: 'ETIMEDOUT' });
  expect(Date.now() - startedMs).toBeLessThan(800);
});

test('a POST carries its key, asks for the whole object, and is repeated once after a 401 with the same key', async () => {
  answer = (response) => response.writeHead(401).end('{"name":"AUTHENTICATION_FAILURE"}');
  const request = { paymentNo: 'P', orderNo: 'O', amount: 100, currency: 'USD', expiresAtUnixSeconds: 2e9 };
  const { answer: declined } = await adapter.createPayment(request, call, { timeoutMs: 1_000 });
  expect(declined).toEqual({
    kind: 'declined',
    code: 'account_invalid',
    providerCode: 'AUTHENTICATION_FAILURE',
  });
  expect(requests).toHaveLength(2);
  const keys = requests.map(({ headers }) => headers['paypal-request-id']);
  expect(keys[0]).toMatch(/^hf-[0-9a-f]{32}$/);
  expect(keys[1]).toBe(keys[0]);
  expect(requests[0]?.headers).toMatchObject({
    prefer: 'return=representation',
    'content-type': 'application/json',
  });
});

test('an id from elsewhere cannot leave its place in the address', async () => {
  answer = (response) => response.writeHead(404).end('{"name":"RESOURCE_NOT_FOUND"}');
  expect(await adapter.queryPayment('../../v1/x?y', { timeoutMs: 1_000 })).toBeUndefined();
  expect(requests[0]?.url).toBe('/v2/checkout/orders/..%2F..%2Fv1%2Fx%3Fy');
});
