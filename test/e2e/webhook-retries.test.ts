/** Deliveries that do not work at once: retries on durable timers, what operators may say, and the sweep. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { webhookDeliveryWorkflowId } from '../../src/workflows/messages';
import { eventually, startSystem } from './harness';
import type { System } from './harness';
import type { MerchantClient } from './merchant-client';

interface Notification {
  id: string;
  status: string;
  attempts: number;
  error: string | null;
}

/** Answers what the test says for a path, 200 otherwise, and keeps the attempt number of every request. */
class Receiver {
  /** The status for the nth request, or null for no answer at all. */
  readonly statuses = new Map<string, (n: number) => number | null>();
  readonly attempts = new Map<string, string[]>();
  readonly times = new Map<string, number[]>();
  private readonly server = createServer((request, response) => {
    request.resume();
    const path = request.url ?? '';
    const seen = [...(this.attempts.get(path) ?? []), String(request.headers['x-webhook-attempt'])];
    this.attempts.set(path, seen);
    this.times.set(path, [...(this.times.get(path) ?? []), Date.now()]);
    const answer = this.statuses.get(path);
    const status = answer === undefined ? 200 : answer(seen.length);
    if (status !== null) response.writeHead(status).end();
  });

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

const receiver = new Receiver();
let system: System;
let client: MerchantClient;

beforeAll(async () => {
  await receiver.listen();
  system = await startSystem({
    webhooksCount: 1,
    environment: {
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      WEBHOOK_RETRY_INTERVAL: '1',
      // A retry that is merely slow, on a busy machine, is not the sweep's: it would wake the workflow beside its own attempt.
      WEBHOOK_OVERDUE: '3',
      WEBHOOK_INITIAL_BACKOFF: '0.5',
      // Longer than a process takes to end, so that a request that hangs is still under way then.
      WEBHOOK_TIMEOUT: '20',
      WEBHOOK_LEASE_MARGIN: '2',
    },
  });
  client = system.client();
}, 120_000);
afterAll(async () => {
  await system?.stop();
  receiver.close();
});

/** A hold that its customer confirms, and the notification of that. */
async function notified(path: string, answer: (n: number) => number | null): Promise<Notification> {
  receiver.statuses.set(path, answer);
  const hold = await client.held(system.sandbox.url, { notify_url: receiver.url(path) });
  const read = async () =>
    (
      await system.rows<Notification>(
        'SELECT id, status, attempts, error FROM webhook_notifications WHERE payment_no = $1',
        [hold.pre_auth_no],
      )
    )[0];
  const row = await eventually('a notification', read, (found) => found !== undefined);
  if (row === undefined) throw new Error('there is no notification');
  return row;
}

async function reaches(id: string, status: string, timeoutMs = 20_000): Promise<Notification> {
  const read = async () =>
    (
      await system.rows<Notification>(
        'SELECT id, status, attempts, error FROM webhook_notifications WHERE id = $1',
        [id],
      )
    )[0];
  const row = await eventually(`status ${status}`, read, (found) => found?.status === status, timeoutMs);
  if (row === undefined) throw new Error('the notification is gone');
  return row;
}

const workflowOf = (id: string) => system.temporal.workflow.getHandle(webhookDeliveryWorkflowId(id));

/** The row says so first, and then the workflow is started. */
const hasWorkflow = (id: string) =>
  eventually(
    'the workflow',
    () =>
      workflowOf(id)
        .describe()
        .catch(() => undefined),
    (run) => run?.status.name === 'RUNNING',
  );

it('retries on the ladder until the receiver takes it, and the workflow ends', async () => {
  const { id } = await notified('/twice', (n) => (n < 3 ? 500 : 200));
  expect(await reaches(id, 'success')).toMatchObject({ attempts: 3, error: null });
  expect(receiver.attempts.get('/twice')).toEqual(['1', '2', '3']);
  await expect(workflowOf(id).result()).resolves.toBe('success');
});

it('a workflow that was terminated is given to the row again by the sweep', async () => {
  const { id } = await notified('/terminated', (n) => (n < 5 ? 500 : 200));
  await hasWorkflow(id);
  await workflowOf(id).terminate('by hand');
  expect(await reaches(id, 'success', 55_000)).toMatchObject({ attempts: 5 });
});

it('an operator gives up: the row says why, and Redis keeps it', async () => {
  const { id } = await notified('/never', () => 503);
  await reaches(id, 'retrying');
  await hasWorkflow(id);
  await workflowOf(id).signal('give_up', { reason: 'the shop has closed' });
  expect(await reaches(id, 'failed')).toMatchObject({ error: 'GIVEN_UP_BY_OPERATOR: the shop has closed' });
  await expect(workflowOf(id).result()).resolves.toBe('failed');
  expect(await keptInRedis(id)).toContain('the shop has closed');
});

/** What Redis has of a notification that was given up. */
async function keptInRedis(id: string): Promise<string> {
  const redis = new Redis(Number(system.environment['REDIS_PORT']), String(system.environment['REDIS_HOST']));
  const key = `webhook:failed:${system.merchant.merchantId}:*`;
  try {
    const read = async () =>
      (await Promise.all((await redis.keys(key)).map((name) => redis.hget(name, id)))).join('');
    return await eventually('the entry in Redis', read, (text) => text !== '');
  } finally {
    redis.disconnect();
  }
}

/** An endpoint in a state, and one old notification that waits for it. @param change columns as SQL */
async function waitingAt(change: string): Promise<{ endpointId: string; id: string }> {
  const [endpointId, id] = [randomUUID(), randomUUID()];
  await system.db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url, event_filter) VALUES ($1, $2, 'explicit', $3, '{webhook.test}')`,
    [endpointId, system.merchant.merchantId, `https://shop.example/${endpointId}`],
  );
  await system.db.query(`UPDATE webhook_endpoints SET ${change} WHERE id = $1`, [endpointId]);
  await system.db.query(
    `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts, created_at)
     VALUES ($1, gen_random_uuid(), $2, $3, $4, 'payment.success', 'https://shop.example/', '{}', '{}', 6, now() - interval '40 days')`,
    [id, endpointId, system.merchant.merchantId, `P-${id}`],
  );
  return { endpointId, id };
}

