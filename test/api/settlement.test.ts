/** The settlement report over rows of its own: days, merchants, CSV, and what is refused. */
import { randomUUID } from 'node:crypto';
import { openApiDocument } from '../../src/api/openapi';
import { settlementRoutes } from '../../src/api/routes/settlement';
import { createAccount } from '../../src/stores/channel-accounts';
import { createMerchant } from '../../src/stores/merchants';
import { startApi } from './harness';
import type { ApiHarness } from './harness';

const NOW = Date.UTC(2026, 0, 31, 12);
let api: ApiHarness;
let accountId: string;

beforeAll(async () => {
  api = await startApi(({ db }) => settlementRoutes({ db, now: () => NOW }));
  const account = await createAccount(api.db, api.box, {
    ...{ channel: 'stripe', world: 'live', merchantId: null, name: '=HYPERLINK("x"),"y"' },
    ...{ credentials: {}, contract: {} },
  });
  accountId = account?.id ?? '';
  await payment('2026-01-30T23:59:59.999999Z', 10_000);
  await payment('2026-01-31T00:00:00Z', 20_000);
  await payment('2026-01-31T23:59:59.999999Z', 300);
  await payment('2026-02-01T00:00:00Z', 7);
});
afterAll(() => api?.close());

const INSERT_PAYMENT = `
INSERT INTO payments (merchant_id, payment_no, order_no, world, channel, channel_account_id, currency, amount, amount_paid, status,
  body_hash, expires_at, closed_at)
VALUES ($1, $2, $2, 'live', 'stripe', $3, 'USD', $4, $4, 'success', '', now(), $5)`;
const INSERT_EVENT = `
INSERT INTO payment_events (merchant_id, object_kind, object_no, sequence, type, status, data, created_at)
VALUES ($1, $2, $3, $4, $5, '', $6, $7)`;

async function payment(at: string, amount: number, merchantId = api.merchant.id): Promise<string> {
  const no = randomUUID();
  await api.db.query(INSERT_PAYMENT, [merchantId, no, accountId, amount, at]);
  const event = [merchantId, 'payment', no, 1, 'payment.success', { amount_paid: amount }, at];
  await api.db.query(INSERT_EVENT, event);
  return no;
}

async function refund(
  no: string,
  amount: number,
  events: readonly [type: string, at: string][],
): Promise<void> {
  const refundNo = randomUUID();
  const status = events.at(-1)?.[0] ?? '';
  await api.db.query(
    `INSERT INTO refunds (merchant_id, refund_no, object_kind, object_no, order_no, world, channel, channel_account_id, currency,
       amount, status, body_hash, closed_at)
     VALUES ($1, $2, 'payment', $3, $3, 'live', 'stripe', $4, 'USD', $5, $6, '', now())`,
    [api.merchant.id, refundNo, no, accountId, amount, status],
  );
  for (const [index, [type, at]] of events.entries()) {
    const event = [api.merchant.id, 'refund', refundNo, index + 1, `refund.${type}`, {}, at];
    await api.db.query(INSERT_EVENT, event);
  }
}

interface Item {
  readonly captures: object;
  readonly refunds: object;
  readonly fees: number;
  readonly net: number;
}

async function itemsOf(query: string, key = api.merchantKey, path = '/api/v1/settlement'): Promise<Item[]> {
  const answer = await api.request('GET', `${path}?${query}`, { key });
  expect(answer.status).toBe(200);
  return answer.json.data['items'] as Item[];
}
const adminItemsOf = (query: string) =>
  itemsOf(query, api.config.HOLDFAST_ADMIN_KEY, '/api/v1/admin/settlement');

