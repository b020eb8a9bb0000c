/**
 * Twenty endpoints, one of which hangs and one of which refuses connections: no delivery of the others waits for them,
 * neither for their first attempts nor for their retries.
 */
import { pino } from 'pino';
import { createWebhookGateway } from '../../src/temporal/webhook-gateway';
import { startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { eventually } from '../e2e/eventually';
import { SOAK } from './victims';
import { countsOf, EndpointClient, flow, numbers, orphans, spread, tell, waitsOf } from './webhook-flow';
import { answering, hanging, Shop } from './webhook-shop';

const ENDPOINTS = 20;
const HEALTHY = ENDPOINTS - 2;
const EVENTS = SOAK ? 1_500 : 100;
const PER_SECOND = SOAK ? 25 : 20;
const TIMEOUT_MS = SOAK ? 30_000 : 4_000;
const THINKING_MS = 20;
const IN_RETRY = 50;
/** Nothing listens there. */
const REFUSING = 'http://127.0.0.1:9/refuses';

let system: System;
let shop: Shop;
let endpoints: EndpointClient;
const healthy: string[] = [];
let runs = 0;

beforeAll(async () => {
  shop = await Shop.start();
  system = await startSystem({
    workerCount: 0,
    webhooksCount: 1,
    environment: {
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      WEBHOOK_TIMEOUT: String(TIMEOUT_MS / 1_000),
      WEBHOOK_LEASE_MARGIN: '2',
      // Gates stay open, so that the bad ones are attempted all the time: the worst case for their neighbours.
      WEBHOOK_GATE_WINDOW: '3600',
      WEBHOOK_INITIAL_BACKOFF: '0.5',
    },
  });
  endpoints = new EndpointClient(system.apiUrl, system.merchant.apiKey);
  for (let i = 0; i < HEALTHY; i += 1) {
    shop.on(`/good-${i}`, answering(200, THINKING_MS));
    healthy.push(await endpoints.create({ url: shop.url(`/good-${i}`) }));
  }
}, 180_000);
afterAll(async () => {
  await system?.stop();
  await shop?.away();
}, 60_000);

test(
  'no delivery of the others waits for the one that hangs or the one that refuses',
  async () => {
    const before = await run('A');

    const hangs = await endpoints.create({ url: shop.url('/hangs'), max_retries: 40 });
    const refuses = await endpoints.create({ url: REFUSING, max_retries: 40 });
    shop.on('/hangs', hanging);
    // A success within the window is what keeps their gates open.
    await system.rows('UPDATE webhook_endpoints SET last_success_at = now() WHERE id = ANY ($1)', [
      [hangs, refuses],
    ]);
    const fresh = await run('B');

    await Promise.all([hangs, refuses].map((id) => putInRetry(id, IN_RETRY)));
    const inRetry = await run('C');

    tell(
      `ms from outbox to attempt at ${HEALTHY} healthy endpoints: ${JSON.stringify({ before, fresh, inRetry })}`,
    );
    // Whoever waits for a hanging one waits for its time-out.
    expect(fresh.max).toBeLessThan(TIMEOUT_MS / 2);
    expect(inRetry.max).toBeLessThan(TIMEOUT_MS / 2);
    expect(inRetry.p99).toBeLessThan(before.p99 + TIMEOUT_MS / 4);
    // And the bad ones were really being attempted, all their places taken, their retries too.
    expect(Math.max(...shop.at('/hangs').map(({ open }) => open))).toBe(10);
    expect(shop.at('/hangs').filter(({ attempt }) => attempt > 1).length).toBeGreaterThanOrEqual(2);
    const retries = await system.rows(
      `SELECT 1 FROM webhook_attempts a JOIN webhook_notifications n ON n.id = a.notification_id
       WHERE n.endpoint_id = $1 AND a.kind = 'retry' AND a.error = 'CONNECT_FAILED'`,
      [refuses],
    );
    expect(retries.length).toBeGreaterThan(IN_RETRY);

    await Promise.all([hangs, refuses].map((id) => endpoints.remove(id)));
    await eventually(
      'nothing left over',
      () => orphans(system.db, system.temporal, system.webhooksTaskQueue),
      (found) => found.length === 0,
      TIMEOUT_MS + 40_000,
    );
  },
  SOAK ? 900_000 : 120_000,
);

/** One event after another to everybody. @returns how long the deliveries of the healthy ones took */
async function run(name: string): Promise<{ p50: number; p99: number; max: number }> {
  const since = new Date();
  runs += 1;
  await flow(system.db, system.merchant.merchantId, numbers(name, EVENTS), PER_SECOND);
  await eventually(
    'all healthy ones delivered',
    async () =>
      (await Promise.all(healthy.map((id) => countsOf(system.db, id)))).map(({ success }) => success),
    (counts) => counts.every((count) => count === EVENTS * runs),
    60_000,
  );
  const waits = await Promise.all(healthy.map((id) => waitsOf(system.db, id, since)));
  return spread(waits.flat().sort((a, b) => a - b));
}

/** Has workflows carry this many of an endpoint's notifications, due from now on one after the other. */
async function putInRetry(endpointId: string, count: number): Promise<void> {
  const { merchantId } = system.merchant;
  const { rows } = await system.db.query<{ id: string; payment_no: string; pause_ms: number }>(
    `WITH chosen AS (
       SELECT n.id, row_number() OVER () AS k FROM webhook_notifications n
       WHERE n.endpoint_id = $1 AND n.status IN ('pending', 'retrying')
         AND NOT EXISTS (SELECT FROM webhook_leases l WHERE l.notification_id = n.id)
       ORDER BY n.status = 'pending' LIMIT $2
     )
     UPDATE webhook_notifications n SET status = 'retrying', attempts = greatest(attempts, 1),
       next_retry_at = now() + k * interval '60 milliseconds'
     FROM chosen WHERE n.id = chosen.id RETURNING n.id, n.payment_no,
       (extract(epoch FROM n.next_retry_at - now()) * 1000)::float8 AS pause_ms`,
    [endpointId, count],
  );
  expect(rows).toHaveLength(count);
  const gateway = createWebhookGateway(system.temporal, pino({ level: 'silent' }), {
    taskQueue: system.webhooksTaskQueue,
    eager: false,
    isRetrying: () => Promise.resolve(true),
  });
  for (const { id, payment_no: paymentNo, pause_ms: pauseMs } of rows) {
    await gateway.ensure({
      ...{ notificationId: id, merchantId, paymentNo, event: 'payment.success', endpointHost: '127.0.0.1' },
      ...{ attempts: 1, maxAttempts: 41, pauseMs },
    });
  }
  await gateway.close(1_000);
}
