import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { IdempotentRequest } from '../../src/api/idempotency';
import { recoverSince } from '../../src/api/webhooks/notifications';
import {
  ENDPOINTS,
  insertFailed,
  insertNotification,
  newEndpoint,
  NOTIFICATIONS,
  startWebhookApi,
  storedNotification,
} from './webhook-harness';
import type { RowState, WebhookApi } from './webhook-harness';

const HOUR = '1 hour';

describe('webhook notifications', () => {
  let harness: WebhookApi;
  let endpointId: string;
  const ask: WebhookApi['ask'] = (...args) => harness.ask(...args);
  const insert = (state: RowState = {}) => insertNotification(harness.api, endpointId, state);
  const row = (id: string) => storedNotification(harness.api, id);
  const retry = (id: string, headers = {}) => ask('POST', `${NOTIFICATIONS}/${id}/retry`, {}, headers);
  const idsOf = async (query: string): Promise<string[]> => {
    const answer = await ask('GET', `${NOTIFICATIONS}?${query}`);
    expect(answer.status).toBe(200);
    return (answer.json.data['items'] as { id: string }[]).map(({ id }) => id);
  };
  const attempt = (id: string, n: number, statusCode: number | null, age = '1 minute') =>
    harness.api.db.query(
      `INSERT INTO webhook_attempts (notification_id, attempt, kind, url, started_at, duration_ms, status_code, response, error)
       VALUES ($1, $2, 'retry', 'https://shop.example', now() - $4::interval, 12, $3::int, 'body ' || $2::int,
         CASE WHEN $3::int IS NULL THEN 'TIMEOUT' END)`,
      [id, n, statusCode, age],
    );

  beforeAll(async () => {
    harness = await startWebhookApi();
  });
  beforeEach(async () => {
    await harness.api.db.query(`UPDATE webhook_endpoints SET deleted_at = now() WHERE deleted_at IS NULL`);
    ({ id: endpointId } = await newEndpoint(harness));
    harness.woken.length = 0;
    harness.temporal = 'up';
  });
  afterAll(() => harness.api.close());

  it('filters by endpoint, status, event, number and time, alone and together', async () => {
    const no = `PA${randomUUID()}`;
    const old = await insert({ age: '2 days', payment_no: no, status: 'success', attempts: 1 });
    const failed = await insert({ age: HOUR, payment_no: no, status: 'failed', attempts: 6 });
    const fresh = await insert({ event: 'refund.failed' });
    const cutMs = Date.now() - 86_400_000;
    const cut = encodeURIComponent(new Date(cutMs).toISOString());
    const mine = `endpoint_id=${endpointId}`;
    expect(await idsOf(mine)).toEqual([fresh, failed, old]);
    expect(await idsOf(`payment_no=${no}`)).toEqual([failed, old]);
    expect(await idsOf(`payment_no=${no}&${mine}&status=success`)).toEqual([old]);
    expect(await idsOf(`payment_no=${no}&endpoint_id=${randomUUID()}`)).toEqual([]);
    expect(await idsOf(`${mine}&status=failed`)).toEqual([failed]);
    expect(await idsOf(`${mine}&event=refund.failed`)).toEqual([fresh]);
    expect(await idsOf(`${mine}&created_from=${cut}`)).toEqual([fresh, failed]);
    expect(await idsOf(`created_to=${cut}&${mine}`)).toEqual([old]);
    expect(await idsOf('status=success')).toEqual([old]);
  });

  it('pages newest first, each row once, while rows are added', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i += 1) ids.unshift(await insert());
    const seen: string[] = [];
    for (let cursor: unknown = ''; cursor !== null;) {
      const after = cursor === '' ? '' : `&cursor=${cursor as string}`;
      const page = (await ask('GET', `${NOTIFICATIONS}?endpoint_id=${endpointId}&limit=2${after}`)).json.data;
      seen.push(...(page['items'] as { id: string }[]).map(({ id }) => id));
      cursor = page['next_cursor'];
      await insert();
    }
    expect(seen).toEqual(ids);
  });

  it('tells rows of the same instant apart', async () => {
    await harness.api.db.query(
      `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts)
       SELECT gen_random_uuid(), gen_random_uuid(), id, merchant_id, 'PA1', 'pre_auth.captured', url, '{}', '{}', 6
       FROM webhook_endpoints, generate_series(1, 7) WHERE id = $1`,
      [endpointId],
    );
    const first = (await ask('GET', `${NOTIFICATIONS}?endpoint_id=${endpointId}&limit=4`)).json.data;
    const rest = await idsOf(`endpoint_id=${endpointId}&cursor=${String(first['next_cursor'])}`);
    const ids = [...(first['items'] as { id: string }[]).map(({ id }) => id), ...rest];
    expect([ids.length, new Set(ids).size]).toEqual([7, 7]);
  });

  it('shows one with its attempts, the oldest of the newest 50 first', async () => {
    const id = await insert({ status: 'failed', attempts: 6 });
    await attempt(id, 1, 500);
    await attempt(id, 2, null);
    const { data } = (await ask('GET', `${NOTIFICATIONS}/${id}`)).json;
    expect(data).toMatchObject({
      id,
      status: 'failed',
      attempts: 6,
      next_retry_at: null,
      payload: { event: 'x' },
    });
    expect(data['attempt_log']).toEqual([
      expect.objectContaining({
        attempt: 1,
        kind: 'retry',
        status_code: 500,
        error: null,
        duration_ms: 12,
        response: 'body 1',
      }),
      expect.objectContaining({ attempt: 2, status_code: null, error: 'TIMEOUT' }),
    ]);
    for (let n = 3; n <= 60; n += 1) await attempt(id, n, 503);
    const log = (await ask('GET', `${NOTIFICATIONS}/${id}`)).json.data['attempt_log'] as {
      attempt: number;
    }[];
    expect([log.length, log[0]?.attempt, log.at(-1)?.attempt]).toEqual([50, 11, 60]);
  });

  it('begins a given-up one anew', async () => {
    const id = await insert({ status: 'failed', attempts: 6, next_retry_at: HOUR });
    const answer = await retry(id);
    expect(answer.json.data).toMatchObject({ id, status: 'pending', attempts: 0, failed_at: null });
    expect(await row(id)).toMatchObject({ status: 'pending', attempts: 0, due: true, failed_at: null });
    expect(harness.woken).toEqual([]);
  });

  it('makes a waiting one due now, and wakes the workflow of one in retry', async () => {
    const waiting = await insert({ attempts: 3, next_retry_at: HOUR });
    const retrying = await insert({ status: 'retrying', attempts: 2, next_retry_at: HOUR });
    expect((await retry(waiting)).status).toBe(200);
    expect(await row(waiting)).toMatchObject({ status: 'pending', attempts: 3, due: true });
    expect(harness.woken).toEqual([]);
    harness.temporal = 'away';
    expect((await retry(retrying)).status).toBe(200);
    harness.temporal = 'up';
    expect((await retry(retrying)).json.data).toMatchObject({ status: 'retrying', attempts: 2 });
    expect(await row(retrying)).toMatchObject({ status: 'retrying', attempts: 2, due: true });
    expect(harness.woken).toEqual([retrying]);
  });

  it('leaves one alone that is being sent, and refuses one that has arrived or has nowhere to go', async () => {
    const leased = await insert({ status: 'retrying', attempts: 2, next_retry_at: HOUR, leased: true });
    expect((await retry(leased)).status).toBe(200);
    expect(await row(leased)).toMatchObject({ status: 'retrying', attempts: 2, due: false });
    const delivered = await insert({ status: 'success', attempts: 1 });
    expect((await retry(delivered)).json.code).toBe('WEBHOOK_NOTIFICATION_DELIVERED');
    const failed = await insert({ status: 'failed', attempts: 6 });
    await ask('DELETE', `${ENDPOINTS}/${endpointId}`);
    const answer = await retry(failed);
    expect([answer.status, answer.json.code]).toEqual([409, 'WEBHOOK_ENDPOINT_DELETED']);
    expect((await row(failed)).status).toBe('failed');
  });

  it('does a retry once per Idempotency-Key', async () => {
    const id = await insert({ status: 'failed', attempts: 6 });
    const key = { 'Idempotency-Key': randomUUID() };
    const first = await retry(id, key);
    await harness.api.db.query(
      `UPDATE webhook_notifications SET status = 'failed', failed_at = now(), attempts = 6 WHERE id = $1`,
      [id],
    );
    expect((await retry(id, key)).json.data).toEqual(first.json.data);
    expect((await row(id)).status).toBe('failed');
  });

  it('waits for the lock of the endpoint, and then judges what it finds', async () => {
    const id = await insert({ status: 'failed', attempts: 6 });
    const client = await harness.api.db.connect();
    await client.query('BEGIN');
    await client.query('SELECT 1 FROM webhook_endpoints WHERE id = $1 FOR NO KEY UPDATE', [endpointId]);
    const retrying = retry(id);
    await sleep(300);
    await client.query(
      `UPDATE webhook_notifications SET status = 'success', succeeded_at = now(), failed_at = NULL WHERE id = $1`,
      [id],
    );
    await client.query('COMMIT');
    client.release();
    expect((await retrying).json.code).toBe('WEBHOOK_NOTIFICATION_DELIVERED');
  });

  it('recovers everything given up since a time, and nothing else', async () => {
    const old = await insert({ status: 'failed', attempts: 6, age: '3 hours' });
    const failed = [
      await insert({ status: 'failed', attempts: 6, age: '1 hour' }),
      await insert({ status: 'failed', attempts: 1 }),
    ];
    const leased = await insert({ status: 'failed', attempts: 6, leased: true });
    const delivered = await insert({ status: 'success', attempts: 1 });
    const since = new Date(Date.now() - 2 * 3_600_000).toISOString();
    const answer = await ask('POST', `${ENDPOINTS}/${endpointId}/recover`, { since });
    expect([answer.status, answer.json.data]).toEqual([200, { recovered: 2, more: false }]);
    for (const id of failed)
      expect(await row(id)).toMatchObject({ status: 'pending', attempts: 0, due: true, failed_at: null });
    expect([(await row(old)).status, (await row(leased)).status, (await row(delivered)).status]).toEqual([
      'failed',
      'failed',
      'success',
    ]);
  });

  const leftFailed = async () =>
    (
      await harness.api.db.query(
        `SELECT 1 FROM webhook_notifications WHERE endpoint_id = $1 AND status = 'failed'`,
        [endpointId],
      )
    ).rowCount;

  it('recovers more than a transaction takes', async () => {
    await insertFailed(harness.api, endpointId, 2_500);
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const answer = await ask('POST', `${ENDPOINTS}/${endpointId}/recover`, { since });
    expect(answer.json.data).toEqual({ recovered: 2_500, more: false });
    expect(await leftFailed()).toBe(0);
  });

  it('stops recovering at its limits and says that there is more', async () => {
    await insertFailed(harness.api, endpointId, 25);
    const { deps, api } = harness;
    const caller = {
      kind: 'merchant',
      merchantId: api.merchant.id,
      world: 'live',
      status: 'active',
      signing: 'off',
    } as const;
    const idem = new IdempotentRequest(
      { db: api.db, box: api.box, logger: deps.log, waitTimeoutMs: 1 },
      undefined,
    );
    const recover = async (limits: { batch: number; max: number; budgetMs: number }) =>
      (await recoverSince(deps, caller, endpointId, new Date(Date.now() - 3_600_000), idem, limits)).data;
    expect(await recover({ batch: 4, max: 8, budgetMs: 10_000 })).toEqual({ recovered: 8, more: true });
    expect(await recover({ batch: 4, max: 100, budgetMs: 0 })).toEqual({ recovered: 4, more: true });
    expect(await recover({ batch: 4, max: 100, budgetMs: 10_000 })).toEqual({ recovered: 13, more: false });
    expect(await leftFailed()).toBe(0);
  });

  it('tells the health of an endpoint', async () => {
    await insert();
    await insert({ attempts: 1, next_retry_at: HOUR });
    await insert({ status: 'retrying', attempts: 1, next_retry_at: HOUR });
    const delivered = await insert({ status: 'success', attempts: 4 });
    for (const [n, code] of [500, null, 404, 204].entries()) await attempt(delivered, n + 1, code);
    await attempt(delivered, 5, 200, '25 hours');
    await harness.api.db.query(
      `UPDATE webhook_endpoints SET last_success_at = now(), last_failure_at = now(), last_error = 'TIMEOUT', gated_at = now(),
         next_probe_at = now() + interval '30 s' WHERE id = $1`,
      [endpointId],
    );
    const { data } = (await ask('GET', `${ENDPOINTS}/${endpointId}/health`)).json;
    expect(data).toEqual({
      endpoint_id: endpointId,
      enabled: true,
      disabled_reason: null,
      success_share: 0.25,
      attempts: { count: 4, more: false },
      waiting: { count: 2, more: false },
      in_retry: { count: 1, more: false },
      last_success_at: expect.any(String) as unknown,
      last_failure_at: expect.any(String) as unknown,
      last_error: 'TIMEOUT',
      gated_since: expect.any(String) as unknown,
      next_probe_at: expect.any(String) as unknown,
    });
    const { id } = await newEndpoint(harness);
    const empty = (await ask('GET', `${ENDPOINTS}/${id}/health`)).json.data;
    expect(empty).toMatchObject({
      success_share: null,
      waiting: { count: 0, more: false },
      gated_since: null,
    });
  });

  it('counts no further than its ceiling', async () => {
    await harness.api.db.query(
      `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts, attempts)
       SELECT gen_random_uuid(), gen_random_uuid(), e.id, e.merchant_id, 'PA1', 'pre_auth.captured', e.url, '{}', '{}', 6, n % 2
       FROM webhook_endpoints e, generate_series(1, 10001) n WHERE e.id = $1`,
      [endpointId],
    );
    const { data } = (await ask('GET', `${ENDPOINTS}/${endpointId}/health`)).json;
    expect(data).toMatchObject({
      waiting: { count: 10_000, more: true },
      attempts: { count: 0, more: true },
    });
  });
});
