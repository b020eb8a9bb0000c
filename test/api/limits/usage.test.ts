/** What a merchant has used, beginning anew, and all of it without Redis; on real Redis and PostgreSQL. */
import { once } from 'node:events';
import { DEFAULT_TIERS } from '../../../src/domain/limits/tiers';
import { merchantPath, nobody, startAdminRig } from './admin-rig';
import type { AdminRig } from './admin-rig';

const { starter } = DEFAULT_TIERS;

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

describe('usage', () => {
  it('is what the limiter has counted, with the day; reading it counts nothing', async () => {
    const date = new Date().toISOString().slice(0, 10);
    for (const lease of ['a', 'b', 'c']) await rig.limiter.acquire(merchantId, starter, lease);
    await rig.limiter.release(merchantId, 'a');
    await rig.stats.add([{ merchantId, date, counts: { allowed: 3, second: 2, concurrent: 1 } }]);
    const read = async () => (await ask('GET', of('/usage'))).json.data;
    const used = await read();
    expect(used).toMatchObject({ merchant_id: merchantId, tier: 'starter' });
    expect(used).toMatchObject({ minute: { used: 3, limit: 500 }, hour: { used: 3, limit: 10_000 } });
    expect(used).toMatchObject({ concurrent: { used: 2, limit: 10 }, second: { limit: 20 } });
    expect(used['today']).toEqual({
      date,
      allowed: 3,
      refused: { second: 2, minute: 0, hour: 0, concurrent: 1 },
    });
    expect(await read()).toMatchObject({ minute: { used: 3 }, concurrent: { used: 2 } });
    expect((await ask('GET', of('/usage', nobody()))).status).toBe(404);
  });

  it('begins anew by unblocking, but for requests at work; that is noted', async () => {
    const one = { ...starter, perMinute: 20 };
    for (let n = 0; n < 5; n += 1)
      await rig.limiter.acquire(merchantId, { ...one, perMinute: 5, burst: 5 }, `lease ${n}`);
    const blocked = await rig.limiter.acquire(merchantId, { ...one, perMinute: 5, burst: 5 }, 'blocked');
    expect(blocked).toMatchObject({ allowed: false });
    const { status, json } = await ask('POST', of('/unblock'));
    expect(status).toBe(200);
    expect(json.data).toMatchObject({
      second: { used: 0 },
      minute: { used: 0 },
      hour: { used: 0 },
      concurrent: { used: 5 },
    });
    expect(await rig.limiter.acquire(merchantId, { ...one, perMinute: 5, burst: 5 }, 'free')).toMatchObject({
      allowed: true,
    });
    expect((await rig.audited(merchantId)).map(({ action }) => action)).toEqual(['merchant.unblock']);
    expect((await ask('POST', of('/unblock', nobody()))).status).toBe(404);
  });
});

test('while Redis is away limits can be read and changed, usage cannot', async () => {
  rig.redis.disconnect();
  const startedAtMs = performance.now();
  const put = await ask('PUT', of('/limits'), { tier: 'business', overrides: {} });
  expect(put.json.data).toMatchObject({ tier: 'business' });
  expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  expect((await ask('GET', of('/limits'))).status).toBe(200);
  expect((await rig.tiers.limitsOf(merchantId)).tier).toBe('business');
  for (const [method, path] of [
    ['GET', '/usage'],
    ['POST', '/unblock'],
  ] as const) {
    const answer = await ask(method, of(path));
    expect([answer.status, answer.json.code]).toEqual([503, 'TEMPORARILY_UNAVAILABLE']);
  }
  // What was not done is not noted.
  expect((await rig.audited(merchantId)).map(({ action }) => action)).toEqual(['merchant.limits']);
  await Promise.all([once(rig.redis, 'ready'), rig.redis.connect()]);
});
