/** Accounts at the four channels: what each needs, and where a merchant's own server may be. */
import { startApi } from './harness';
import type { ApiHarness } from './harness';

let api: ApiHarness;

beforeAll(async () => {
  api = await startApi(() => []);
});
afterAll(() => api?.close());

const KEY = 'k'.repeat(200);
const CREDENTIALS = {
  stripe: { secret_key: 'sk_test_1234', webhook_secret: 'whsec_1234' },
  paypal: { client_id: 'client', client_secret: 'secret-1234', webhook_id: 'WH1' },
  alipay: { app_id: '2021', app_private_key: KEY, alipay_public_key: KEY },
  crypto: {
    base_url: 'https://btcpay.example/',
    store_id: 'S',
    api_key: 'key-12345',
    webhook_secret: 'whsec-12',
  },
} as const;

const create = (channel: string, credentials: object, more: object = {}) =>
  api.request('POST', '/api/v1/admin/channel-accounts', {
    key: api.config.HOLDFAST_ADMIN_KEY,
    json: { channel, world: 'test', name: channel, credentials, ...more },
  });

test.each(Object.entries(CREDENTIALS))(
  '%s: set up with its credentials, which are never shown',
  async (channel, given) => {
    const { status, json, text } = await create(channel, given);
    expect(status).toBe(201);
    expect(json.data).toMatchObject({ channel, contract: {} });
    for (const secret of Object.values<string>(given).filter((value) => value.length > 7))
      expect(text).not.toContain(secret);
  },
);

test('the contract is kept', async () => {
  const contract = { preAuth: true, currencies: ['USD', 'EUR'] };
  const { json } = await create('alipay', CREDENTIALS.alipay, { contract, world: 'live' });
  expect(json.data).toMatchObject({ contract });
});

test.each([
  ['another channel’s credentials', 'paypal', CREDENTIALS.stripe],
  ['one too many', 'crypto', { ...CREDENTIALS.crypto, password: 'x' }],
  ['one too few', 'alipay', { app_id: '2021' }],
])('%s are refused', async (_what, channel, credentials) => {
  expect(await create(channel, credentials)).toMatchObject({
    status: 400,
    json: { code: 'INVALID_REQUEST' },
  });
});

test.each([
  'http://172.16.0.1:23001',
  'http://192.168.0.1/',
  'http://169.254.169.254/latest/meta-data',
  'http://10.0.0.5',
  'http://[fd00::1]/',
  'http://[::ffff:192.168.0.1]/',
  'http://167772165/',
  'https://user:secret@btcpay.example/',
  'ftp://btcpay.example/',
  'file:///etc/passwd',
  'btcpay.example',
])('a BTCPay Server at %s is refused', async (baseUrl) => {
  const answer = await create('crypto', { ...CREDENTIALS.crypto, base_url: baseUrl }, { world: 'live' });
  expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } });
  expect(answer.text).toContain('credentials.base_url');
});
