/** Fees paid against the default channel: what was estimated at the decision, what has to be priced anew, what is kept apart. */
import { randomUUID } from 'node:crypto';
import { feesReportRoute } from '../../src/api/routes/admin-fees-report';
import { createAccount } from '../../src/stores/channel-accounts';
import { createMerchant } from '../../src/stores/merchants';
import { startApi } from './harness';
import type { Answer, ApiHarness } from './harness';

let api: ApiHarness;
let testMerchantId: string;
const accountIds: Record<string, string> = {};

beforeAll(async () => {
  api = await startApi(({ db }) => [feesReportRoute({ db })]);
  testMerchantId = (await createMerchant(api.db, api.box, 'Trial')).test.id;
  for (const channel of ['stripe', 'paypal', 'alipay'] as const) {
    const named = { channel, world: 'live', merchantId: null, name: channel } as const;
    const account = await createAccount(api.db, api.box, { ...named, credentials: {}, contract: {} });
    accountIds[channel] = account?.id ?? '';
  }
});
afterAll(() => api?.close());

interface Paid {
  readonly at: string;
  readonly channel?: string;
  readonly amount?: number;
  readonly paid?: number;
  readonly currency?: string;
  readonly merchantId?: string;
  /** undefined: there is none; else fees by channel. */
  readonly decision?: { readonly level: string; readonly fees: Record<string, number> };
}

const INSERT_PAYMENT = `
INSERT INTO payments (merchant_id, payment_no, order_no, world, channel, channel_account_id, currency, amount, amount_paid, status,
  body_hash, expires_at, closed_at)
SELECT $1, $2, $2, m.world, $3, $4, $5, $6, $7, 'success', '', now(), now() FROM merchants m WHERE m.id = $1`;
const INSERT_HOLD = `
INSERT INTO pre_auths (merchant_id, pre_auth_no, order_no, world, channel, channel_account_id, currency, amount, amount_captured,
  status, body_hash, expires_at, closed_at)
SELECT $1, $2, $2, m.world, $3, $4, $5, $6, $7, 'succeeded', '', now(), now() FROM merchants m WHERE m.id = $1`;
const INSERT_DECISION = `
INSERT INTO routing_decisions (merchant_id, kind, number, decision) VALUES ($1, $2, $3, $4)`;
const INSERT_EVENT = `
INSERT INTO payment_events (merchant_id, object_kind, object_no, sequence, type, status, data, created_at)
VALUES ($1, $2, $3, $4, $5, '', $6, $7)`;

async function insert(kind: 'payment' | 'pre_auth', given: Paid): Promise<string> {
  const { channel = 'stripe', amount = 10_000, paid = amount, currency = 'USD', decision } = given;
  const { merchantId = api.merchant.id } = given;
  const no = randomUUID();
  const values = [merchantId, no, channel, accountIds[channel], currency, amount, paid];
  await api.db.query(kind === 'payment' ? INSERT_PAYMENT : INSERT_HOLD, values);
  if (decision !== undefined) {
    const candidates = Object.entries(decision.fees).map(([name, feeMinor]) => ({ channel: name, feeMinor }));
    await api.db.query(INSERT_DECISION, [
      merchantId,
      kind,
      no,
      { channel, level: decision.level, candidates },
    ]);
  }
  return no;
}

async function payment(given: Paid): Promise<void> {
  const no = await insert('payment', given);
  const { merchantId = api.merchant.id, amount = 10_000, paid = amount } = given;
  const event = [merchantId, 'payment', no, 1, 'payment.success', { amount_paid: paid }, given.at];
  await api.db.query(INSERT_EVENT, event);
}

async function hold(given: Paid, captures: readonly number[]): Promise<void> {
  const no = await insert('pre_auth', given);
  const { merchantId = api.merchant.id } = given;
  for (const [index, amount] of captures.entries()) {
    const event = [
      merchantId,
      'pre_auth',
      no,
      index + 1,
      'pre_auth.captured',
      { amount_this_capture: amount },
    ];
    await api.db.query(INSERT_EVENT, [...event, given.at]);
  }
}

const ask = (query: string): Promise<Answer> =>
  api.request('GET', `/api/v1/admin/reports/fees?${query}`, { key: api.config.HOLDFAST_ADMIN_KEY });
async function itemsOf(query: string): Promise<Record<string, unknown>[]> {
  const answer = await ask(query);
  expect(answer.status).toBe(200);
  return answer.json.data['items'] as Record<string, unknown>[];
}
const smart = (fees: Record<string, number>) => ({ level: 'smart', fees });

test('what was estimated at the decision counts, in the channel that took the order in the end', async () => {
  const at = '2026-01-15T10:00:00Z';
  await payment({ at, channel: 'alipay', decision: smart({ alipay: 60, stripe: 320, paypal: 398 }) });
  await payment({ at, channel: 'alipay', decision: smart({ alipay: 61, stripe: 321 }) });
  // Failed over: the decision's own channel was another.
  await payment({ at, channel: 'paypal', decision: smart({ alipay: 60, stripe: 320, paypal: 398 }) });
  await payment({ at, decision: smart({ stripe: 333 }) });
  expect(await itemsOf('from=2026-01&to=2026-01')).toEqual([
    {
      ...{ month: '2026-01', merchant_id: api.merchant.id, merchant_name: 'Harness', world: 'live' },
      ...{ currency: 'USD', payments: 4, explicit: 0, amount: 40_000 },
      ...{ fees: 60 + 61 + 398 + 333, default_fees: 320 + 321 + 320 + 333 },
      saved: 320 + 321 + 320 + 333 - (60 + 61 + 398 + 333),
    },
  ]);
});

