/**
 * Who may send and whose word counts: a worker that was frozen beyond its lease, one relay beside three processes of
 * retries, and retries whose workflow was never started.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { signal } from '../../dev/stack/process-table';
import type { Server } from '../../dev/stack/processes';
import { startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { eventually } from '../e2e/eventually';
import { SOAK } from './victims';
import { countsOf, emit, EndpointClient, numbers, orphans, tell } from './webhook-flow';
import { answering, hanging, Shop } from './webhook-shop';

const MAX_IN_FLIGHT = 10;
const TIMEOUT_S = 4;
const LEASE_MS = (TIMEOUT_S + 2) * 1_000;
/**
 * Temporal takes a worker that sends no heartbeat for dead after 20 s, and still hands work to its open polls, a minute
 * long: that is why only the soak has the retry of a workflow frozen, and the relay's first attempt is always.
 */
const TAKEN_OVER_WITHIN_MS = SOAK ? 200_000 : 30_000;
const CROWD = SOAK ? 3_000 : 150;
const LOST = SOAK ? 1_500 : 40;

let shop: Shop;
let system: System;

beforeAll(async () => {
  shop = await Shop.start();
  system = await startSystem({
    ...{ workerCount: 0, webhooksCount: 1 },
    environment: {
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      WEBHOOK_TIMEOUT: String(TIMEOUT_S),
      WEBHOOK_LEASE_MARGIN: '2',
      WEBHOOK_RETRY_INTERVAL: '2',
      WEBHOOK_OVERDUE: '1',
      WEBHOOK_INITIAL_BACKOFF: '0.2',
      WEBHOOK_GATE_WINDOW: '3600',
      WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT: String(MAX_IN_FLIGHT),
    },
  });
}, 180_000);
afterAll(async () => {
  await system?.stop();
  await shop?.away();
}, 60_000);

async function endpointAt(path: string, fields: { max_retries?: number } = {}) {
  const { merchantId, apiKey } = await system.createMerchant(path);
  const id = await new EndpointClient(system.apiUrl, apiKey).create({ url: shop.url(path), ...fields });
  return { id, merchantId };
}

const noOrphans = () =>
  eventually(
    'no orphans',
    () => orphans(system.db, system.temporal, system.webhooksTaskQueue),
    (found) => found.length === 0,
    60_000,
  );

const becomes = (id: string, status: string, count: number, timeoutMs: number) =>
  eventually(
    `${count} ${status}`,
    () => countsOf(system.db, id),
    (counts) => counts[status] === count,
    timeoutMs,
  );

interface Row {
  status: string;
  attempts: number;
  status_code: number;
  error: string | null;
}

const rowOf = async (id: string): Promise<Row | undefined> =>
  (
    await system.rows<Row>(
      'SELECT status, attempts, status_code, error FROM webhook_notifications WHERE endpoint_id = $1',
      [id],
    )
  )[0];

test(
  'the late failure of a worker that was frozen beyond its lease overwrites no success of another',
  async () => {
    const [frozen] = system.webhooks as [Server];
    shop.on('/first', hanging);
    shop.on('/retry', ({ attempt }) => (attempt === 1 ? { status: 500 } : null));
    // How many requests the path has seen when the one that hangs is there.
    const hangingAt: Readonly<Record<string, number>> = SOAK ? { '/retry': 2, '/first': 1 } : { '/first': 1 };
    const ids: string[] = [];
    for (const [path, nth] of Object.entries(hangingAt)) {
      const { id, merchantId } = await endpointAt(path);
      await emit(system.db, merchantId, numbers('F', 1));
      const seen = () => shop.at(path).length;
      await eventually(`${path} hangs`, seen, (count) => count === nth);
      ids.push(id);
    }
    signal(frozen.pid() ?? 0, 'SIGSTOP');
    try {
      // A refusal that would end it, and that the frozen one reads when it thaws.
      for (const path of Object.keys(hangingAt)) {
        shop.release(path, 404);
        shop.on(path, answering(200));
      }
      await Promise.all([system.startWebhooks(), sleep(LEASE_MS)]);
      for (const id of ids) await becomes(id, 'success', 1, TAKEN_OVER_WITHIN_MS);
    } finally {
      signal(frozen.pid() ?? 0, 'SIGCONT');
    }
    const told = await Promise.all(ids.map(rowOf));
    await sleep(LEASE_MS);
    expect(frozen.pid()).toBeDefined();
    expect(await Promise.all(ids.map(rowOf))).toEqual(told);
    expect(told).toEqual(
      Object.values(hangingAt).map((attempts) => ({
        status: 'success',
        attempts,
        status_code: 200,
        error: null,
      })),
    );
    const late = await system.rows(
      `SELECT 1 FROM webhook_attempts WHERE status_code = 404 OR error IS NOT NULL`,
    );
    expect(late).toEqual([]);
    await noOrphans();
  },
  TAKEN_OVER_WITHIN_MS + 120_000,
);