it('counts an amount for the UTC day of its event, to the microsecond', async () => {
  expect(await itemsOf('date=2026-01-30')).toMatchObject([
    { captures: { count: 1, amount: 10_000 }, fees: 320 },
  ]);
  expect(await itemsOf('date=2026-01-31')).toMatchObject([
    { captures: { count: 2, amount: 20_300 }, fees: 610 + 39, net: 20_300 - 649 },
  ]);
  expect(await itemsOf('date=2026-02-01')).toMatchObject([
    { captures: { count: 1, amount: 7 }, net: 7 - 30 },
  ]);
  expect(await itemsOf('date=2026-01-29')).toEqual([]);
});

it('says whether the day is over', async () => {
  const isComplete = async (date: string) =>
    (await api.request('GET', `/api/v1/settlement?date=${date}`, { key: api.merchantKey })).json.data[
      'is_complete'
    ];
  expect(await isComplete('2026-01-30')).toBe(true);
  expect(await isComplete('2026-01-31')).toBe(false);
});

it('takes a refund off on the day it came back, and leaves the day it was made as it was reported', async () => {
  const no = await payment('2026-01-10T10:00:00Z', 5_000);
  await refund(no, 700, [
    ['success', '2026-01-11T10:00:00Z'],
    ['failed', '2026-01-13T10:00:00Z'],
  ]);
  await refund(no, 50, [['failed', '2026-01-13T11:00:00Z']]);
  expect(await itemsOf('date=2026-01-11')).toMatchObject([{ refunds: { count: 1, amount: 700 }, net: -700 }]);
  expect(await itemsOf('date=2026-01-13')).toMatchObject([
    { refunds: { count: -1, amount: -700 }, net: 700 },
  ]);
});

it('takes off what was given back by hand at a channel that its payment had left', async () => {
  const no = await payment('2026-01-05T10:00:00Z', 900);
  await api.db.query(
    `INSERT INTO left_objects (channel_account_id, channel_no, merchant_id, object_kind, object_no) VALUES ($1, 'left', $2, 'payment', $3)`,
    [accountId, api.merchant.id, no],
  );
  await api.db.query(
    `INSERT INTO left_refunds (channel_account_id, channel_refund_no, channel_no, currency, amount, status, updated_at)
     VALUES ($1, 'by-hand', 'left', 'USD', 250, 'success', '2026-01-06T10:00:00Z')`,
    [accountId],
  );
  expect(await itemsOf('date=2026-01-06')).toMatchObject([{ refunds: { count: 1, amount: 250 }, net: -250 }]);
});

it('uses the fees of the account, where it has its own', async () => {
  const fees = { basis_points: 100, fixed_minor_by_currency: { USD: 5 } };
  await api.db.query('UPDATE channel_accounts SET fees = $2 WHERE id = $1', [accountId, fees]);
  expect(await itemsOf('date=2026-01-30')).toMatchObject([{ fees: 105, net: 9_895 }]);
  await api.db.query('UPDATE channel_accounts SET fees = NULL WHERE id = $1', [accountId]);
});

it('goes by the prices that routing is configured with, also of an account that is switched off now', async () => {
  const fees = { basis_points: 100, fixed_minor_by_currency: { USD: 5 } };
  await api.db.query('UPDATE channel_accounts SET fees = $2, enabled = false WHERE id = $1', [
    accountId,
    fees,
  ]);
  expect(await itemsOf('date=2026-01-30')).toMatchObject([{ fees: 105 }]);
  await api.db.query('UPDATE channel_accounts SET fees = NULL, enabled = true WHERE id = $1', [accountId]);
  const price = `INSERT INTO channel_fees (id, channel, country, basis_points, fixed_minor, version)
    SELECT gen_random_uuid(), 'stripe', country, basis_points, 0, 1
    FROM (VALUES (NULL, 200), ('EEA', 300)) AS price (country, basis_points)`;
  await api.db.query(price);
  expect(await itemsOf('date=2026-01-30')).toMatchObject([{ fees: 200 }]);
  await api.db.query(`UPDATE payments SET country = 'DE' WHERE amount = 10000`);
  expect(await itemsOf('date=2026-01-30')).toMatchObject([{ fees: 300 }]);
  await api.db.query('DELETE FROM channel_fees');
});

