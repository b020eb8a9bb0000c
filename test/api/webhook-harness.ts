/** The webhook routes over a database of their own, and rows as the relay would have left them. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { webhookEndpointRoutes } from '../../src/api/routes/webhook-endpoints';
import { webhookNotificationRoutes } from '../../src/api/routes/webhook-notifications';
import type { WebhookApiDeps } from '../../src/api/webhooks/deps';
import type { FailedWebhook } from '../../src/domain/webhook/failed';
import { createApiKey } from '../../src/stores/api-keys';
import { createMerchant } from '../../src/stores/merchants';
import { startApi } from './harness';
import type { Answer, ApiHarness, Parts } from './harness';

export const ENDPOINTS = '/api/v1/webhook-endpoints';
export const NOTIFICATIONS = '/api/v1/webhook-notifications';

export interface WebhookApi {
  readonly api: ApiHarness;
  readonly deps: WebhookApiDeps;
  /** The ids of every wake-up. */
  readonly woken: string[];
  /** What was given up, as it was noted. */
  readonly failed: FailedWebhook[];
  /** What the next wake-ups do: nothing, fail, or never end. */
  temporal: 'up' | 'away' | 'hanging';
  /** A request of the harness's merchant. */
  ask(method: string, path: string, json?: unknown, headers?: Record<string, string>): Promise<Answer>;
}

export function webhookDeps(
  { db, box }: Pick<Parts, 'db' | 'box'>,
  wake: (ids: readonly string[]) => Promise<void> = () => Promise.resolve(),
  failed: FailedWebhook[] = [],
): WebhookApiDeps {
  return {
    db,
    box,
    log: pino({ level: 'silent' }),
    webhookUrlPolicy: { production: false, allowedCidrs: '', blockedPorts: [25] },
    defaultMaxRetries: 5,
    webhookWorkflows: { wake },
    noteFailed: (ended) => Promise.resolve(void failed.push(...ended)),
    ringOutbox: () => undefined,
  };
}

export async function startWebhookApi(): Promise<WebhookApi> {
  const woken: string[] = [];
  const failed: FailedWebhook[] = [];
  const made: { deps?: WebhookApiDeps; harness?: WebhookApi } = {};
  const wake = async (ids: readonly string[]): Promise<void> => {
    if (made.harness?.temporal === 'away') throw new Error('Temporal cannot be reached');
    if (made.harness?.temporal === 'hanging') await new Promise(() => undefined);
    woken.push(...ids);
  };
  const api = await startApi((parts) => {
    made.deps = webhookDeps(parts, wake, failed);
    return [...webhookEndpointRoutes(made.deps), ...webhookNotificationRoutes(made.deps)];
  });
  if (made.deps === undefined) throw new Error('the routes were not made');
  made.harness = {
    api,
    deps: made.deps,
    woken,
    failed,
    temporal: 'up',
    ask: (method, path, json, headers = {}) =>
      api.request(method, path, { key: api.merchantKey, headers, ...(json === undefined ? {} : { json }) }),
  };
  return made.harness;
}

export async function otherMerchantKey(api: ApiHarness): Promise<string> {
  const { live } = await createMerchant(api.db, api.box, 'Somebody else');
  return (await createApiKey(api.db, { merchantId: live.id, world: 'live', name: 'other' })).key;
}

let urls = 0;
/** A URL nobody has used yet. */
export const newUrl = () => `https://shop.example/hooks/${(urls += 1)}`;

export interface Made {
  readonly id: string;
  readonly secret: string;
}

export async function newEndpoint(harness: WebhookApi, more: object = {}): Promise<Made> {
  const answer = await harness.ask('POST', ENDPOINTS, { url: newUrl(), ...more });
  if (answer.status !== 201) throw new Error(`no endpoint: ${answer.text}`);
  return answer.json.data as unknown as Made;
}

export interface RowState {
  readonly status?: 'pending' | 'retrying' | 'success' | 'failed';
  readonly attempts?: number;
  readonly event?: string;
  readonly payment_no?: string;
  /** SQL interval: how long ago it was created. */
  readonly age?: string;
  readonly next_retry_at?: string;
  readonly leased?: boolean;
}

const INSERT = `
INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, status, attempts,
  max_attempts, next_retry_at, created_at, succeeded_at, failed_at)
SELECT $1, gen_random_uuid(), e.id, e.merchant_id, $3, $4, e.url, '{"event":"x"}', '{"event":"x"}', $5::text, $6, 6, now() + $8::interval,
  now() - $7::interval, CASE WHEN $5::text = 'success' THEN now() END, CASE WHEN $5::text = 'failed' THEN now() END
FROM webhook_endpoints e WHERE e.id = $2`;

export async function insertNotification(
  api: ApiHarness,
  endpointId: string,
  state: RowState = {},
): Promise<string> {
  const id = randomUUID();
  const {
    status = 'pending',
    attempts = 0,
    event = 'pre_auth.captured',
    age = '0 s',
    leased = false,
  } = state;
  const values = [
    id,
    endpointId,
    state.payment_no ?? 'PA1',
    event,
    status,
    attempts,
    age,
    state.next_retry_at ?? '0 s',
  ];
  await api.db.query(INSERT, values);
  if (leased) {
    await api.db.query(
      `INSERT INTO webhook_leases (notification_id, endpoint_id, token, tried, until)
       VALUES ($1, $2, gen_random_uuid(), true, now() + interval '1 minute')`,
      [id, endpointId],
    );
  }
  return id;
}

const INSERT_FAILED = `
INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts,
  status, attempts, failed_at, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), e.id, e.merchant_id, 'PA1', 'pre_auth.captured', e.url, '{}', '{}', 6, 'failed', 6,
  now(), now() - n / 3 * interval '1 ms' FROM webhook_endpoints e, generate_series(1, $2) n WHERE e.id = $1`;

/** Given-up notifications, three of every millisecond. */
export async function insertFailed(api: ApiHarness, endpointId: string, count: number): Promise<void> {
  await api.db.query(INSERT_FAILED, [endpointId, count]);
}

export interface StoredNotification {
  status: string;
  attempts: number;
  error: string | null;
  due: boolean;
  failed_at: Date | null;
}

export async function storedNotification(api: ApiHarness, id: string): Promise<StoredNotification> {
  const { rows } = await api.db.query<StoredNotification>(
    `SELECT status, attempts, error, next_retry_at <= now() AS due, failed_at FROM webhook_notifications WHERE id = $1`,
    [id],
  );
  if (rows[0] === undefined) throw new Error(`there is no notification ${id}`);
  return rows[0];
}
