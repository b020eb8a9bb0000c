/** Tiers and merchants' own limits, over HTTP on real Redis and PostgreSQL. */
import { DEFAULT_TIERS } from '../../../src/domain/limits/tiers';
import { eventually } from '../../e2e/eventually';
import type { Answer } from '../harness';
import { merchantPath, nobody, startAdminRig } from './admin-rig';
import type { AdminRig } from './admin-rig';

const TIERS = '/api/v1/admin/tiers';
const { starter, business } = DEFAULT_TIERS;
const BUSINESS = { per_second: 50, per_minute: 2_500, per_hour: 50_000, burst: 100, concurrency: 50 };
const NO_OVERRIDES = { per_second: null, per_minute: null, per_hour: null, burst: null, concurrency: null };

let rig: AdminRig;
let merchantId: string;

beforeAll(async () => {
  rig = await startAdminRig();
});
beforeEach(async () => {
  merchantId = await rig.newMerchant();
});
afterAll(() => rig.close());

const ask: AdminRig['ask'] = (...given) => rig.ask(...given);
const of = (rest: string, id = merchantId) => merchantPath(id, rest);
const issuesOf = ({ status, json }: Answer) => [
  ...[status, json.code, ...(json.details?.issues ?? []).map(({ path, message }) => `${path}: ${message}`)],
];

describe('the tiers', () => {
  it('are those of the beginning', async () => {
    const { items } = (await ask('GET', TIERS)).json.data as { items: Record<string, unknown>[] };
    expect(items.map(({ updated_at: _at, ...tier }) => tier)).toEqual([
      { name: 'starter', per_second: 10, per_minute: 500, per_hour: 10_000, burst: 20, concurrency: 10 },
      { name: 'business', ...BUSINESS },
      {
        name: 'enterprise',
        per_second: 200,
        per_minute: 10_000,
        per_hour: 200_000,
        burst: 400,
        concurrency: 200,
      },
      {
        name: 'premium',
        per_second: 500,
        per_minute: 25_000,
        per_hour: 500_000,
        burst: 1_000,
        concurrency: 500,
      },
    ]);
  });

  it('take other numbers, at once and everywhere, and note who said so', async () => {
    await ask('PATCH', of(''), { tier: 'business' });
    const before = await rig.elsewhere.limitsOf(merchantId);
    expect(before).toEqual({ tier: 'business', limits: business });
    const numbers = { ...BUSINESS, per_second: 60, concurrency: 70 };
    const put = await ask('PUT', `${TIERS}/business`, numbers);
    expect([put.status, put.json.data]).toEqual([
      200,
      { name: 'business', ...numbers, updated_at: expect.any(String) as string },
    ]);
    const changed = { ...business, perSecond: 60, concurrency: 70 };
    expect((await rig.tiers.limitsOf(merchantId)).limits).toEqual(changed);
    const isNew = ({ limits }: { limits: { perSecond: number } }) => limits.perSecond === 60;
    await eventually('the new numbers', () => rig.elsewhere.limitsOf(merchantId), isNew, 1_000);
    const [noted] = await rig.audited('business');
    expect(noted).toMatchObject({ action: 'tier.replace', entity: 'tier', before: BUSINESS, after: numbers });
    await ask('PUT', `${TIERS}/business`, BUSINESS);
  });

  it.each([
    ['a burst below the rate', { burst: 49 }, 'burst: burst would be 49, below per_second, which is 50'],
    [
      'a minute below the burst',
      { per_minute: 99 },
      'per_minute: per_minute would be 99, below burst, which is 100',
    ],
    [
      'an hour below the minute',
      { per_hour: 2_499 },
      'per_hour: per_hour would be 2499, below per_minute, which is 2500',
    ],
  ])('do not take %s', async (_name, wrong, issue) => {
    const answer = await ask('PUT', `${TIERS}/business`, { ...BUSINESS, ...wrong });
    expect(issuesOf(answer)).toEqual([400, 'INVALID_REQUEST', issue]);
  });

  it.each([
    ['zero', { per_second: 0 }],
    ['less than nothing', { burst: -1 }],
    ['a fraction', { per_minute: 2_500.5 }],
    ['text', { per_hour: '50000' }],
    ['null', { concurrency: null }],
    ['more leases than Redis should keep', { concurrency: 10_001 }],
    ['more than can be counted', { per_hour: 10_000_001 }],
    ['what is no limit', { per_day: 5 }],
  ])('do not take %s', async (_name, wrong) => {
    expect((await ask('PUT', `${TIERS}/business`, { ...BUSINESS, ...wrong })).status).toBe(400);
  });

  it("are four, whole, and the operators' alone", async () => {
    expect((await ask('PUT', `${TIERS}/gold`, BUSINESS)).status).toBe(400);
    expect((await ask('PUT', `${TIERS}/business`, { per_second: 60 })).status).toBe(400);
    expect((await rig.api.request('GET', TIERS, { key: rig.api.merchantKey })).status).toBe(403);
    expect((await rig.api.request('GET', TIERS)).status).toBe(401);
  });
});

