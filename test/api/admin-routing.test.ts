/** Operators configure routing: every entity there and back, what is refused and how it says so, who changed what. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { IdempotentRequest } from '../../src/api/idempotency';
import { adminRoutes } from '../../src/api/routes/admin';
import { adminRoutingRoutes } from '../../src/api/routes/admin-routing';
import { routingAuditRoute } from '../../src/api/routes/admin-routing-audit';
import { createTellRouters } from '../../src/api/routing/deps';
import { DEFAULT_CHANNELS } from '../../src/domain/routing/default-config';
import { createAccount } from '../../src/stores/channel-accounts';
import { loadRoutingConfig, readRoutingVersion } from '../../src/stores/routing-config';
import { startApi } from './harness';
import type { Answer, ApiHarness } from './harness';

let api: ApiHarness;
let told = 0;
let onRoutingChanged: () => Promise<void>;

beforeAll(async () => {
  const tellRouters = createTellRouters(() => onRoutingChanged(), pino({ level: 'silent' }));
  api = await startApi(({ db }) => [...adminRoutingRoutes({ db, tellRouters }), routingAuditRoute({ db })]);
});
afterAll(() => api?.close());
beforeEach(async () => {
  told = 0;
  onRoutingChanged = () => Promise.resolve(void (told += 1));
  await api.db.query('DELETE FROM routing_rules; DELETE FROM channel_fees; DELETE FROM routing_channels');
});

const ask = (method: string, path: string, json?: unknown): Promise<Answer> =>
  api.request(method, `/api/v1/admin/routing${path}`, { key: api.config.HOLDFAST_ADMIN_KEY, json });
const issuesOf = ({ json }: Answer) => json.details?.issues ?? [];

const SETTINGS = {
  ...{ enabled: true, automatic: true, currencies: ['EUR', 'USD'], countries: ['DE', 'LATAM'] },
  ...{ amounts: { EUR: { min: 100, max: 500_000 } }, weight: 10, pre_auth: true, multiple_captures: false },
  home: { DE: 90, EEA: 40 },
};
const RULE = { order: 1, currency: 'EUR', country: 'EEA', min_amount: 1, max_amount: 900, channel: 'paypal' };
const FEE = { channel: 'paypal', currency: 'EUR', country: 'DE', basis_points: 120, fixed_minor: 35 };

describe('channels', () => {
  test('all are listed, as built in until somebody configures them', async () => {
    const { json } = await ask('GET', '/channels');
    const items = json.data['items'] as Record<string, unknown>[];
    expect(items.map(({ channel, source, version }) => [channel, source, version])).toEqual(
      ['stripe', 'paypal', 'alipay', 'crypto'].map((channel) => [channel, 'built_in', 0]),
    );
    expect(items[0]?.['settings']).toMatchObject({ weight: 100, home: DEFAULT_CHANNELS.stripe.home });
  });

  test('put there, read back, routed by, put back', async () => {
    const put = await ask('PUT', '/channels/paypal', { settings: SETTINGS, version: 0 });
    expect(put).toMatchObject({ status: 200, json: { data: { source: 'database', settings: SETTINGS } } });
    expect((await ask('GET', '/channels/paypal')).json.data).toEqual(put.json.data);
    const { version, channels } = await loadRoutingConfig(api.db);
    expect(put.json.data['version']).toBe(version);
    const { pre_auth: preAuth, multiple_captures: multipleCaptures, ...rest } = SETTINGS;
    expect(channels[1]).toEqual({ id: 'paypal', ...rest, preAuth, multipleCaptures });
    const builtIn = { source: 'built_in', version: 0, updated_at: null };
    expect((await ask('DELETE', '/channels/paypal')).json.data).toMatchObject(builtIn);
    expect(told).toBe(2);
    expect((await ask('DELETE', '/channels/paypal')).status).toBe(200);
    expect(told).toBe(2);
    expect(await readRoutingVersion(api.db)).toBe(version + 1);
  });

  test('what is read can be put as it is', async () => {
    const { settings, version } = (await ask('GET', '/channels/stripe')).json.data;
    const put = await ask('PUT', '/channels/stripe', { settings, version });
    expect(put.json.data['settings']).toEqual(settings);
  });

  test('whoever knows an older version is refused, and told the present one', async () => {
    const { version } = (await ask('PUT', '/channels/stripe', { settings: SETTINGS })).json.data;
    const stale = await ask('PUT', '/channels/stripe', { settings: SETTINGS, version: 0 });
    expect(stale).toMatchObject({ status: 409, json: { code: 'ROUTING_CHANGED', details: { version } } });
    expect((await ask('DELETE', `/channels/stripe?version=0`)).status).toBe(409);
    expect((await ask('DELETE', `/channels/stripe?version=${String(version)}`)).status).toBe(200);
  });

  test.each([
    ['settings.currencies.1', { currencies: ['EUR', 'EUX'] }],
    ['settings.currencies', { currencies: ['EUR', 'EUR'] }],
    ['settings.currencies', { currencies: [] }],
    ['settings.countries.0', { countries: ['UK'] }],
    ['settings.countries.0', { countries: ['de'] }],
    ['settings.amounts.XXX', { amounts: { XXX: { min: 1 } } }],
    ['settings.amounts.EUR.max', { amounts: { EUR: { min: 2, max: 1 } } }],
    ['settings.amounts.EUR.min', { amounts: { EUR: { min: 0 } } }],
    ['settings.amounts.EUR.max', { amounts: { EUR: { max: 1e300 } } }],
    ['settings.home.EUROPE', { home: { EUROPE: 1 } }],
    ['settings.home.DE', { home: { DE: 101 } }],
    ['settings.weight', { weight: 1001 }],
    ['settings.weight', { weight: 0.5 }],
    ['settings.enabled', { enabled: 'yes' }],
    ['settings.preAuth', { preAuth: true }],
  ])('refuses %s of %j', async (path, wrong) => {
    const answer = await ask('PUT', '/channels/stripe', { settings: { ...SETTINGS, ...wrong } });
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } });
    expect(issuesOf(answer).map((issue) => issue.path)).toEqual([path]);
  });

  test('a channel that does not exist', async () => {
    expect((await ask('PUT', '/channels/cash', { settings: SETTINGS })).status).toBe(400);
  });
});

describe('fees', () => {
  test('set, listed by pages, replaced under the same id, removed', async () => {
    const set = await ask('POST', '/fees', FEE);
    expect(set).toMatchObject({ status: 201, json: { data: { ...FEE, account_id: null } } });
    const id = String(set.json.data['id']);
    await ask('POST', '/fees', { channel: 'paypal', basis_points: 200 });
    await ask('POST', '/fees', { channel: 'stripe', basis_points: 200 });
    const first = (await ask('GET', '/fees?channel=paypal&limit=1')).json.data;
    expect(first['items']).toMatchObject([{ basis_points: 200, currency: null, fixed_minor: 0 }]);
    const second = await ask('GET', `/fees?channel=paypal&limit=1&cursor=${String(first['next_cursor'])}`);
    expect(second.json.data).toMatchObject({ items: [{ id }], next_cursor: null });
    const replaced = await ask('PUT', `/fees/${id}`, { ...FEE, basis_points: 99 });
    expect(replaced.json.data).toMatchObject({
      id,
      basis_points: 99,
      created_at: set.json.data['created_at'],
    });
    expect((await ask('DELETE', `/fees/${id}`)).json.data).toMatchObject({ id, basis_points: 99 });
    expect((await ask('DELETE', `/fees/${id}`)).status).toBe(404);
    expect((await ask('PUT', `/fees/${id}`, FEE)).status).toBe(404);
    expect(told).toBe(5);
  });

  test('one price for one thing', async () => {
    const { id } = (await ask('POST', '/fees', FEE)).json.data;
    const again = await ask('POST', '/fees', { ...FEE, basis_points: 1 });
    expect(again).toMatchObject({ status: 409, json: { code: 'ROUTING_FEE_EXISTS', details: { id } } });
    expect((await ask('POST', '/fees', { ...FEE, country: 'FR' })).status).toBe(201);
  });

  test('an account must be one of the channel', async () => {
    const account = await createAccount(api.db, api.box, {
      ...{ channel: 'stripe', world: 'live', merchantId: api.merchant.id, name: 'own' },
      ...{ credentials: {}, contract: {} },
    });
    const ofAccount = { ...FEE, account_id: account?.id };
    expect(issuesOf(await ask('POST', '/fees', ofAccount))).toEqual([
      { path: 'account_id', message: 'is no account at this channel' },
    ]);
    expect((await ask('POST', '/fees', { ...ofAccount, channel: 'stripe' })).status).toBe(201);
    expect((await ask('POST', '/fees', { ...FEE, account_id: randomUUID() })).status).toBe(400);
  });

  test.each([
    ['currency', { currency: undefined }],
    ['currency', { currency: 'eur' }],
    ['country', { country: 'XX' }],
    ['basis_points', { basis_points: 10_001 }],
    ['basis_points', { basis_points: -1 }],
    ['fixed_minor', { fixed_minor: 2 ** 53 }],
    ['channel', { channel: 'cash' }],
    ['id', { id: 'mine' }],
  ])('refuses %s of %j', async (path, wrong) => {
    const answer = await ask('POST', '/fees', { ...FEE, ...wrong });
    expect(answer.status).toBe(400);
    expect(issuesOf(answer).map((issue) => issue.path)).toContain(path);
  });
});

describe('rules', () => {
  test('added, listed in the order in which they are asked, replaced under the same id, removed', async () => {
    const added = await ask('POST', '/rules', { ...RULE, merchant_id: api.merchant.id });
    expect(added).toMatchObject({ status: 201, json: { data: { ...RULE, enabled: true, weight: 100 } } });
    const id = String(added.json.data['id']);
    await ask('POST', '/rules', { order: 0, channel: 'crypto' });
    const listed = (await ask('GET', '/rules')).json.data['items'] as Record<string, unknown>[];
    expect(listed.map(({ order, channel }) => [order, channel])).toEqual([
      [0, 'crypto'],
      [1, 'paypal'],
    ]);
    const replaced = await ask('PUT', `/rules/${id}`, { order: 5, channel: 'stripe', enabled: false });
    expect(replaced.json.data).toMatchObject({ id, order: 5, merchant_id: null, min_amount: null });
    expect((await ask('DELETE', `/rules/${id}`)).json.data).toMatchObject({ id, channel: 'stripe' });
    expect((await ask('DELETE', `/rules/${id}`)).status).toBe(404);
  });

  test.each([
    ['currency', { currency: undefined }],
    ['max_amount', { min_amount: 901 }],
    ['min_amount', { min_amount: 0 }],
    ['weight', { weight: 0 }],
    ['order', { order: -1 }],
    ['country', { country: 'EU' }],
    ['merchant_id', { merchant_id: randomUUID() }],
    ['channel', { channel: undefined }],
  ])('refuses %s of %j', async (path, wrong) => {
    const answer = await ask('POST', '/rules', { ...RULE, ...wrong });
    expect(answer.status).toBe(400);
    expect(issuesOf(answer).map((issue) => issue.path)).toEqual([path]);
  });

  test('one more than there may be', async () => {
    await api.db.query(`INSERT INTO routing_rules (id, rule_order, enabled, channel, weight, version)
      SELECT gen_random_uuid(), 1, true, 'stripe', 1, 1 FROM generate_series(1, 500)`);
    const answer = await ask('POST', '/rules', RULE);
    expect(answer).toMatchObject({ status: 422, json: { code: 'ROUTING_LIMIT', details: { limit: 500 } } });
  });
});

test('a merchant: as all, otherwise, and back', async () => {
  const path = `/merchants/${api.merchant.id}`;
  const asAll = { merchant_id: api.merchant.id, mode: null, smart: null, version: 0, updated_at: null };
  expect((await ask('GET', path)).json.data).toEqual(asAll);
  const set = await ask('PUT', path, { mode: 'cost' });
  expect(set.json.data).toMatchObject({ mode: 'cost', smart: null });
  expect((await ask('GET', path)).json.data).toEqual(set.json.data);
  expect((await ask('PUT', path, { smart: false, version: 0 })).json.code).toBe('ROUTING_CHANGED');
  expect((await ask('DELETE', path)).json.data).toEqual(asAll);
  expect((await ask('PUT', path, {})).status).toBe(400);
  expect((await ask('PUT', path, { mode: 'cheap' })).status).toBe(400);
  for (const [method, json] of [['GET'], ['PUT', { smart: true }], ['DELETE']] as const)
    expect((await ask(method, `/merchants/${randomUUID()}`, json)).status).toBe(404);
});

test('the audit tells who changed what, from what to what, by pages and by entity', async () => {
  const since = new Date().toISOString();
  const { id } = (await ask('POST', '/rules', RULE)).json.data;
  const options = { key: api.config.HOLDFAST_ADMIN_KEY, headers: { 'x-request-id': 'my-request' } };
  const path = `/api/v1/admin/routing/rules/${String(id)}`;
  await api.request('PUT', path, { ...options, json: { ...RULE, weight: 7 } });
  await ask('POST', '/fees', FEE);
  await api.request('DELETE', path, options);
  const history = (await ask('GET', `/audit?entity=rule&entity_id=${String(id)}&limit=2`)).json.data;
  expect(history['items']).toMatchObject([
    { action: 'delete', actor: 'root', before: { weight: 7 }, after: null },
    { action: 'replace', request_id: 'my-request', before: { weight: 100 }, after: { weight: 7, order: 1 } },
  ]);
  const rest = await ask(
    'GET',
    `/audit?entity=rule&entity_id=${String(id)}&cursor=${String(history['next_cursor'])}`,
  );
  expect(rest.json.data).toMatchObject({ items: [{ action: 'create', before: null }], next_cursor: null });
  expect((await ask('GET', `/audit?from=${since}&actor=root`)).json.data['items']).toHaveLength(4);
  expect((await ask('GET', `/audit?to=${since}&from=${since}`)).json.data['items']).toEqual([]);
  expect((await ask('GET', '/audit?actor=nobody')).json.data['items']).toEqual([]);
  const forged = Buffer.from(JSON.stringify([1, 'x'])).toString('base64url');
  for (const query of ['entity=account', 'from=yesterday', `cursor=${forged}`, 'limit=0'])
    expect((await ask('GET', `/audit?${query}`)).status).toBe(400);
});

test('news that cannot be spread do not undo a change, and hold up its answer for a second at most', async () => {
  onRoutingChanged = () => Promise.reject(new Error('Redis is away'));
  expect((await ask('POST', '/rules', RULE)).status).toBe(201);
  onRoutingChanged = () => new Promise(() => undefined);
  const startedMs = Date.now();
  expect((await ask('POST', '/rules', RULE)).status).toBe(201);
  expect(Date.now() - startedMs).toBeLessThan(3_000);
  expect((await loadRoutingConfig(api.db)).rules).toHaveLength(2);
});

test('a new channel account is news, too', async () => {
  const webhookUrlPolicy = { allowHttp: false, allowPrivateNetworks: false };
  const routes = adminRoutes({
    ...api,
    webhookUrlPolicy: webhookUrlPolicy as never,
    tellRouters: () => onRoutingChanged(),
  });
  const create = routes.find((route) => route.method === 'post' && route.path.endsWith('/channel-accounts'));
  const credentials = { client_id: 'client', client_secret: 'secret-1234', webhook_id: 'WH1' };
  const body = { channel: 'paypal', world: 'test', name: 'news', credentials, contract: {} };
  const idem = new IdempotentRequest({} as never, undefined);
  const answer = await create?.handler({ body, idem } as never);
  expect(answer?.status).toBe(201);
  expect(told).toBe(1);
});

test('merchants have no business here', async () => {
  for (const path of ['channels', 'fees', 'rules', 'audit', `merchants/${api.merchant.id}`]) {
    const address = `/api/v1/admin/routing/${path}`;
    expect((await api.request('GET', address, { key: api.merchantKey })).status).toBe(403);
    expect((await api.request('GET', address)).status).toBe(401);
  }
});