it.each([
  [
    'DISABLED_TOO_LONG',
    `enabled = false, disabled_reason = 'MERCHANT', disabled_at = now() - interval '31 days'`,
  ],
  ['ENDPOINT_DELETED', 'deleted_at = now()'],
])('what the sweep ends as %s says so in its row and in Redis', async (error, change) => {
  const { id } = await waitingAt(change);
  expect(await reaches(id, 'failed')).toMatchObject({ error, attempts: 0 });
  expect(await keptInRedis(id)).toContain(error);
});

it('what ends with the deletion of its endpoint is in Redis too', async () => {
  const { id, endpointId } = await waitingAt(
    `enabled = false, disabled_reason = 'MERCHANT', disabled_at = now()`,
  );
  expect((await client.call(`/api/v1/webhook-endpoints/${endpointId}`, { method: 'DELETE' })).status).toBe(
    200,
  );
  expect(await reaches(id, 'failed')).toMatchObject({ error: 'ENDPOINT_DELETED' });
  expect(await keptInRedis(id)).toContain('ENDPOINT_DELETED');
});

it('a delivery that hangs while its process ends is made again by the next process, and not before its lease is over', async () => {
  const { id } = await notified('/hangs', (n) => (n === 1 ? 500 : n === 2 ? null : 200));
  await eventually(
    'the request that hangs',
    () => receiver.attempts.get('/hangs')?.length,
    (count) => count === 2,
  );
  const [worker] = system.webhooks;
  if (worker === undefined) throw new Error('nobody delivers');
  process.kill(worker.pid() ?? 0, 'SIGTERM');
  await eventually(
    'the end of the process',
    () => worker.pid(),
    (pid) => pid === undefined,
  );
  expect(system.logs('webhooks')).toContain('worker stopped');
  // The receiver may be at work yet: nobody else asks it before the time is over that any attempt may take.
  const leases = await system.rows<{ until: Date }>(
    'SELECT until FROM webhook_leases WHERE notification_id = $1 AND until > now()',
    [id],
  );
  expect(leases).toHaveLength(1);
  await worker.restart();
  // The attempt that nobody saw the end of was not counted.
  expect(await reaches(id, 'success', 40_000)).toMatchObject({ attempts: 2 });
  expect(receiver.attempts.get('/hangs')).toEqual(['1', '2', '2']);
  expect(receiver.times.get('/hangs')?.[2]).toBeGreaterThanOrEqual(leases[0]?.until.getTime() ?? Infinity);
});
