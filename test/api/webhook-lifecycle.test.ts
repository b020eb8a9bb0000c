/** What becomes of an endpoint's notifications when the endpoint changes. */
import { failDeletedEndpoints } from '../../src/stores/webhook-endings';
import {
  ENDPOINTS,
  insertNotification,
  newEndpoint,
  newUrl,
  NOTIFICATIONS,
  startWebhookApi,
  storedNotification,
} from './webhook-harness';
import type { WebhookApi } from './webhook-harness';

const HOUR = '1 hour';

describe('an endpoint that changes', () => {
  let harness: WebhookApi;
  const ask: WebhookApi['ask'] = (...args) => harness.ask(...args);
  const insert = (endpointId: string, state: Parameters<typeof insertNotification>[2]) =>
    insertNotification(harness.api, endpointId, state);
  const row = (id: string) => storedNotification(harness.api, id);
  const gate = (id: string) =>
    harness.api.db.query(
      `UPDATE webhook_endpoints SET gated_at = now(), next_probe_at = now(), probes = 3, ramp = 4, failures_in_row = 25,
         failing_since = now() WHERE id = $1`,
      [id],
    );
  const gateOf = async (id: string) => {
    const { rows } = await harness.api.db.query<Record<string, unknown>>(
      'SELECT gated_at, next_probe_at, probes, ramp, failures_in_row, failing_since FROM webhook_endpoints WHERE id = $1',
      [id],
    );
    return rows[0];
  };
  const OPEN = {
    gated_at: null,
    next_probe_at: null,
    probes: 0,
    ramp: null,
    failures_in_row: 0,
    failing_since: null,
  };

  beforeAll(async () => {
    harness = await startWebhookApi();
  });
  afterEach(async () => {
    harness.woken.length = 0;
    harness.failed.length = 0;
    harness.temporal = 'up';
    await harness.api.db.query(`UPDATE webhook_endpoints SET deleted_at = now() WHERE deleted_at IS NULL`);
  });
  afterAll(() => harness.api.close());

  it('keeps everything when it is disabled, and hands sleeping retries to the relay when it is enabled', async () => {
    const { id } = await newEndpoint(harness);
    const retrying = await insert(id, { status: 'retrying', attempts: 2, next_retry_at: HOUR });
    const leased = await insert(id, { status: 'retrying', attempts: 1, next_retry_at: HOUR, leased: true });
    const delivered = await insert(id, { status: 'success', attempts: 1 });
    const off = await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: false });
    expect(off.json.data).toMatchObject({ enabled: false, disabled_reason: 'MERCHANT' });
    expect(await row(retrying)).toMatchObject({ status: 'retrying', attempts: 2, due: false });
    await gate(id);
    const on = await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: true });
    expect(on.json.data).toMatchObject({ enabled: true, disabled_at: null, disabled_reason: null });
    expect(await gateOf(id)).toEqual(OPEN);
    expect(await row(retrying)).toMatchObject({ status: 'pending', attempts: 2, due: true });
    expect(await row(leased)).toMatchObject({ status: 'retrying', attempts: 1 });
    expect((await row(delivered)).status).toBe('success');
    expect(harness.woken).toEqual([retrying]);
  });

  it('does not start anew when what it is told is so already', async () => {
    const { id } = await newEndpoint(harness);
    const { url } = (await ask('GET', `${ENDPOINTS}/${id}`)).json.data;
    await gate(id);
    expect((await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: true, url, max_retries: 3 })).status).toBe(
      200,
    );
    expect(await gateOf(id)).toMatchObject({ probes: 3, ramp: 4, failures_in_row: 25 });
    await harness.api.db.query(
      `UPDATE webhook_endpoints SET enabled = false, disabled_at = now(), disabled_reason = 'GONE' WHERE id = $1`,
      [id],
    );
    expect((await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: false })).json.data['disabled_reason']).toBe(
      'GONE',
    );
  });

  it('opens its gate for a new URL, and with it what sleeps', async () => {
    const { id } = await newEndpoint(harness);
    const retrying = await insert(id, { status: 'retrying', attempts: 2, next_retry_at: HOUR });
    await gate(id);
    expect((await ask('PATCH', `${ENDPOINTS}/${id}`, { url: newUrl() })).status).toBe(200);
    expect(await gateOf(id)).toEqual(OPEN);
    expect(await row(retrying)).toMatchObject({ status: 'pending', attempts: 2, due: true });
  });

  it('leaves its retries to their timers when the URL changes and no gate was shut, or while it is disabled', async () => {
    const { id } = await newEndpoint(harness);
    const retrying = await insert(id, { status: 'retrying', attempts: 2, next_retry_at: HOUR });
    await ask('PATCH', `${ENDPOINTS}/${id}`, { url: newUrl() });
    await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: false });
    await gate(id);
    await ask('PATCH', `${ENDPOINTS}/${id}`, { url: newUrl() });
    expect(await row(retrying)).toMatchObject({ status: 'retrying', due: false });
  });

  it.each(['away', 'hanging'] as const)('does its work while Temporal is %s', async (temporal) => {
    const { id } = await newEndpoint(harness, { enabled: false });
    const retrying = await insert(id, { status: 'retrying', attempts: 2, next_retry_at: HOUR });
    harness.temporal = temporal;
    expect((await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: true })).status).toBe(200);
    expect((await row(retrying)).status).toBe('pending');
  });

  it('waits for whoever holds its lock', async () => {
    const { id } = await newEndpoint(harness);
    const client = await harness.api.db.connect();
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE', [id]);
    let isAnswered = false;
    const patching = ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: false }).finally(
      () => (isAnswered = true),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(isAnswered).toBe(false);
    await client.query('COMMIT');
    client.release();
    expect((await patching).status).toBe(200);
  });

  it('ends what waits when it is deleted, but nothing that is being sent or has ended', async () => {
    const { id } = await newEndpoint(harness);
    const waiting = [
      await insert(id, {}),
      await insert(id, { attempts: 2 }),
      await insert(id, { status: 'retrying', attempts: 1, next_retry_at: HOUR }),
    ];
    const leased = await insert(id, { leased: true });
    const delivered = await insert(id, { status: 'success', attempts: 1 });
    const answer = await ask('DELETE', `${ENDPOINTS}/${id}`);
    expect(answer.json.data).toMatchObject({ id, notifications_ended: 3, more: false });
    for (const one of waiting)
      expect(await row(one)).toMatchObject({ status: 'failed', error: 'ENDPOINT_DELETED' });
    expect((await row(leased)).status).toBe('pending');
    expect(await row(delivered)).toMatchObject({ status: 'success', error: null });
    expect(harness.woken).toEqual([waiting[2]]);
    expect(harness.failed.map(({ notificationId }) => notificationId).sort()).toEqual([...waiting].sort());
    expect(harness.failed[0]).toMatchObject({
      paymentNo: 'PA1',
      error: 'ENDPOINT_DELETED',
      statusCode: null,
    });
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/health'],
      ['POST', '/test'],
    ] as const) {
      expect((await ask(method, `${ENDPOINTS}/${id}${path}`)).status).toBe(404);
    }
    expect((await ask('GET', `${NOTIFICATIONS}/${String(waiting[0])}`)).json.data['error']).toBe(
      'ENDPOINT_DELETED',
    );
  });

  it('ends a thousand at once and leaves the rest to the sweep', async () => {
    await failDeletedEndpoints(harness.api.db, 1_000); // what the tests before this one left
    const { id } = await newEndpoint(harness);
    const other = await newEndpoint(harness);
    const kept = await insert(other.id, {});
    await harness.api.db.query(
      `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts,
         status, attempts)
       SELECT gen_random_uuid(), gen_random_uuid(), e.id, e.merchant_id, 'PA1', 'pre_auth.captured', e.url, '{}', '{}', 6,
         CASE WHEN n % 3 = 0 THEN 'retrying' ELSE 'pending' END, n % 3
       FROM webhook_endpoints e, generate_series(1, 1500) n WHERE e.id = $1`,
      [id],
    );
    const answer = await ask('DELETE', `${ENDPOINTS}/${id}`);
    expect(answer.json.data).toMatchObject({ notifications_ended: 1_000, more: true });
    const late = await insert(id, {}); // appended in a transaction that did not see the deletion
    const batches = [];
    for (let i = 0; i < 3; i += 1) {
      const { failed } = await failDeletedEndpoints(harness.api.db, 300);
      batches.push(failed.length);
    }
    expect(batches).toEqual([300, 201, 0]);
    expect(await row(late)).toMatchObject({ status: 'failed', error: 'ENDPOINT_DELETED' });
    expect((await row(kept)).status).toBe('pending');
  });

  it('gets a test event, whatever its filter, and only it', async () => {
    const { id } = await newEndpoint(harness, { event_filter: ['refund.failed'], max_retries: 2 });
    await newEndpoint(harness);
    const answer = await ask('POST', `${ENDPOINTS}/${id}/test`);
    expect(answer.status).toBe(201);
    const { data } = answer.json;
    expect(data).toMatchObject({
      endpoint_id: id,
      event: 'webhook.test',
      status: 'pending',
      max_attempts: 3,
      attempts: 0,
    });
    expect(data['payment_no']).toBe(data['event_id']);
    const sent = await harness.api.db.query<{ body: string }>(
      `SELECT body FROM webhook_notifications WHERE event_id = $1`,
      [data['event_id']],
    );
    expect(sent.rows.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      {
        event: 'webhook.test',
        payment_no: data['event_id'],
        order_no: '',
        amount: 0,
        currency: '',
        status: 'test',
        timestamp: expect.any(Number) as unknown,
        extra: { endpoint_id: id, sequence: 1 },
      },
    ]);
    await ask('PATCH', `${ENDPOINTS}/${id}`, { enabled: false });
    expect((await ask('POST', `${ENDPOINTS}/${id}/test`)).json.code).toBe('WEBHOOK_ENDPOINT_DISABLED');
  });

  it('gets no test event at an address that is not allowed any more', async () => {
    const { id } = await newEndpoint(harness);
    await harness.api.db.query(`UPDATE webhook_endpoints SET url = 'http://127.0.0.1/x' WHERE id = $1`, [id]);
    expect((await ask('POST', `${ENDPOINTS}/${id}/test`)).json.code).toBe('WEBHOOK_URL_NOT_ALLOWED');
  });
});
