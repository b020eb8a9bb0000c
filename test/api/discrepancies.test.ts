/** Discrepancies as operators see them: pages, filters, and the word that settles one. */
import { randomUUID } from 'node:crypto';
import { reconciliationRoutes } from '../../src/api/routes/admin-reconciliation';
import { noteDifferences, resolveEqual } from '../../src/stores/discrepancies';
import { startApi } from './harness';
import type { ApiHarness } from './harness';

const PATH = '/api/v1/admin/discrepancies';
let api: ApiHarness;

beforeAll(async () => {
  api = await startApi(({ db }) => reconciliationRoutes({ db }));
});
afterAll(() => api?.close());
beforeEach(() => api.db.query('DELETE FROM discrepancies'));

const STATUS = { field: 'status', ours: 'success', theirs: 'canceled' } as const;
const PAID = { field: 'amount_paid', ours: '500', theirs: '0' } as const;
const payment = (no: string) => ({ merchantId: api.merchant.id, kind: 'payment' as const, no });
const ask = (method: string, path: string, json?: unknown) =>
  api.request(method, path, { key: api.config.HOLDFAST_ADMIN_KEY, ...(json === undefined ? {} : { json }) });

interface Page {
  readonly items: {
    readonly id: string;
    readonly object_no: string;
    readonly field: string;
    readonly state: string;
  }[];
  readonly next_cursor: string | null;
}

async function list(query = ''): Promise<Page> {
  const answer = await ask('GET', `${PATH}?${query}`);
  expect(answer.status).toBe(200);
  return answer.json.data as unknown as Page;
}

it('lists the newest first, page by page, by state and channel', async () => {
  for (const [no, channel] of [
    ['P1', 'stripe'],
    ['P2', 'paypal'],
    ['P3', 'stripe'],
  ] as const)
    expect(await noteDifferences(api.db, payment(no), channel, [STATUS])).toBe(1);
  await resolveEqual(api.db, [payment('P1')]);
  const first = await list('limit=2');
  expect(first.items.map((item) => item.object_no)).toEqual(['P3', 'P2']);
  const rest = await list(`limit=2&cursor=${first.next_cursor}`);
  expect(rest).toMatchObject({ items: [{ object_no: 'P1', state: 'resolved' }], next_cursor: null });
  expect((await list('state=open&channel=stripe')).items.map((item) => item.object_no)).toEqual(['P3']);
});

it('keeps one row per object and field, and closes those that are not found any more', async () => {
  expect(await noteDifferences(api.db, payment('P1'), 'stripe', [STATUS, PAID])).toBe(2);
  expect(await noteDifferences(api.db, payment('P1'), 'stripe', [STATUS])).toBe(0);
  const { items } = await list();
  expect(new Map(items.map(({ field, state }) => [field, state]))).toEqual(
    new Map([
      ['status', 'open'],
      ['amount_paid', 'resolved'],
    ]),
  );
  expect(await noteDifferences(api.db, payment('P1'), 'stripe', [STATUS, PAID])).toBe(1);
  expect(await resolveEqual(api.db, [payment('P1'), payment('P2')])).toBe(2);
});

it('notes the same from two runs at once', async () => {
  const found = await Promise.all(
    Array.from({ length: 8 }, () => noteDifferences(api.db, payment('P1'), 'stripe', [STATUS, PAID])),
  );
  expect(found.reduce((sum, count) => sum + count, 0)).toBe(2);
  expect((await list()).items).toHaveLength(2);
});

it('is settled by a word, once', async () => {
  await noteDifferences(api.db, payment('P1'), 'stripe', [STATUS]);
  const id = (await list()).items[0]?.id ?? '';
  const word = { by: 'ann', reason: 'refunded by hand' };
  const first = await ask('POST', `${PATH}/${id}/resolve`, word);
  expect(first.json.data).toMatchObject({ state: 'resolved', resolved_by: 'ann' });
  const again = await ask('POST', `${PATH}/${id}/resolve`, { by: 'bob', reason: 'me too' });
  expect(again).toMatchObject({ status: 200, json: { data: first.json.data } });
  const notes = await api.db.query(`SELECT data FROM payment_events WHERE object_no = 'P1'`);
  expect(notes.rows).toEqual([{ data: { ...word, ...STATUS } }]);
});

it('refuses what it cannot take', async () => {
  const resolve = `${PATH}/${randomUUID()}/resolve`;
  const word = { by: 'ann', reason: 'x' };
  expect((await ask('POST', resolve, word)).status).toBe(404);
  expect((await ask('POST', `${PATH}/1/resolve`, word)).status).toBe(400);
  for (const body of [
    {},
    { by: 'ann' },
    { ...word, by: ' ' },
    { ...word, more: 1 },
    { ...word, reason: 'x'.repeat(501) },
  ])
    expect((await ask('POST', resolve, body)).status).toBe(400);
  for (const query of ['state=closed', 'channel=visa', 'cursor=x', 'limit=0', 'merchant=1'])
    expect((await ask('GET', `${PATH}?${query}`)).status).toBe(400);
  expect((await api.request('GET', PATH, { key: api.merchantKey })).status).toBe(403);
});
