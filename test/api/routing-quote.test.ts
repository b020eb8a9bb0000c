/** What a merchant is told before it orders: the decision with all that was weighed, under any mode, and nothing is made. */
import { routingRoutes } from '../../src/api/routes/routing';
import { createAccount } from '../../src/stores/channel-accounts';
import { startRouter } from '../routing/rig';
import type { TestRouter } from '../routing/rig';
import { startApi } from './harness';
import type { Answer, ApiHarness } from './harness';

let api: ApiHarness;
let own: TestRouter;

/** Addresses of the documentation's network: this one is in Germany. */
const countryOfIp = (ip: string) => (ip === '203.0.113.7' ? 'DE' : undefined);

beforeAll(async () => {
  api = await startApi(() => {
    const router = {
      quote: (...asked: Parameters<TestRouter['router']['quote']>) => own.router.quote(...asked),
    };
    return routingRoutes({ router, countryOfIp });
  });
  for (const channel of ['stripe', 'paypal', 'crypto'] as const) {
    await createAccount(api.db, api.box, {
      ...{ channel, world: 'live', merchantId: null, name: channel, credentials: {}, contract: {} },
    });
  }
  own = await startRouter(api.config, { policy: { mode: 'balanced' } });
});
afterAll(async () => {
  await own?.stop();
  await api?.close();
});

interface Quote {
  readonly channel: string;
  readonly candidates: { channel: string; eligible: boolean; fee?: number; excluded?: { code: string } }[];
}

const ask = (json: unknown): Promise<Answer> =>
  api.request('POST', '/api/v1/routing/quote', { key: api.merchantKey, json });
const ORDER = { amount: 10_000, currency: 'USD' };

async function quote(fields: object = {}): Promise<Quote & Record<string, unknown>> {
  const { status, json } = await ask({ ...ORDER, ...fields });
  expect({ status, code: json.code }).toEqual({ status: 200, code: 'SUCCESS' });
  return json.data as unknown as Quote & Record<string, unknown>;
}

test('the decision, with every candidate, its fee and why it cannot be chosen', async () => {
  const told = await quote();
  expect(told).toMatchObject({
    ...{ channel: 'stripe', level: 'smart', decided_by: 'cost', mode: 'balanced', skipped: [] },
    ...{ ranked: ['stripe', 'paypal'], config: { source: 'redis' } },
  });
  expect(told['reason']).toContain('3.20');
  const shown = told.candidates.map(({ channel, fee, excluded }) => [channel, fee, excluded?.code]);
  expect(shown).toEqual([
    ['alipay', 60, 'no_account'],
    ['crypto', 0, 'not_automatic'],
    ['paypal', 398, undefined],
    ['stripe', 320, undefined],
  ]);
});

test('what if: every mode may be asked for, and the country counts where it decides', async () => {
  const channels = (mode: string) => quote({ mode, country: 'DE' }).then(({ channel }) => channel);
  expect(await Promise.all(['balanced', 'geographic', 'cost'].map(channels))).toEqual([
    'paypal',
    'paypal',
    'stripe',
  ]);
});

test.each([
  [{ country: 'DE', billing_country: 'US', customer_ip: '203.0.113.8' }, 'explicit'],
  [{ billing_country: 'DE', card_country: 'US' }, 'billing'],
  [{ card_country: 'DE', customer_ip: '203.0.113.8' }, 'card'],
  [{ customer_ip: '203.0.113.7' }, 'ip'],
])('the best source of the country is taken: %j', async (fields, source) => {
  expect(await quote(fields)).toMatchObject({ country: { code: 'DE', source }, channel: 'paypal' });
});

test('an address that no file knows tells no country', async () => {
  expect(await quote({ customer_ip: '203.0.113.8' })).not.toHaveProperty('country');
});

test('a named channel is taken at its word', async () => {
  const told = await quote({ channel: 'crypto' });
  expect(told).toMatchObject({ channel: 'crypto', level: 'explicit', ranked: ['crypto'] });
});

test('holds are asked for as such', async () => {
  const told = await quote({ operation: 'pre_auth', currency: 'EUR' });
  expect(told.candidates.map(({ channel, eligible }) => [channel, eligible])).toContainEqual([
    'stripe',
    true,
  ]);
});

test('the same question has the same answer, and nothing is stored', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => quote({ country: 'FR' })));
  expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
  expect((await api.db.query('SELECT FROM routing_decisions')).rowCount).toBe(0);
});

test.each([
  [{}, ['amount', 'currency']],
  [{ ...ORDER, amount: 0 }, ['amount']],
  [{ ...ORDER, amount: 1.5 }, ['amount']],
  [{ ...ORDER, amount: '100' }, ['amount']],
  [{ ...ORDER, currency: 'usd' }, ['currency']],
  [{ ...ORDER, mode: 'cheapest' }, ['mode']],
  [{ ...ORDER, country: 'Germany' }, ['country']],
  [{ ...ORDER, customer_ip: '999.1.1.1' }, ['customer_ip']],
  [{ ...ORDER, channel: 'bank' }, ['channel']],
  [{ ...ORDER, operation: 'refund' }, ['operation']],
  [{ ...ORDER, order_no: 'ORDER-1' }, ['order_no']],
])('%j is refused, and it is said why', async (json, fields) => {
  const answer = await ask(json);
  expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } });
  expect(answer.json.details?.issues?.map(({ path }) => path)).toEqual(fields);
});

test('an amount that nobody takes and a currency that does not exist have an answer too', async () => {
  for (const fields of [{ currency: 'XXX' }, { amount: Number.MAX_SAFE_INTEGER }]) {
    const told = await quote(fields);
    expect(told).toMatchObject({ channel: 'stripe', level: 'default' });
    expect(told.candidates.some(({ eligible }) => eligible)).toBe(false);
  }
});

test('only merchants may ask', async () => {
  const path = '/api/v1/routing/quote';
  expect((await api.request('POST', path, { json: ORDER })).status).toBe(401);
  const key = api.config.HOLDFAST_ADMIN_KEY;
  expect((await api.request('POST', path, { key, json: ORDER })).status).toBe(403);
});
