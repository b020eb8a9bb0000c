import { randomUUID } from 'node:crypto';
import { expectAgreement } from './checks';
import { eventually, startSystem, urlOf } from './harness';
import type { System } from './harness';
import { holdOf, MerchantClient } from './merchant-client';
import type { Reply } from './merchant-client';
import { PaymentClient, paymentOf } from './payment-client';
import { RefundClient } from './refund-client';

const SAME_AT_ONCE = 50;
const LEASE_MS = 5_000;

let system: System;
let client: MerchantClient;

beforeAll(async () => {
  system = await startSystem({ apiCount: 2 });
  client = system.client();
});
afterAll(() => system?.stop());

/** The parts of an answer that a repeat must have too. */
const contentOf = ({ status, code, message, data }: Reply<unknown>) => ({ status, code, message, data });

/** A hold without a number of the merchant's: only the key can say that two requests are one. */
function numberless() {
  const { pre_auth_no: _, ...hold } = holdOf();
  return hold;
}

async function expectOneHold(orderNo: string): Promise<string> {
  const rows = await system.rows<{ pre_auth_no: string }>(
    'SELECT pre_auth_no FROM pre_auths WHERE order_no = $1',
    [orderNo],
  );
  expect(rows).toHaveLength(1);
  const no = rows[0]?.pre_auth_no ?? '';
  await expectAgreement(system, no);
  const { payment_intents: intents } = await system.sandbox.books();
  expect(intents.filter((intent) => intent.metadata['order_no'] === orderNo)).toHaveLength(1);
  return no;
}

it(`gives ${SAME_AT_ONCE} equal creates at once one hold and ${SAME_AT_ONCE} equal answers`, async () => {
  const [hold, key] = [numberless(), randomUUID()];
  const replies = await Promise.all(
    Array.from({ length: SAME_AT_ONCE }, (_, i) =>
      system.client(system.merchant, system.apis[i % system.apis.length]).create(hold, key),
    ),
  );
  const first = replies[0];
  if (first === undefined) throw new Error('no answer');
  expect(first.status).toBe(201);
  for (const reply of replies) expect(contentOf(reply)).toEqual(contentOf(first));
  const replayed = replies.filter((reply) => reply.headers.get('idempotent-replayed') === 'true');
  expect(replayed).toHaveLength(SAME_AT_ONCE - 1);
  expect(await expectOneHold(hold.order_no)).toBe(first.data.pre_auth_no);
});

it(
  'answers the same although the API that worked on it was killed',
  async () => {
    const [worker, other] = system.apis;
    if (worker === undefined || other === undefined) throw new Error('two APIs are needed');
    const [hold, key] = [numberless(), randomUUID()];
    await system.sandbox.config({ latencyMs: 1_500 });
    const lost = new MerchantClient(urlOf(worker), system.merchant.apiKey)
      .create(hold, key)
      .catch(() => undefined);
    await eventually(
      'the first request is accepted',
      () => system.rows('SELECT 1 FROM pre_auths WHERE order_no = $1', [hold.order_no]),
      (rows) => rows.length === 1,
    );
    const elsewhere = system.client(system.merchant, other);
    const answers = Array.from({ length: SAME_AT_ONCE - 1 }, () => elsewhere.create(hold, key));
    await worker.kill();
    expect(await lost).toBeUndefined();
    const replies = await Promise.all(answers);
    await system.sandbox.config({ latencyMs: 0 });
    await worker.restart();
    replies.push(await client.create(hold, key));
    const [first] = replies;
    expect(first?.status).toBe(201);
    for (const reply of replies) expect(contentOf(reply)).toEqual(contentOf(first as Reply));
    expect(await expectOneHold(hold.order_no)).toBe(first?.data.pre_auth_no);
  },
  LEASE_MS * 10,
);

it('keeps the same key on create and on capture apart', async () => {
  const key = randomUUID();
  const created = await client.create(holdOf(), key);
  expect(created.status).toBe(201);
  await client.confirm(system.sandbox.url, created.data);
  const captured = await client.capture(created.data.pre_auth_no, { amount: 700 }, key);
  expect(captured).toMatchObject({ status: 200, data: { amount: 700, status: 'succeeded' } });
  const canceledOther = await client.cancel((await client.open()).pre_auth_no, {}, key);
  expect(canceledOther).toMatchObject({ status: 200, data: { status: 'canceled' } });
});

it('refuses another body under the same key', async () => {
  const [hold, key] = [holdOf(), randomUUID()];
  expect((await client.create(hold, key)).status).toBe(201);
  const other = await client.create({ ...hold, amount: 1_234 }, key);
  expect(other).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
  // The order of the fields is no difference.
  const turned = Object.fromEntries(Object.entries(hold).reverse()) as typeof hold;
  expect((await client.create(turned, key)).status).toBe(201);
});

it('captures once however often a capture is repeated', async () => {
  const held = await client.held(system.sandbox.url);
  const key = randomUUID();
  const repeat = () => client.capture(held.pre_auth_no, { amount: 4_200 }, key);
  const replies = await Promise.all([repeat(), repeat(), repeat(), repeat(), repeat()]);
  replies.push(await repeat());
  for (const reply of replies) expect(contentOf(reply)).toEqual(contentOf(replies[0] as Reply<unknown>));
  expect(replies[0]).toMatchObject({ status: 200, data: { amount: 4_200, amount_captured: 4_200 } });
  await expectAgreement(system, held.pre_auth_no);
  const { calls } = await system.sandbox.books(system.workflowId(held.pre_auth_no));
  expect(calls.filter(({ operation }) => operation === 'capture')).toHaveLength(1);
});

