import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { defineRoute } from '../../src/api/route';
import { findAccountFor, loadAccount } from '../../src/stores/channel-accounts';
import { loadWebhookSecret } from '../../src/stores/merchants';
import { startApi } from './harness';
import type { Answer, ApiHarness } from './harness';

const whoAmI = defineRoute({
  method: 'get',
  path: '/t/me',
  summary: 'Who calls',
  tag: 'Test',
  auth: 'merchant',
  request: { query: z.strictObject({}) },
  responses: {},
  errors: [],
  handler: ({ caller }) => Promise.resolve({ status: 200, data: caller }),
});

interface Created {
  readonly account_id: string;
  readonly merchants: Record<'live' | 'test', { id: string; world: string }>;
  readonly webhook_secrets: Record<'live' | 'test', string>;
}

describe('the admin API', () => {
  let api: ApiHarness;
  const admin = (method: string, path: string, json?: unknown): Promise<Answer> =>
    api.request(method, `/api/v1/admin${path}`, {
      key: api.config.HOLDFAST_ADMIN_KEY,
      ...(json === undefined ? {} : { json }),
    });
  const newMerchant = async (name = 'Hotel'): Promise<Created> =>
    (await admin('POST', '/merchants', { name })).json.data as unknown as Created;
  const me = (key: string): Promise<Answer> => api.request('GET', '/t/me', { key });

  beforeAll(async () => {
    api = await startApi(() => [whoAmI]);
  });
  afterAll(() => api.close());

  it('makes a merchant in both worlds, with secrets that are shown once', async () => {
    const created = await newMerchant('Hotel Blau');
    const { live, test } = created.merchants;
    expect([live.world, test.world]).toEqual(['live', 'test']);
    expect(created.webhook_secrets.live).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(created.webhook_secrets.live).not.toBe(created.webhook_secrets.test);
    const read = await admin('GET', `/merchants/${live.id}`);
    expect(read.json.data).toEqual({ ...live, account_id: created.account_id, name: 'Hotel Blau' });
    expect(read.text).not.toContain('whsec_');
    expect(await loadWebhookSecret(api.db, api.box, live.id)).toBe(created.webhook_secrets.live);
    expect((await admin('GET', `/merchants/${randomUUID()}`)).status).toBe(404);
  });

  it('lists merchants page by page, each once', async () => {
    for (const name of ['A', 'B', 'C']) await newMerchant(name);
    const total = (await api.db.query<{ n: number }>('SELECT count(*)::int AS n FROM merchants')).rows[0]?.n;
    const seen: string[] = [];
    let cursor: unknown = undefined;
    do {
      const query = typeof cursor === 'string' ? `&cursor=${cursor}` : '';
      const page = await admin('GET', `/merchants?limit=3${query}`);
      expect(page.status).toBe(200);
      seen.push(...(page.json.data.items as { id: string }[]).map((item) => item.id));
      cursor = page.json.data.next_cursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(total ?? 0);
    expect(new Set(seen).size).toBe(total);
  });

  it.each([
    ['rubbish', 'cursor=%21%21'],
    ['a place in time that is none', `cursor=${Buffer.from('[1e300,"x"]').toString('base64url')}`],
    ['no uuid', `cursor=${Buffer.from('[1,"x"]').toString('base64url')}`],
    ['a limit of 0', 'limit=0'],
    ['a limit beyond the maximum', 'limit=101'],
  ])('refuses a page with %s', async (_name, query) => {
    const answer = await admin('GET', `/merchants?${query}`);
    expect([answer.status, answer.json.code]).toEqual([400, 'INVALID_REQUEST']);
  });

  it('issues a key that works at once, lists it without showing it, revokes it within 5 seconds', async () => {
    const { merchants } = await newMerchant();
    const path = `/merchants/${merchants.test.id}/api-keys`;
    const issued = await admin('POST', path, { name: 'server' });
    expect(issued.status).toBe(201);
    const { id, key, display } = issued.json.data as { id: string; key: string; display: string };
    expect(key).toMatch(/^hf_test_[0-9A-Za-z]{40}$/);
    expect(display).toBe(key.slice(0, 12));
    const caller = { kind: 'merchant', merchantId: merchants.test.id, world: 'test', status: 'active' };
    expect((await me(key)).json.data).toEqual({ ...caller, signing: 'off' });

    const listed = await admin('GET', path);
    expect(listed.json.data.items).toMatchObject([{ id, name: 'server', display, revoked_at: null }]);
    expect(listed.text).not.toContain(key);

    const revoked = await admin('DELETE', `${path}/${id}`);
    const again = await admin('DELETE', `${path}/${id}`);
    expect(revoked.status).toBe(200);
    expect(again.json.data).toEqual(revoked.json.data);
    api.advanceMs(5_000);
    expect((await me(key)).status).toBe(401);
  });

  it("never touches another merchant's key", async () => {
    const [a, b] = [await newMerchant(), await newMerchant()];
    const issued = await admin('POST', `/merchants/${a.merchants.live.id}/api-keys`, { name: 'a' });
    const { id, key } = issued.json.data as { id: string; key: string };
    const answer = await admin('DELETE', `/merchants/${b.merchants.live.id}/api-keys/${id}`);
    expect([answer.status, answer.json.code]).toEqual([404, 'NOT_FOUND']);
    expect((await me(key)).status).toBe(200);
    expect((await admin('POST', `/merchants/${randomUUID()}/api-keys`, { name: 'x' })).status).toBe(404);
  });

  const stripe = (more: object): unknown => ({
    channel: 'stripe',
    world: 'live',
    name: 'Main',
    credentials: { secret_key: 'rk_live_1234567890', webhook_secret: 'whsec_1234567890' },
    ...more,
  });

  it("sets up the platform's account and a merchant's own, and prefers the latter", async () => {
    const { merchants } = await newMerchant();
    const platform = await admin('POST', '/channel-accounts', stripe({}));
    const own = await admin(
      'POST',
      '/channel-accounts',
      stripe({ merchant_id: merchants.live.id, contract: { multipleCaptures: true } }),
    );
    expect([platform.status, own.status]).toEqual([201, 201]);
    const who = { world: 'live', channel: 'stripe' } as const;
    const found = await findAccountFor(api.db, { ...who, merchantId: merchants.live.id });
    expect(found).toMatchObject({ id: own.json.data.id, contract: { multipleCaptures: true } });
    const others = await findAccountFor(api.db, { ...who, merchantId: api.merchant.id });
    expect(others?.id).toBe(platform.json.data.id);
    const none = await findAccountFor(api.db, { ...who, world: 'test', merchantId: merchants.test.id });
    expect(none).toBeUndefined();
    expect((await loadAccount(api.db, api.box, String(own.json.data.id)))?.credentials.secret_key).toBe(
      'rk_live_1234567890',
    );
    const repeated = await admin('POST', '/channel-accounts', stripe({}));
    expect([repeated.status, repeated.json.code]).toEqual([409, 'CHANNEL_ACCOUNT_EXISTS']);

    const listed = await admin('GET', '/channel-accounts');
    expect(listed.json.data.items).toHaveLength(2);
    expect(listed.text).not.toContain('1234567890');
    const rows = await api.db.query('SELECT credentials_sealed FROM channel_accounts');
    expect(JSON.stringify(rows.rows)).not.toContain('1234567890');
  });

  it('never mixes the worlds', async () => {
    const { merchants } = await newMerchant();
    const refused: [object, string][] = [
      [{ merchant_id: merchants.test.id }, 'world'],
      [{ merchant_id: randomUUID() }, 'merchant_id'],
      [{ world: 'test' }, 'credentials.secret_key'],
      [{ channel: 'bank' }, 'channel'],
      [{ credentials: { secret_key: 'rk_live_1234567890' } }, 'credentials.webhook_secret'],
    ];
    for (const [more, path] of refused) {
      const answer = await admin('POST', '/channel-accounts', stripe(more));
      expect([answer.status, answer.json.details?.issues?.[0]?.path]).toEqual([400, path]);
    }
  });

  it('takes no other key than its own', async () => {
    for (const key of ['', 'x', `${api.config.HOLDFAST_ADMIN_KEY}x`]) {
      expect((await api.request('GET', '/api/v1/admin/merchants', { key })).status).toBe(401);
    }
  });
});
