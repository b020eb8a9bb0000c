import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENDPOINT_SECRET_PURPOSE } from '../../src/stores/webhook-endpoints';
import { createApiKey } from '../../src/stores/api-keys';
import { createMerchant } from '../../src/stores/merchants';
import { ensureImplicitEndpoint, MAX_IMPLICIT_ENDPOINTS } from '../../src/stores/webhook-endpoints';
import { withTransaction } from '../../src/stores/postgres';
import { ENDPOINTS, newEndpoint, newUrl, startWebhookApi } from './webhook-harness';
import type { WebhookApi } from './webhook-harness';

const SECRET = /^whsec_[A-Za-z0-9+/]{43}=$/;

describe('webhook endpoints', () => {
  let harness: WebhookApi;
  const ask: WebhookApi['ask'] = (...args) => harness.ask(...args);
  const codeOf = async (...args: Parameters<WebhookApi['ask']>) => {
    const { status, json } = await ask(...args);
    return [status, json.code];
  };
  const implicitEndpoint = async (origin: string): Promise<string> => {
    const { db, merchant } = harness.api;
    expect(await withTransaction(db, (tx) => ensureImplicitEndpoint(tx, merchant.id, origin))).toBe(true);
    const found = await db.query<{ id: string }>(
      `SELECT id FROM webhook_endpoints WHERE merchant_id = $1 AND url = $2 AND kind = 'implicit' AND deleted_at IS NULL`,
      [merchant.id, origin],
    );
    return found.rows[0]?.id ?? '';
  };
  const stored = async (id: string) => {
    const { rows } = await harness.api.db.query<Record<string, unknown>>(
      'SELECT *, previous_secret_until - now() AS overlap FROM webhook_endpoints WHERE id = $1',
      [id],
    );
    return rows[0] ?? {};
  };

  beforeAll(async () => {
    harness = await startWebhookApi();
  });
  afterEach(async () => {
    // Every test begins with all its places free.
    await harness.api.db.query(`UPDATE webhook_endpoints SET deleted_at = now() WHERE deleted_at IS NULL`);
  });
  afterAll(() => harness.api.close());

  it('makes an endpoint with what is usual, reads and lists it', async () => {
    const url = newUrl();
    const created = await ask('POST', ENDPOINTS, { url });
    expect(created.status).toBe(201);
    const { secret, ...view } = created.json.data;
    expect(secret).toMatch(SECRET);
    expect(view).toMatchObject({ kind: 'explicit', url, event_filter: [], enabled: true, max_retries: null });
    const one = await ask('GET', `${ENDPOINTS}/${String(view['id'])}`);
    expect(one.json.data).toEqual(view);
    expect((await ask('GET', ENDPOINTS)).json.data['items']).toEqual([view]);
  });

  it('keeps filter, retries and disabled from the beginning', async () => {
    const body = {
      url: newUrl(),
      event_filter: ['refund.failed', 'refund.failed', 'payment.success'],
      enabled: false,
      max_retries: 40,
    };
    const { data } = (await ask('POST', ENDPOINTS, body)).json;
    expect(data).toMatchObject({
      ...body,
      event_filter: ['refund.failed', 'payment.success'],
      disabled_reason: 'MERCHANT',
    });
    expect(data['disabled_at']).toEqual(expect.any(String));
  });

  it('shows a secret once and stores it sealed', async () => {
    const { id, secret } = await newEndpoint(harness);
    const answers = [
      await ask('GET', `${ENDPOINTS}/${id}`),
      await ask('GET', ENDPOINTS),
      await ask('PATCH', `${ENDPOINTS}/${id}`, {}),
    ];
    for (const { status, text } of answers) {
      expect(status).toBe(200);
      expect(text).not.toContain('whsec_');
    }
    const row = await stored(id);
    expect(JSON.stringify(row)).not.toContain(secret);
    expect(harness.api.box.open(String(row['secret_sealed']), ENDPOINT_SECRET_PURPOSE)).toBe(secret);
    expect(JSON.stringify(harness.api.logLines)).not.toContain(secret);
  });

  it('answers a repeat with the same key from the record, secret included, and makes one endpoint', async () => {
    const body = { url: newUrl() };
    const key = { 'Idempotency-Key': randomUUID() };
    const first = await ask('POST', ENDPOINTS, body, key);
    const again = await ask('POST', ENDPOINTS, body, key);
    expect([first.status, again.status, again.headers.get('idempotent-replayed')]).toEqual([
      201,
      201,
      'true',
    ]);
    expect(again.json.data).toEqual(first.json.data);
    expect(await codeOf('POST', ENDPOINTS, { url: newUrl() }, key)).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    const records = await harness.api.db.query('SELECT * FROM idempotency_records');
    expect(JSON.stringify(records.rows)).not.toContain('whsec_');
  });

  /** As if the owner had been killed after its transaction and before its answer. */
  const forgetAnswer = () =>
    harness.api.db.query(
      'UPDATE idempotency_records SET response_status = NULL, response_sealed = NULL, lease_until = NULL',
    );

  it('answers for an owner that died after its commit: the same endpoint, and no second rotation', async () => {
    const key = { 'Idempotency-Key': randomUUID() };
    const body = { url: newUrl() };
    const first = await ask('POST', ENDPOINTS, body, key);
    await forgetAnswer();
    expect((await ask('POST', ENDPOINTS, body, key)).json.data).toEqual(first.json.data);
    const { id, secret } = first.json.data as { id: string; secret: string };
    const path = `${ENDPOINTS}/${id}/rotate-secret`;
    const rotated = await ask('POST', path, {}, key);
    await forgetAnswer();
    expect((await ask('POST', path, {}, key)).json.data).toEqual(rotated.json.data);
    const sealed = String((await stored(id))['previous_secret_sealed']);
    expect(harness.api.box.open(sealed, ENDPOINT_SECRET_PURPOSE)).toBe(secret);
  });

  it('refuses a URL it has, also written otherwise, and names the endpoint that has it', async () => {
    const made = await ask('POST', ENDPOINTS, { url: 'https://shop.example' });
    const again = await ask('POST', ENDPOINTS, { url: 'HTTPS://Shop.example/' });
    expect([again.status, again.json.code]).toEqual([409, 'WEBHOOK_ENDPOINT_EXISTS']);
    expect(again.json.details).toEqual({ id: made.json.data['id'] });
    const { id } = await newEndpoint(harness);
    expect(await codeOf('PATCH', `${ENDPOINTS}/${id}`, { url: 'https://shop.example/' })).toEqual([
      409,
      'WEBHOOK_ENDPOINT_EXISTS',
    ]);
    const own = await ask('PATCH', `${ENDPOINTS}/${String(made.json.data['id'])}`, {
      url: 'https://shop.example/',
    });
    expect([own.status, own.json.data['url']]).toEqual([200, 'https://shop.example/']);
  });

  it('lets exactly one of eight concurrent requests have the last place, and a deleted one frees it', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 19; i += 1) ids.push((await newEndpoint(harness)).id);
    // All of them stand at the merchant's lock before the first may pass: none can have looked without it.
    const client = await harness.api.db.connect();
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM merchants WHERE id = $1 FOR NO KEY UPDATE', [harness.api.merchant.id]);
    let answered = 0;
    const asking = Array.from({ length: 8 }, async () => {
      const answer = await codeOf('POST', ENDPOINTS, { url: newUrl() });
      answered += 1;
      return answer;
    });
    await sleep(500);
    expect(answered).toBe(0);
    await client.query('COMMIT');
    client.release();
    const answers = await Promise.all(asking);
    const counts = new Map<string, number>();
    for (const answer of answers) counts.set(answer.join(), (counts.get(answer.join()) ?? 0) + 1);
    expect(Object.fromEntries(counts)).toEqual({ '201,SUCCESS': 1, '422,WEBHOOK_ENDPOINT_LIMIT': 7 });
    expect((await ask('DELETE', `${ENDPOINTS}/${String(ids[0])}`)).status).toBe(200);
    expect((await ask('POST', ENDPOINTS, { url: newUrl() })).status).toBe(201);
  });

  it('lets one of several concurrent requests have a URL', async () => {
    const url = newUrl();
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask('POST', ENDPOINTS, { url })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
  });

  it('has at most 100 implicit endpoints, also when they are made at once', async () => {
    const { db, merchant } = harness.api;
    await db.query(
      `INSERT INTO webhook_endpoints (id, merchant_id, kind, url)
       SELECT gen_random_uuid(), $1, 'implicit', 'https://' || n || '.example' FROM generate_series(1, $2) n`,
      [merchant.id, MAX_IMPLICIT_ENDPOINTS - 1],
    );
    const ensure = (origin: string) =>
      withTransaction(db, (tx) => ensureImplicitEndpoint(tx, merchant.id, origin));
    const made = await Promise.all(
      ['https://a.example', 'https://b.example', 'https://c.example'].map(ensure),
    );
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await ensure('https://7.example')).toBe(true);
  });

  it('pages through the list, explicit and implicit, newest first, while others are added', async () => {
    const ids = [await implicitEndpoint('https://pay.example:8443')];
    for (let i = 0; i < 4; i += 1) ids.unshift((await newEndpoint(harness)).id);
    const seen: string[] = [];
    for (let cursor: unknown = ''; cursor !== null;) {
      const page = (
        await ask('GET', `${ENDPOINTS}?limit=2${cursor === '' ? '' : `&cursor=${cursor as string}`}`)
      ).json.data;
      seen.push(...(page['items'] as { id: string }[]).map(({ id }) => id));
      cursor = page['next_cursor'];
      await newEndpoint(harness);
    }
    expect(seen).toEqual(ids);
  });

  it('rotates the secret: the old one is kept for a day, the new one is shown once', async () => {
    const { id, secret } = await newEndpoint(harness);
    const rotated = await ask('POST', `${ENDPOINTS}/${id}/rotate-secret`);
    expect(rotated.status).toBe(200);
    const next = String(rotated.json.data['secret']);
    expect(next).toMatch(SECRET);
    expect(next).not.toBe(secret);
    const row = await stored(id);
    expect(harness.api.box.open(String(row['secret_sealed']), ENDPOINT_SECRET_PURPOSE)).toBe(next);
    expect(harness.api.box.open(String(row['previous_secret_sealed']), ENDPOINT_SECRET_PURPOSE)).toBe(secret);
    const overlapMs = Date.parse(String(rotated.json.data['previous_secret_until'])) - Date.now();
    expect(Math.abs(overlapMs - 24 * 3_600_000)).toBeLessThan(60_000);
    await harness.api.db.query(
      `UPDATE webhook_endpoints SET previous_secret_until = now() - interval '1 s' WHERE id = $1`,
      [id],
    );
    expect((await ask('GET', `${ENDPOINTS}/${id}`)).json.data['previous_secret_until']).toBeNull();
  });

  it('changes only what is sent', async () => {
    const { id } = await newEndpoint(harness, { event_filter: ['refund.failed'], max_retries: 7 });
    const changed = await ask('PATCH', `${ENDPOINTS}/${id}`, { max_retries: 0 });
    expect(changed.json.data).toMatchObject({
      event_filter: ['refund.failed'],
      max_retries: 0,
      enabled: true,
    });
    const reset = await ask('PATCH', `${ENDPOINTS}/${id}`, { max_retries: null, event_filter: [] });
    expect(reset.json.data).toMatchObject({ event_filter: [], max_retries: null });
  });

  it('lets an implicit endpoint be disabled, enabled and deleted, and nothing else', async () => {
    const id = await implicitEndpoint('https://implicit.example');
    const path = `${ENDPOINTS}/${id}`;
    for (const body of [
      { url: newUrl() },
      { event_filter: [] },
      { max_retries: 3 },
      { enabled: true, max_retries: null },
    ]) {
      expect(await codeOf('PATCH', path, body)).toEqual([422, 'WEBHOOK_ENDPOINT_IMPLICIT']);
    }
    expect(await codeOf('POST', `${path}/rotate-secret`)).toEqual([422, 'WEBHOOK_ENDPOINT_IMPLICIT']);
    expect(await codeOf('POST', `${path}/test`)).toEqual([422, 'WEBHOOK_ENDPOINT_IMPLICIT']);
    expect((await ask('PATCH', path, { enabled: false })).json.data).toMatchObject({
      enabled: false,
      disabled_reason: 'MERCHANT',
    });
    expect((await ask('PATCH', path, { enabled: true })).json.data).toMatchObject({
      enabled: true,
      disabled_reason: null,
    });
    expect((await ask('DELETE', path)).status).toBe(200);
    expect(await implicitEndpoint('https://implicit.example')).not.toBe(id);
  });

  it('takes nothing new from a suspended merchant, and lets it see to what it has', async () => {
    const { db, box } = harness.api;
    const { live } = await createMerchant(db, box, 'Suspended');
    const { key } = await createApiKey(db, { merchantId: live.id, world: 'live', name: 'k' });
    const mine = await harness.api.request('POST', ENDPOINTS, { key, json: { url: newUrl() } });
    await db.query(`UPDATE merchants SET status = 'suspended' WHERE id = $1`, [live.id]);
    harness.api.advanceMs(6_000);
    const path = `${ENDPOINTS}/${String(mine.json.data['id'])}`;
    expect((await harness.api.request('POST', ENDPOINTS, { key, json: { url: newUrl() } })).json.code).toBe(
      'MERCHANT_SUSPENDED',
    );
    expect((await harness.api.request('POST', `${path}/test`, { key })).json.code).toBe('MERCHANT_SUSPENDED');
    expect((await harness.api.request('PATCH', path, { key, json: { url: newUrl() } })).status).toBe(200);
  });
});