it('keeps a decline, and forgets a refusal that a repeat need not meet again', async () => {
  const declined = await client.held(system.sandbox.url, {}, 'pm_card_captureDeclined');
  const key = randomUUID();
  const first = await client.capture(declined.pre_auth_no, {}, key);
  const again = await client.capture(declined.pre_auth_no, {}, key);
  expect([first.status, first.code]).toEqual([402, 'CHANNEL_DECLINED']);
  expect(contentOf(again)).toEqual(contentOf(first));
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  const { calls } = await system.sandbox.books(system.workflowId(declined.pre_auth_no));
  expect(calls.filter(({ operation }) => operation === 'capture')).toHaveLength(1);

  const open = await client.open();
  const tooEarly = await client.capture(open.pre_auth_no, {}, key);
  expect(tooEarly).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
  const own = randomUUID();
  expect((await client.capture(open.pre_auth_no, {}, own)).code).toBe('PRE_AUTH_NOT_CAPTURABLE');
  await client.confirm(system.sandbox.url, open);
  expect((await client.capture(open.pre_auth_no, {}, own)).status).toBe(200);
});

it('continues the same command when an accepted one is repeated', async () => {
  const hurried = await system.startApi({ API_WAIT_TIMEOUT: '0.7' });
  const impatient = system.client(system.merchant, hurried);
  const [hold, key] = [numberless(), randomUUID()];
  await system.sandbox.fault('create', 'slow', { delayMs: 1_500 });
  const accepted = await impatient.create(hold, key);
  expect(accepted.status).toBe(202);
  expect(accepted.headers.get('location')).toBe(`/api/v1/pre-auth/${accepted.data.pre_auth_no}`);
  const created = await client.create(hold, key);
  expect(created).toMatchObject({ status: 201, data: { pre_auth_no: accepted.data.pre_auth_no } });
  expect(await expectOneHold(hold.order_no)).toBe(accepted.data.pre_auth_no);

  await client.confirm(system.sandbox.url, created.data);
  await client.waitFor(created.data.pre_auth_no, 'requires_capture');
  const captureKey = randomUUID();
  await system.sandbox.fault('capture', 'slow', { delayMs: 1_500 });
  const begun = await impatient.capture(created.data.pre_auth_no, { amount: 900 }, captureKey);
  expect(begun.status).toBe(202);
  const done = await client.capture(created.data.pre_auth_no, { amount: 900 }, captureKey);
  expect(done).toMatchObject({ status: 200, data: { amount: 900, amount_captured: 900 } });
  await expectOneHold(hold.order_no);
});

/** As a 202 and a process that died leave them: a repeat takes them over. */
const forgetAnswers = () =>
  system.rows('UPDATE idempotency_records SET response_status = NULL, response_sealed = NULL');

const erase = (customer: object) =>
  system.admin(`merchants/${system.merchant.merchantId}/erase-customer`, { body: customer });

describe('whose customer was erased before the repeat', () => {
  it('a refund that was accepted is made once', async () => {
    const refunds = new RefundClient(client, system.sandbox.url);
    const paid = await refunds.paid('payment');
    const hurried = await system.startApi({ API_WAIT_TIMEOUT: '0.7' });
    await system.sandbox.fault('refund', 'slow', { delayMs: 1_500 });
    const key = randomUUID();
    const impatient = new RefundClient(system.client(system.merchant, hurried), system.sandbox.url);
    const accepted = await impatient.refund(paid, { amount: 100 }, key);
    expect(accepted.status).toBe(202);
    await refunds.waitFor(accepted.data.refund_no, 'success');
    expect(await erase({ payment_no: paid.no })).toMatchObject({ status: 200 });
    for (let i = 0; i < 3; i += 1)
      expect(await refunds.refund(paid, { amount: 100 }, key)).toMatchObject({
        status: 201,
        data: { refund_no: accepted.data.refund_no, amount: 100 },
      });
    const made = await system.rows('SELECT 1 FROM refunds WHERE object_no = $1', [paid.no]);
    expect(made).toHaveLength(1);
  });

  it('a payment is made once', async () => {
    const payments = new PaymentClient(client, system.sandbox.url);
    const [order, key] = [paymentOf({ customer_email: 'once@example.com' }), randomUUID()];
    const { data: first } = await payments.create(order, key);
    expect((await payments.cancel(first.payment_no)).data.status).toBe('cancelled');
    await forgetAnswers();
    expect(await erase({ payment_no: first.payment_no })).toMatchObject({ status: 200 });
    for (let i = 0; i < 3; i += 1)
      expect(await payments.create(order, key)).toMatchObject({
        status: 201,
        data: { payment_no: first.payment_no, status: 'cancelled' },
      });
  });

  it.each([
    ['without a number', numberless],
    ['with a number', holdOf],
  ])('a hold %s is made once', async (_name, orderOf) => {
    const [order, key] = [orderOf(), randomUUID()];
    const { data: first } = await client.create(order, key);
    await client.cancel(first.pre_auth_no);
    await forgetAnswers();
    expect(await erase({ pre_auth_no: first.pre_auth_no })).toMatchObject({ status: 200 });
    for (let i = 0; i < 3; i += 1)
      expect(await client.create(order, key)).toMatchObject({
        status: 201,
        data: { pre_auth_no: first.pre_auth_no, status: 'canceled' },
      });
    await expectOneHold(order.order_no);
  });
});
