/** What is refused: bad input, by the channel, and what operators mistype. Nothing of it is left behind. */
import { countAllRows, eventsOf } from './checks';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import { PaymentClient, paymentOf, PAYMENT_SETTINGS, paymentWorkflowId } from './payment-client';
import type { PaymentState } from '../../src/workflows/messages';

let system: System;
let client: PaymentClient;

beforeAll(async () => {
  system = await startSystem({ environment: PAYMENT_SETTINGS });
  client = new PaymentClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

const workflowOf = (no: string) => system.temporal.workflow.getHandle(paymentWorkflowId(system, no));

it('fails when the channel refuses the create, and the order is free again', async () => {
  const merchant = await system.createMerchant('Revoked');
  await system.createAccount({ secretKey: 'sk_test_nobody', merchantId: merchant.merchantId });
  const refused = new PaymentClient(system.client(merchant), system.sandbox.url);
  const body = paymentOf();
  const reply = await refused.create(body);
  expect(reply).toMatchObject({
    status: 402,
    code: 'CHANNEL_DECLINED',
    details: { decline_code: 'account_invalid', status: 'failed' },
  });
  const no = String(reply.details?.['payment_no']);
  expect((await refused.get(no)).data).toMatchObject({ status: 'failed', decline_code: 'account_invalid' });
  const [event] = await eventsOf(system, no, merchant.merchantId);
  expect(event).toMatchObject({ type: 'payment.failed', data: { decline_code: 'account_invalid' } });
  const claims = await system.rows('SELECT 1 FROM order_claims WHERE order_no = $1', [body.order_no]);
  expect(claims).toEqual([]);
});

const BAD: readonly (readonly [what: string, fields: object, status: number, code: string])[] = [
  ['no order', { order_no: undefined }, 400, 'INVALID_REQUEST'],
  ['an order of odd characters', { order_no: 'a/b' }, 400, 'INVALID_REQUEST'],
  ['a long order', { order_no: 'x'.repeat(65) }, 400, 'INVALID_REQUEST'],
  ['no amount', { amount: undefined }, 400, 'INVALID_REQUEST'],
  ['nothing', { amount: 0 }, 400, 'INVALID_REQUEST'],
  ['less than nothing', { amount: -1 }, 400, 'INVALID_REQUEST'],
  ['a part of a cent', { amount: 1.5 }, 400, 'INVALID_REQUEST'],
  ['a text', { amount: '500' }, 400, 'INVALID_REQUEST'],
  ['more than is safe', { amount: 2 ** 53 }, 400, 'INVALID_REQUEST'],
  ['a small currency', { currency: 'usd' }, 400, 'INVALID_REQUEST'],
  ['a number of its own', { payment_no: 'PY1' }, 400, 'INVALID_REQUEST'],
  ['an unknown field', { amuont: 1 }, 400, 'INVALID_REQUEST'],
  ['an unknown channel', { channel: 'cash' }, 400, 'INVALID_REQUEST'],
  ['a broken e-mail', { customer_email: 'guest' }, 400, 'INVALID_REQUEST'],
  ['an empty description', { description: '' }, 400, 'INVALID_REQUEST'],
  ['a script as return_url', { return_url: 'javascript:alert(1)' }, 400, 'INVALID_REQUEST'],
  ['too little time', { expires_in: 0 }, 400, 'INVALID_REQUEST'],
  ['a year', { expires_in: 365 * 86_400 }, 400, 'INVALID_REQUEST'],
  ['numbers in metadata', { metadata: { room: 7 } }, 400, 'INVALID_REQUEST'],
  ['a private notify_url', { notify_url: 'http://10.0.0.1/' }, 422, 'WEBHOOK_URL_NOT_ALLOWED'],
  ['an unknown currency', { currency: 'XXX' }, 422, 'CURRENCY_NOT_SUPPORTED'],
  ['too little for the channel', { amount: 49 }, 422, 'AMOUNT_NOT_SUPPORTED'],
  ['too much for the channel', { amount: 100_000_000 }, 422, 'AMOUNT_NOT_SUPPORTED'],
  ['a thousandth the channel cannot say', { currency: 'KWD', amount: 1_001 }, 422, 'AMOUNT_NOT_SUPPORTED'],
  ['a channel without an account', { channel: 'paypal' }, 422, 'CHANNEL_NOT_AVAILABLE'],
];

it('refuses bad input and writes nothing of it', async () => {
  const before = await countAllRows(system);
  for (const [what, fields, status, code] of BAD) {
    const reply = await client.create({ ...paymentOf(), ...fields });
    expect({ what, status: reply.status, code: reply.code }).toEqual({ what, status, code });
  }
  expect((await client.get('PY-unknown')).code).toBe('NOT_FOUND');
  expect((await client.get('a%00b')).code).toBe('INVALID_REQUEST');
  expect((await client.cancel('PY-unknown')).code).toBe('NOT_FOUND');
  expect((await client.list('status=paid')).code).toBe('INVALID_REQUEST');
  expect((await client.list('cursor=abc')).code).toBe('INVALID_REQUEST');
  expect(await countAllRows(system)).toEqual(before);
});

it('survives whatever an operator types, and says what was wrong', async () => {
  const payment = await client.open();
  const workflow = workflowOf(payment.payment_no);
  const wrong: readonly (readonly [signal: string, input: unknown, sentence: RegExp])[] = [
    ['cancel', 7, /^cancel: the input must be a JSON object/],
    ['cancel', { amount: 1 }, /^cancel: unknown field "amount"/],
    ['cancel', { command_id: 'complete' }, /^cancel: "command_id" must be a name/],
    ['settle', {}, /^settle: "by", "reason" and "outcome"/],
    ['settle', { by: 'ops', reason: 'x', outcome: 'executed' }, /^settle: no outcome waits/],
  ];
  for (const [signal, input, sentence] of wrong) {
    await workflow.signal(signal, input);
    const state = await eventually(
      `${signal} ${JSON.stringify(input)} is refused`,
      () => workflow.query<PaymentState>('state'),
      ({ lastRefusal }) => sentence.test(lastRefusal ?? ''),
    );
    expect(state.payment?.status).toBe('requires_action');
  }
  expect((await client.cancel(payment.payment_no)).status).toBe(200);
});
