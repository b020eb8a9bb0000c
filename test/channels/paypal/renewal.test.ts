/** What PayPal may answer to a renewal, and what then becomes of the capture that it was asked for. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPayPalAdapter } from '../../../src/channels/paypal/adapter';
import type { PayPalAdapter } from '../../../src/channels/paypal/adapter';
import { captureInvoiceId } from '../../../src/channels/paypal/identity';

const DAY_MS = 24 * 3_600_000;
const call = {
  idempotencyKey: 'pre-auth/m/1/capture/1',
  holdfastId: 'pre-auth/m/1',
  holdfastCall: 'capture/1',
};
const usd = { currency_code: 'USD', value: '100.00' };
const order = {
  id: 'O1',
  status: 'COMPLETED',
  intent: 'AUTHORIZE',
  purchase_units: [
    {
      amount: usd,
      payments: {
        authorizations: [
          { id: 'A', status: 'CREATED', amount: usd, create_time: new Date(Date.now() - 5 * DAY_MS) },
        ],
      },
    },
  ],
};
const capture = {
  ...{ id: 'C', status: 'COMPLETED', amount: usd },
  ...{ invoice_id: captureInvoiceId(call), final_capture: true },
};

let server: http.Server;
let adapter: PayPalAdapter;
let renewal: { status: number; body: object };
let asked: string[];

beforeAll(async () => {
  server = http.createServer((request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    const answers: Record<string, { status: number; body: object }> = {
      token: { status: 200, body: { access_token: 't', expires_in: 32_400 } },
      O1: { status: 200, body: order },
      reauthorize: renewal,
      capture: { status: 201, body: capture },
    };
    asked.push(request.url ?? '');
    const { status, body } = answers[name] ?? { status: 500, body: {} };
    request.resume().on('end', () => response.writeHead(status).end(JSON.stringify(body)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const account = {
    ...({ id: 'a', channel: 'paypal', world: 'test', merchantId: null, contract: {} } as const),
    credentials: { client_id: 'c', client_secret: 's', webhook_id: 'w' },
  };
  adapter = createPayPalAdapter(account, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
beforeEach(() => {
  asked = [];
});
afterAll(async () => {
  adapter.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function captured() {
  const request = { channelPreAuthNo: 'O1', amount: 10_000, currency: 'USD', final: true };
  const answer = await adapter.capturePreAuth(request, call, { timeoutMs: 1_000 });
  return { answer, captures: asked.filter((url) => url.endsWith('/capture')) };
}

const refusal = (status: number, name: string, issue: string) => ({
  status,
  body: { name, details: [{ issue }] },
});

test.each([
  ['too soon, or again', 422, 'UNPROCESSABLE_ENTITY', 'REAUTHORIZATION_TOO_SOON'],
  ['not with these means', 422, 'UNPROCESSABLE_ENTITY', 'REAUTHORIZATION_NOT_SUPPORTED_FOR_PAYMENT_SOURCE'],
  ['not for this account', 403, 'NOT_AUTHORIZED', 'PERMISSION_DENIED'],
  ['a reason that nobody knows', 422, 'UNPROCESSABLE_ENTITY', 'SOMETHING_NEW'],
  ['a form that it does not take', 400, 'INVALID_REQUEST', 'INVALID_PARAMETER_SYNTAX'],
  ['another amount', 422, 'UNPROCESSABLE_ENTITY', 'AUTHORIZATION_AMOUNT_EXCEEDED'],
  ['over', 422, 'UNPROCESSABLE_ENTITY', 'AUTHORIZATION_EXPIRED'],
  ['not found', 404, 'RESOURCE_NOT_FOUND', 'INVALID_RESOURCE_ID'],
])('not renewed (%s): the old authorization is captured', async (_why, status, name, issue) => {
  renewal = refusal(status, name, issue);
  const { answer, captures } = await captured();
  expect(answer).toMatchObject({ kind: 'done', snapshot: { status: 'succeeded', amountCaptured: 10_000 } });
  expect(captures).toEqual(['/v2/payments/authorizations/A/capture']);
});

test.each([
  ['REAUTHORIZATION_DECLINED_BY_PROCESSOR', 'card_declined'],
  ['PAYER_CANNOT_PAY', 'card_declined'],
  ['CARD_EXPIRED', 'expired_card'],
  ['PAYER_ACTION_REQUIRED', 'authentication_required'],
  ['COMPLIANCE_VIOLATION', 'fraud_suspected'],
])('declined for the payer (%s): a declined capture, and none is sent', async (issue, code) => {
  renewal = refusal(422, 'UNPROCESSABLE_ENTITY', issue);
  const { answer, captures } = await captured();
  expect(answer).toEqual({ kind: 'declined', code, providerCode: issue, ofPreparation: true });
  expect(captures).toEqual([]);
});

test('denied: the same', async () => {
  renewal = { status: 201, body: { id: 'B', status: 'DENIED', amount: usd } };
  const { answer, captures } = await captured();
  expect(answer).toMatchObject({ code: 'card_declined', ofPreparation: true });
  expect(captures).toEqual([]);
});

test('renewed, and PayPal does not say when: the renewal is captured, not the original', async () => {
  renewal = { status: 201, body: { id: 'B', status: 'CREATED', amount: usd } };
  expect((await captured()).captures).toEqual(['/v2/payments/authorizations/B/capture']);
});
