/** A payment accepted while Temporal is away. In a system of its own: what others left behind must not be in the way. */
import { randomUUID } from 'node:crypto';
import { startSystem, urlOf } from './harness';
import type { System } from './harness';
import { MerchantClient } from './merchant-client';
import { expectPaymentAgreement, PaymentClient, paymentOf, PAYMENT_SETTINGS } from './payment-client';

let system: System;
let client: PaymentClient;

beforeAll(async () => {
  system = await startSystem({ environment: PAYMENT_SETTINGS, sandbox: 'process' });
  client = new PaymentClient(system.client(), system.sandbox.url);
});
afterAll(() => system?.stop());

it('accepts a payment while Temporal is away, and makes it afterwards', async () => {
  const nowhere = await system.startApi({ TEMPORAL_ADDRESS: '127.0.0.1:9', API_WAIT_TIMEOUT: '2' });
  const merchant = new MerchantClient(urlOf(nowhere), system.merchant.apiKey);
  const away = new PaymentClient(merchant, system.sandbox.url);
  const body = paymentOf();
  const key = randomUUID();
  // Without a worker, too: else the pick-up, which starts what nobody started, may be there before the answer. Stopped and
  // not killed: a pick-up that died under way is missed only after its heartbeat, and this is not about that.
  await system.workers[0]?.stop();
  const accepted = await away.create(body, key);
  expect(accepted).toMatchObject({ status: 202, data: { status: 'pending', channel_payment_no: null } });
  const no = accepted.data.payment_no;
  expect(accepted.headers.get('location')).toBe(`/api/v1/payments/${no}`);
  await system.workers[0]?.restart();
  const open = await client.waitFor(no, 'requires_action');
  expect(open.client_secret).toMatch(/_secret_/);
  expect(await client.create(body, key)).toMatchObject({ status: 201, data: { payment_no: no } });
  // Nobody can say whether a command was taken that reaches no workflow.
  expect(await away.cancel(no)).toMatchObject({ status: 503, code: 'TEMPORARILY_UNAVAILABLE' });
  await client.pay(open);
  await client.waitFor(no, 'success');
  await expectPaymentAgreement(system, no);
}, 240_000);