test('an order whose channel was named has saved nothing, whatever the default would have cost', async () => {
  const decision = { level: 'explicit', fees: { alipay: 60 } };
  await payment({ at: '2026-02-15T10:00:00Z', channel: 'alipay', decision });
  expect(await itemsOf('from=2026-02&to=2026-02')).toMatchObject([
    { payments: 1, explicit: 1, fees: 60, default_fees: 60, saved: 0 },
  ]);
});

test('an order without an estimate, or of another amount than was decided on, has the present price', async () => {
  const at = '2026-03-15T10:00:00Z';
  await payment({ at, channel: 'alipay' });
  await payment({ at, channel: 'alipay', paid: 5_000, decision: smart({ alipay: 60, stripe: 320 }) });
  await hold({ at, amount: 900, decision: smart({ stripe: 56 }) }, [400, 500]);
  await hold({ at, channel: 'alipay', amount: 900, decision: smart({ alipay: 5, stripe: 56 }) }, [900]);
  const query = 'from=2026-03&to=2026-03';
  expect(await itemsOf(query)).toMatchObject([
    {
      ...{ payments: 5, amount: 10_000 + 5_000 + 900 + 900 },
      fees: 60 + 30 + (12 + 30) + (15 + 30) + 5,
      default_fees: 320 + (145 + 30) + (12 + 30) + (15 + 30) + 56,
    },
  ]);
  await api.db.query(`INSERT INTO channel_fees (id, channel, basis_points, fixed_minor, version)
    VALUES (gen_random_uuid(), 'stripe', 100, 0, 1)`);
  expect(await itemsOf(query)).toMatchObject([{ default_fees: 100 + 50 + 4 + 5 + 56 }]);
  await api.db.query('DELETE FROM channel_fees');
});

test('worlds, currencies, merchants and months are kept apart, to the microsecond', async () => {
  const decision = smart({ stripe: 7 });
  await payment({ at: '2026-04-30T23:59:59.999999Z', decision });
  await payment({ at: '2026-05-01T00:00:00Z', currency: 'EUR', decision });
  await payment({ at: '2026-05-01T00:00:00Z', merchantId: testMerchantId, decision });
  await payment({ at: '2026-05-31T23:59:59.999999Z', decision });
  await payment({ at: '2026-06-01T00:00:00Z', decision });
  const items = await itemsOf('from=2026-04&to=2026-05');
  const placed = items.map(({ month, world, currency, payments }) =>
    [month, world, currency, payments].join(' '),
  );
  expect(placed.sort()).toEqual([
    '2026-04 live USD 1',
    '2026-05 live EUR 1',
    '2026-05 live USD 1',
    '2026-05 test USD 1',
  ]);
  const { totals } = (await ask('from=2026-04&to=2026-05')).json.data;
  expect(totals).toMatchObject([
    { world: 'live', currency: 'EUR', payments: 1, fees: 7 },
    { world: 'live', currency: 'USD', payments: 2, fees: 14 },
    { world: 'test', currency: 'USD', payments: 1, fees: 7 },
  ]);
  const own = await itemsOf(`from=2026-04&to=2026-05&merchant_id=${testMerchantId}`);
  expect(own).toMatchObject([{ merchant_name: 'Trial', world: 'test', payments: 1 }]);
});

test('sums beyond 2^53 are said to be so', async () => {
  const amount = Number.MAX_SAFE_INTEGER;
  for (let i = 0; i < 2; i += 1)
    await payment({ at: '2027-01-01T00:00:00Z', amount, decision: smart({ stripe: 1 }) });
  expect(await ask('from=2027-01&to=2027-01')).toMatchObject({ status: 400 });
});

test('nothing paid is an empty list', async () => {
  expect((await ask(`from=2020-01&to=2020-03`)).json.data).toEqual({
    ...{ from: '2020-01', to: '2020-03', default_channel: 'stripe', items: [], totals: [] },
  });
  expect(await itemsOf(`from=2024-01&to=2025-12&merchant_id=${randomUUID()}`)).toEqual([]);
});

test.each([
  ['', 'from'],
  ['from=2026-01', 'to'],
  ['from=2026-13&to=2026-13', 'from'],
  ['from=2026-1&to=2026-02', 'from'],
  ['from=2026-02&to=2026-01', 'to'],
  ['from=2024-01&to=2026-01', 'to'],
  ['from=2026-01&to=2026-04', 'merchant_id'],
  ['from=2026-01&to=2026-01&merchant_id=1', 'merchant_id'],
  ['from=2026-01&to=2026-01&world=live', 'world'],
])('refuses %j for %s', async (query, path) => {
  const answer = await ask(query);
  expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_REQUEST' } });
  expect(answer.json.details?.issues?.map((issue) => issue.path)).toContain(path);
});

test('merchants have no business here', async () => {
  const path = '/api/v1/admin/reports/fees?from=2026-01&to=2026-01';
  expect((await api.request('GET', path, { key: api.merchantKey })).status).toBe(403);
  expect((await api.request('GET', path)).status).toBe(401);
});