it('tells a merchant of itself only, the operator of all or of one', async () => {
  const { live: other } = await createMerchant(api.db, api.box, 'Other, "Ltd"');
  await payment('2026-01-20T10:00:00Z', 1_000, other.id);
  await payment('2026-01-20T10:00:00Z', 2_000);
  expect(await itemsOf('date=2026-01-20')).toMatchObject([{ captures: { amount: 2_000 } }]);
  expect(JSON.stringify(await itemsOf('date=2026-01-20'))).not.toContain('HYPERLINK');
  expect(await adminItemsOf('date=2026-01-20')).toHaveLength(2);
  expect(await adminItemsOf(`date=2026-01-20&merchant_id=${other.id}`)).toMatchObject([
    { merchant_name: 'Other, "Ltd"', captures: { amount: 1_000 } },
  ]);
  const options = { key: api.merchantKey };
  expect((await api.request('GET', '/api/v1/admin/settlement?date=2026-01-20', options)).status).toBe(403);
  expect((await api.request('GET', '/api/v1/settlement?date=2026-01-20')).status).toBe(401);
});

it('writes CSV that a spreadsheet reads and does not execute', async () => {
  const query = `date=2026-01-30&format=csv&merchant_id=${api.merchant.id}`;
  const answer = await api.request('GET', `/api/v1/admin/settlement?${query}`, {
    key: api.config.HOLDFAST_ADMIN_KEY,
  });
  expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="settlement-2026-01-30.csv"');
  expect(answer.text).toBe(
    'date,merchant_id,channel,channel_account_id,currency,captures_count,captures_amount,late_count,late_amount,' +
      'refunds_count,refunds_amount,disputes_lost_count,disputes_lost_amount,fees,net,merchant_name,account_name\r\n' +
      `2026-01-30,${api.merchant.id},stripe,${accountId},USD,1,10000,0,0,0,0,0,0,320,9680,Harness,` +
      `"'=HYPERLINK(""x""),""y"""\r\n`,
  );
});

it.each([
  ['/api/v1/settlement', () => api.merchantKey],
  ['/api/v1/admin/settlement', () => api.config.HOLDFAST_ADMIN_KEY],
])('has the columns of the CSV that the document shows for %s', async (path, key) => {
  const { paths = {} } = openApiDocument(settlementRoutes({ db: api.db }), '1');
  const [shown] = Object.values(paths[path]?.get?.responses ?? {}) as {
    content: Record<string, { schema: { type: string }; example: string }>;
  }[];
  const { schema, example = '' } = shown?.content['text/csv'] ?? {};
  expect(schema).toEqual({ type: 'string' });
  const { text } = await api.request('GET', `${path}?date=2026-01-30&format=csv`, { key: key() });
  expect(text.split('\r\n')[0]).toBe(example.split('\r\n')[0]);
  expect(
    new Set(
      example
        .trimEnd()
        .split('\r\n')
        .map((line) => line.split(',').length),
    ).size,
  ).toBe(1);
});

it('keeps a negative sum a number', async () => {
  const answer = await api.request('GET', '/api/v1/settlement?date=2026-01-11&format=csv', {
    key: api.merchantKey,
  });
  expect(answer.text).toContain(',700,0,0,0,-700\r\n');
});

it.each(['', 'date=2026-02-30', 'date=0000-01-01', 'date=9999-12-31', 'date=2026-01-31T00:00:00Z', 'date=x'])(
  'refuses %s',
  async (query) => {
    const answer = await api.request('GET', `/api/v1/settlement?${query}`, { key: api.merchantKey });
    expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } });
  },
);

it.each(['format=xml', 'merchant_id=1', `merchant_id=${randomUUID()}`])(
  'refuses %s of a merchant',
  async (more) => {
    const options = { key: api.merchantKey };
    expect((await api.request('GET', `/api/v1/settlement?date=2026-01-31&${more}`, options)).status).toBe(
      400,
    );
  },
);