test(
  'the sweep finds retries whose workflow was never started',
  async () => {
    const { id, merchantId } = await endpointAt('/lost', { max_retries: 12 });
    // Written while nobody may send them, so that nothing but the sweep can have brought them.
    await system.rows(
      `UPDATE webhook_endpoints SET enabled = false, disabled_at = now(), disabled_reason = 'MERCHANT' WHERE id = $1`,
      [id],
    );
    await emit(system.db, merchantId, numbers('L', LOST));
    await system.rows(
      `UPDATE webhook_notifications SET status = 'retrying', attempts = 1, next_retry_at = now() WHERE endpoint_id = $1`,
      [id],
    );
    await sleep(3_000);
    expect(shop.at('/lost')).toEqual([]);
    expect(await orphans(system.db, system.temporal, system.webhooksTaskQueue)).toHaveLength(LOST);
    await system.rows(
      'UPDATE webhook_endpoints SET enabled = true, disabled_at = NULL, disabled_reason = NULL WHERE id = $1',
      [id],
    );
    // Each of them is a workflow of its own: some ten a second on a small machine.
    await becomes(id, 'success', LOST, SOAK ? 400_000 : 40_000);
    expect(shop.at('/lost')).toHaveLength(LOST);
    await noOrphans();
  },
  SOAK ? 600_000 : 120_000,
);

test(
  'one limit per endpoint holds over one relay and three processes of retries',
  async () => {
    await Promise.all(system.webhooks.map((server) => server.stop()));
    const { id, merchantId } = await endpointAt('/crowd', { max_retries: 12 });
    await system.rows('UPDATE webhook_endpoints SET last_success_at = now() WHERE id = $1', [id]);
    shop.on('/crowd', ({ attempt }) => ({ status: attempt < 3 ? 500 : 200, afterMs: 40 }));
    await emit(system.db, merchantId, numbers('C', CROWD));
    const servers = await Promise.all([
      system.startWebhooks({ WORKER_ROLES: 'relay' }),
      ...[1, 2, 3].map(() => system.startWebhooks({ WORKER_ROLES: 'webhooks' })),
    ]);
    await becomes(id, 'success', CROWD, SOAK ? 300_000 : 90_000);
    const deliveries = shop.at('/crowd');
    const most = Math.max(...deliveries.map(({ open }) => open));
    const kinds = await system.rows<{ kind: string; n: number }>(
      `SELECT a.kind, count(*) AS n FROM webhook_attempts a JOIN webhook_notifications n ON n.id = a.notification_id
       WHERE n.endpoint_id = $1 GROUP BY a.kind ORDER BY a.kind`,
      [id],
    );
    tell(
      `${servers.length} processes, ${deliveries.length} requests, at most ${most} at once; ${JSON.stringify(kinds)}`,
    );
    expect(most).toBeLessThanOrEqual(MAX_IN_FLIGHT);
    expect(most).toBeGreaterThan(MAX_IN_FLIGHT - 3);
    // Three each, as nobody sent twice what somebody else was sending.
    expect(deliveries).toHaveLength(CROWD * 3);
    await noOrphans();
  },
  SOAK ? 600_000 : 150_000,
);
