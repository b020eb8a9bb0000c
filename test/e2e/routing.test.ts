/** Orders that name no channel, over the API: where they go, what is kept of why, and what a change of mind takes. */
import type { MerchantClient } from './merchant-client';
import { CREATE_PATH, newNumber } from './merchant-client';
import { eventually } from './eventually';
import { PaymentClient, paymentOf } from './payment-client';
import type { PaymentView } from './payment-client';
import { startPayPalShop } from './paypal-shop';
import type { PayPalShop } from './paypal-shop';

let shop: PayPalShop;
let merchant: MerchantClient;
let payments: PaymentClient;

beforeAll(async () => {
  shop = await startPayPalShop();
  merchant = shop.system.client();
  payments = new PaymentClient(merchant, shop.system.sandbox.url);
});
afterAll(() => shop?.stop());

interface Routed {
  readonly channel: string;
  readonly routing: Record<string, unknown>;
  readonly attempts: { channel: string; outcome: string }[];
}

const RETURN_URL = 'https://shop.example/thanks';
const routed = (view: PaymentView) => view as unknown as Routed;
const unnamed = (fields: object = {}) => paymentOf({ channel: undefined, return_url: RETURN_URL, ...fields });

async function read(paymentNo: string): Promise<Routed> {
  return routed((await payments.get(paymentNo)).data);
}

test('the cheapest takes it, the country decides where it is known, and the whole decision is kept', async () => {
  const { data: cheap } = await payments.create(unnamed());
  expect(cheap.channel).toBe('stripe');
  const { data: german } = await payments.create(unnamed({ billing_country: 'DE' }));
  expect(german.channel).toBe('paypal');
  const { routing, attempts } = await read(german.payment_no);
  expect(routing).toMatchObject({
    ...{ channel: 'paypal', level: 'smart', decided_by: 'geographic', mode: 'balanced' },
    ...{ country: { code: 'DE', source: 'billing' }, ranked: ['paypal', 'stripe'] },
  });
  expect(routing['candidates']).toHaveLength(4);
  expect(attempts).toMatchObject([{ channel: 'paypal', outcome: 'accepted' }]);
  const [row] = await shop.system.rows<{ country: string; bytes: number }>(
    `SELECT country, length(decision::text) AS bytes FROM payments JOIN routing_decisions USING (merchant_id)
     WHERE payment_no = $1 AND number = $1`,
    [german.payment_no],
  );
  expect(row?.country).toBe('DE');
  expect(row?.bytes).toBeLessThan(8 * 1024);
});

test('a named channel is taken at its word, and a hold tells its way too', async () => {
  const { data: named } = await payments.create(unnamed({ channel: 'paypal' }));
  expect((await read(named.payment_no)).routing).toMatchObject({ level: 'explicit', channel: 'paypal' });
  const body = { pre_auth_no: newNumber(), order_no: newNumber('ORDER'), amount: 50_000, currency: 'USD' };
  const { status } = await merchant.call(CREATE_PATH, { json: body });
  expect(status).toBe(201);
  const { data } = await merchant.call<unknown>(`/api/v1/pre-auth/${body.pre_auth_no}`);
  expect(data).toMatchObject({
    routing: { level: 'smart', channel: 'stripe', decided_by: 'cost' },
    attempts: [{ channel: 'stripe', outcome: 'accepted' }],
  });
});

test('what an operator changes is in effect for the next order; the quote says so beforehand', async () => {
  const { merchantId } = shop.system.merchant;
  const change = (method: string, body?: object) =>
    fetch(`${shop.system.apiUrl}/api/v1/admin/routing/merchants/${merchantId}`, {
      method,
      headers: { authorization: `Bearer ${shop.system.adminKey}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).then(({ status }) => status);
  const quote = async () => {
    const json = { amount: 50_000, currency: 'USD', country: 'DE' };
    return (await merchant.call<Routed['routing']>('/api/v1/routing/quote', { json })).data;
  };
  expect(await quote()).toMatchObject({ channel: 'paypal', mode: 'balanced' });
  expect(await change('PUT', { mode: 'cost' })).toBe(200);
  expect(await quote()).toMatchObject({ channel: 'stripe', mode: 'cost', decided_by: 'cost' });
  const { data } = await payments.create(unnamed({ country: 'DE' }));
  expect((await read(data.payment_no)).routing).toMatchObject({ channel: 'stripe', mode: 'cost' });
  expect(await change('DELETE')).toBe(200);
});

test('what the channels answer reaches the scores of all processes', async () => {
  for (let n = 0; n < 20; n += 1) await payments.create(unnamed({ country: 'US' }));
  const json = { amount: 50_000, currency: 'USD', country: 'US' };
  const told = await eventually(
    'the score of Stripe',
    async () => (await merchant.call<Routed['routing']>('/api/v1/routing/quote', { json })).data,
    ({ candidates }) =>
      (candidates as { channel: string; scores?: { success?: number } }[]).some(
        ({ channel, scores }) => channel === 'stripe' && scores?.success === 1,
      ),
  );
  expect(told).toMatchObject({ channel: 'stripe' });
});