describe("a merchant's tier", () => {
  it('changes at once and everywhere, and is noted', async () => {
    await rig.elsewhere.limitsOf(merchantId);
    const answer = await ask('PATCH', of(''), { tier: 'business' });
    expect([answer.status, answer.json.data]).toMatchObject([200, { id: merchantId, tier: 'business' }]);
    expect((await ask('GET', of(''))).json.data).toMatchObject({ tier: 'business' });
    expect(await rig.tiers.limitsOf(merchantId)).toEqual({ tier: 'business', limits: business });
    await eventually('the tier', () => rig.elsewhere.limitsOf(merchantId), ({ tier }) => tier === 'business', 1_000); // prettier-ignore
    expect(await rig.audited(merchantId)).toMatchObject([
      { action: 'merchant.tier', before: { tier: 'starter', ...NO_OVERRIDES }, after: { tier: 'business' } },
    ]);
  });

  it('is one there is, and does not contradict the overrides', async () => {
    expect((await ask('PATCH', of(''), { tier: 'gold' })).status).toBe(400);
    expect((await ask('PATCH', of(''), {})).status).toBe(400);
    expect((await ask('PATCH', of('', nobody()), { tier: 'business' })).status).toBe(404);
    await ask('PUT', of('/limits'), { overrides: { per_second: 15 } });
    expect((await ask('PATCH', of(''), { tier: 'business' })).status).toBe(200);
    await ask('PUT', of('/limits'), { overrides: { burst: 1_000 } });
    const answer = await ask('PATCH', of(''), { tier: 'starter' });
    expect(issuesOf(answer)).toEqual([
      400,
      'INVALID_REQUEST',
      'tier: per_minute would be 500, below burst, which is 1000',
    ]);
  });
});

describe("a merchant's own limits", () => {
  it('are those of its tier at first', async () => {
    expect((await ask('GET', of('/limits'))).json.data).toEqual({
      ...{ merchant_id: merchantId, tier: 'starter', overrides: NO_OVERRIDES },
      limits: { per_second: 10, per_minute: 500, per_hour: 10_000, burst: 20, concurrency: 10 },
      ...{ updated_by: null, updated_at: null },
    });
  });

  it('take the place of those of its tier, at once and everywhere; put back, they are gone', async () => {
    await rig.elsewhere.limitsOf(merchantId);
    const put = await ask('PUT', of('/limits'), {
      tier: 'business',
      overrides: { concurrency: 2_000, burst: null },
    });
    const mine = { ...NO_OVERRIDES, concurrency: 2_000 };
    expect(put.json.data).toMatchObject({ tier: 'business', overrides: mine, updated_by: 'root' });
    expect(put.json.data).toMatchObject({ limits: { ...BUSINESS, concurrency: 2_000 } });
    expect((await ask('GET', of('/limits'))).json.data).toEqual(put.json.data);
    const changed = { tier: 'business', limits: { ...business, concurrency: 2_000 } };
    expect(await rig.tiers.limitsOf(merchantId)).toEqual(changed);
    const isNew = ({ limits }: { limits: { concurrency: number } }) => limits.concurrency === 2_000;
    await eventually('its own', () => rig.elsewhere.limitsOf(merchantId), isNew, 1_000);
    // Whole: what is not named is not kept.
    const again = await ask('PUT', of('/limits'), { overrides: { per_hour: 60_000 } });
    expect(again.json.data).toMatchObject({
      tier: 'business',
      overrides: { ...NO_OVERRIDES, per_hour: 60_000 },
    });
    for (let n = 0; n < 2; n += 1)
      expect((await ask('DELETE', of('/limits'))).json.data).toMatchObject({
        overrides: NO_OVERRIDES,
        limits: BUSINESS,
      });
    expect(await rig.tiers.limitsOf(merchantId)).toEqual({ tier: 'business', limits: business });
    expect((await rig.audited(merchantId)).map(({ action }) => action)).toEqual(
      Array(4).fill('merchant.limits'),
    );
  });

  it.each([
    [
      'a rate beyond the bucket',
      { per_second: 21 },
      'overrides.burst: burst would be 20, below per_second, which is 21',
    ],
    [
      'a bucket beyond the minute',
      { burst: 501 },
      'overrides.per_minute: per_minute would be 500, below burst, which is 501',
    ],
  ])('do not contradict those of the tier: %s', async (_name, overrides, issue) => {
    expect(issuesOf(await ask('PUT', of('/limits'), { overrides }))).toEqual([400, 'INVALID_REQUEST', issue]);
    expect((await rig.tiers.limitsOf(merchantId)).limits).toEqual(starter);
  });

  it('are refused when they are none', async () => {
    for (const body of [
      {},
      { overrides: { per_second: 0 } },
      { overrides: { per_day: 1 } },
      { overrides: {}, tier: 'gold' },
    ])
      expect((await ask('PUT', of('/limits'), body)).status).toBe(400);
    for (const method of ['GET', 'DELETE'])
      expect((await ask(method, of('/limits', nobody()))).status).toBe(404);
    expect((await ask('PUT', of('/limits', nobody()), { overrides: {} })).status).toBe(404);
    expect((await ask('GET', of('/limits', 'me'))).status).toBe(400);
  });
});
