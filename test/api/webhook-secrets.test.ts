/** The default secret is rotated like that of an endpoint; one address is told once; an empty body is no body. */
import { randomUUID } from 'node:crypto';
import { ensureImplicitEndpoint } from '../../src/stores/webhook-endpoints';
import { WEBHOOK_SECRET_PURPOSE } from '../../src/stores/merchants';
import { appendEvent } from '../../src/stores/outbox';
import { withTransaction } from '../../src/stores/postgres';
import {
  ENDPOINTS,
  insertNotification,
  newEndpoint,
  NOTIFICATIONS,
  startWebhookApi,
} from './webhook-harness';
import type { WebhookApi } from './webhook-harness';

const ROTATE = '/api/v1/webhook-secret/rotate';

let harness: WebhookApi;
const ask: WebhookApi['ask'] = (...args) => harness.ask(...args);
beforeAll(async () => {
  harness = await startWebhookApi();
});
afterAll(() => harness.api.close());

describe('the default secret', () => {
  const stored = async () => {
    const { db, box, merchant } = harness.api;
    const { rows } = await db.query<{ now: string; before: string | null; hours: number | null }>(
      `SELECT webhook_secret_sealed AS now, previous_webhook_secret_sealed AS before,
         extract(epoch FROM previous_webhook_secret_until - now())::float8 / 3600 AS hours
       FROM merchants WHERE id = $1`,
      [merchant.id],
    );
    const open = (sealed: string | null | undefined) =>
      sealed == null ? null : box.open(sealed, WEBHOOK_SECRET_PURPOSE);
    return { now: open(rows[0]?.now), before: open(rows[0]?.before), hours: rows[0]?.hours };
  };

  it('is replaced, and the old one signs for a day more', async () => {
    const old = (await stored()).now;
    const rotated = await ask('POST', ROTATE);
    expect(rotated.status).toBe(200);
    const next = String(rotated.json.data['secret']);
    expect(next).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const now = await stored();
    expect(now).toMatchObject({ now: next, before: old });
    expect(now.hours).toBeCloseTo(24, 1);
    const untilMs = Date.parse(String(rotated.json.data['previous_secret_until']));
    expect(Math.abs(untilMs - Date.now() - 24 * 3_600_000)).toBeLessThan(60_000);
    expect(JSON.stringify(harness.api.logLines)).not.toContain(next);
  });

  it('is replaced once by a request that is repeated, also when its owner died after the commit', async () => {
    const old = (await stored()).now;
    const key = { 'Idempotency-Key': randomUUID() };
    const first = await ask('POST', ROTATE, {}, key);
    expect((await ask('POST', ROTATE, {}, key)).json.data).toEqual(first.json.data);
    await harness.api.db.query(
      'UPDATE idempotency_records SET response_status = NULL, response_sealed = NULL, lease_until = NULL',
    );
    expect((await ask('POST', ROTATE, {}, key)).json.data).toEqual(first.json.data);
    expect(await stored()).toMatchObject({ now: first.json.data['secret'], before: old });
  });
});

it('tells once whoever is the notify_url of a payment too, however either is spelt', async () => {
  const { db, merchant } = harness.api;
  const { id } = await newEndpoint(harness, { url: 'https://Shop.example.:443/a%2fb' });
  await withTransaction(db, (tx) => ensureImplicitEndpoint(tx, merchant.id, 'https://shop.example'));
  const tell = async (sequence: number, notifyUrl: string) => {
    await appendEvent(db, {
      ...{ merchantId: merchant.id, objectKind: 'payment', objectNo: 'P-SPELT', orderNo: 'O', sequence },
      ...{ type: 'payment.success', status: 'success', amount: 1, currency: 'USD', at: new Date() },
      ...{ extra: {}, notifyUrl, defaultMaxRetries: 5 },
    });
    const { rows } = await db.query<{ endpoint_id: string }>(
      `SELECT endpoint_id FROM webhook_notifications WHERE payment_no = 'P-SPELT' AND payload -> 'extra' ->> 'sequence' = $1`,
      [String(sequence)],
    );
    return rows.map((row) => row.endpoint_id);
  };
  expect(await tell(1, 'HTTPS://shop.EXAMPLE/a%2Fb')).toEqual([id]);
  const moved = { url: 'https://shop.example/other' };
  expect((await ask('PATCH', `${ENDPOINTS}/${id}`, moved)).status).toBe(200);
  expect(await tell(2, 'HTTPS://shop.EXAMPLE/a%2Fb')).toHaveLength(2);
  expect(await tell(3, 'https://shop.example:443/other')).toEqual([id]);
});

describe('an empty body that is announced as JSON', () => {
  const EMPTY = { 'content-type': 'application/json' };
  const answerTo = async (path: string) => {
    const { status, json } = await ask('POST', path, undefined, EMPTY);
    return [status, json.code];
  };

  it('is no body to commands that take none', async () => {
    const { id } = await newEndpoint(harness);
    const notification = await insertNotification(harness.api, id, { status: 'failed' });
    expect(await answerTo(`${ENDPOINTS}/${id}/test`)).toEqual([201, 'SUCCESS']);
    expect(await answerTo(`${ENDPOINTS}/${id}/rotate-secret`)).toEqual([200, 'SUCCESS']);
    expect(await answerTo(`${NOTIFICATIONS}/${notification}/retry`)).toEqual([200, 'SUCCESS']);
    expect(await answerTo(ROTATE)).toEqual([200, 'SUCCESS']);
  });

  it('lacks what the others ask for', async () => {
    const { id } = await newEndpoint(harness);
    const { status, json } = await ask('POST', `${ENDPOINTS}/${id}/recover`, undefined, EMPTY);
    expect([status, json.code]).toEqual([400, 'INVALID_REQUEST']);
    expect(json.details).toEqual({ issues: [{ path: 'since', message: 'is required' }] });
  });
});
