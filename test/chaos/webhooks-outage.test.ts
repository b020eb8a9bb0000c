/**
 * An endpoint that is dead for a while under a steady flow, and endpoints that are switched off, deleted or moved while
 * their retries sleep: nothing is lost, nothing is stuck, and nobody is bothered more than agreed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { eventually } from '../e2e/eventually';
import { SOAK } from './victims';
import { countsOf, emit, EndpointClient, flow, numbers, orphans, tell } from './webhook-flow';
import { answering, Shop, told } from './webhook-shop';

const DEAD_MS = SOAK ? 600_000 : 10_000;
const PER_SECOND = 50;
const MAX_IN_RETRY = 50;
const MAX_IN_FLIGHT = 10;
const PROBE_INTERVAL_MS = SOAK ? 30_000 : 2_000;
const GATE_WINDOW_MS = SOAK ? 10_000 : 3_000;
/** An idle relay looks every second, and for due probes at every other of these looks. */
const LOOK_MS = 2_200;
const THINKING_MS = 25;
const SAMPLE_MS = 50;
/** Fewer than shut a gate. */
const SLEEPERS = 15;
const ASLEEP_SECONDS = 6;

let system: System;
let shop: Shop;
let endpoints: EndpointClient;

beforeAll(async () => {
  shop = await Shop.start();
  system = await startSystem({
    workerCount: 0,
    webhooksCount: 2,
    environment: {
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      WEBHOOK_MAX_IN_RETRY_PER_ENDPOINT: String(MAX_IN_RETRY),
      WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT: String(MAX_IN_FLIGHT),
      WEBHOOK_PROBE_INTERVAL: String(PROBE_INTERVAL_MS / 1_000),
      WEBHOOK_GATE_WINDOW: String(GATE_WINDOW_MS / 1_000),
      WEBHOOK_RETRY_INTERVAL: '2',
      WEBHOOK_OVERDUE: '2',
    },
  });
  endpoints = new EndpointClient(system.apiUrl, system.merchant.apiKey);
}, 180_000);
afterAll(async () => {
  await system?.stop();
  await shop?.away();
}, 60_000);

const noOrphans = (timeoutMs = 30_000) =>
  eventually(
    'no orphans',
    () => orphans(system.db, system.temporal, system.webhooksTaskQueue),
    (found) => found.length === 0,
    timeoutMs,
  );

/** Looks again and again how many an endpoint has in retry. @returns how to stop, which tells the most there were */
function watchRetries(endpointId: string): () => Promise<number> {
  let most = 0;
  let isOn = true;
  const watching = (async () => {
    while (isOn) {
      most = Math.max(most, (await countsOf(system.db, endpointId))['retrying'] ?? 0);
      await sleep(SAMPLE_MS);
    }
  })();
  return async () => {
    isOn = false;
    await watching;
    return most;
  };
}

async function gatedAt(endpointId: string): Promise<number | undefined> {
  const rows = await system.rows<{ gated_at: Date | null }>(
    'SELECT gated_at FROM webhook_endpoints WHERE id = $1',
    [endpointId],
  );
  return rows[0]?.gated_at?.getTime();
}

test(
  `an endpoint that is dead for ${DEAD_MS / 1_000} s under ${PER_SECOND} events/s`,
  async () => {
    const path = '/dead';
    const { merchantId, apiKey } = await system.createMerchant('Dead');
    const id = await new EndpointClient(system.apiUrl, apiKey).create({
      url: shop.url(path),
      max_retries: 12,
    });
    await emit(system.db, merchantId, numbers('before', 1));
    await eventually(
      'a first success',
      () => countsOf(system.db, id),
      (counts) => counts['success'] === 1,
    );
    shop.on(path, answering(503, THINKING_MS));
    const stopWatching = watchRetries(id);
    const count = Math.round((DEAD_MS / 1_000) * PER_SECOND);
    const [gateMs] = await Promise.all([
      eventually(
        'the gate',
        () => gatedAt(id),
        (at) => at !== undefined,
        GATE_WINDOW_MS + 20_000,
      ),
      flow(system.db, merchantId, numbers('dead', count), PER_SECOND),
    ]);
    expectOneProbeAnInterval(path, gateMs ?? 0);

    const backMs = Date.now();
    shop.on(path, answering(200, THINKING_MS));
    await eventually(
      'everything delivered',
      () => countsOf(system.db, id),
      (counts) => counts['success'] === count + 1,
      PROBE_INTERVAL_MS + (SOAK ? 300_000 : 40_000),
    );
    const most = await stopWatching();
    const since = shop.at(path).filter(({ atMs }) => atMs >= backMs);
    expectRamp(since.map(({ open }) => open));
    const firstMs = (since[0]?.atMs ?? Infinity) - backMs;
    expect(firstMs).toBeLessThan(PROBE_INTERVAL_MS + LOOK_MS);
    expect(most).toBeLessThanOrEqual(MAX_IN_RETRY);
    // The gate stayed open long enough for the limit to be reached.
    expect(most).toBe(MAX_IN_RETRY);
    expect([...told(shop.at(path)).values()].filter((same) => same.length > 1)).toEqual([]);
    await noOrphans();
    const tookMs = (since.at(-1)?.atMs ?? 0) - backMs;
    tell(
      `dead endpoint: most in retry ${most}, first delivery ${firstMs} ms after its return, the last of ${count} ${tookMs} ms after`,
    );
  },
  DEAD_MS + 400_000,
);

/** Between the gate and the return: one request at once, then one each interval. */
function expectOneProbeAnInterval(path: string, gateMs: number): void {
  // What was under way when the gate shut still comes in.
  const probes = shop.at(path).filter(({ atMs }) => atMs > gateMs + THINKING_MS * 10);
  const intervals = (Date.now() - gateMs) / PROBE_INTERVAL_MS;
  tell(`dead endpoint: ${probes.length} probes in ${intervals.toFixed(1)} intervals`);
  expect(probes.length).toBeLessThanOrEqual(Math.ceil(intervals));
  expect(probes.length).toBeGreaterThanOrEqual(
    Math.floor(intervals / ((PROBE_INTERVAL_MS + LOOK_MS) / PROBE_INTERVAL_MS)) - 1,
  );
  const gaps = probes.slice(1).map(({ atMs }, i) => atMs - (probes[i]?.atMs ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThan(PROBE_INTERVAL_MS * 0.9);
}

/** 1 at once, then 2, 4, 8 and the limit: how many were under way when each request came. */
function expectRamp(open: readonly number[]): void {
  expect(Math.max(...open.slice(0, 2))).toBe(1);
  expect(Math.max(...open.slice(0, 4))).toBeLessThanOrEqual(2);
  expect(Math.max(...open)).toBeGreaterThan(MAX_IN_FLIGHT / 2);
  expect(Math.max(...open)).toBeLessThanOrEqual(MAX_IN_FLIGHT);
}

describe('while retries sleep', () => {
  const [OFF, GONE, OLD, NEW] = ['/off', '/gone', '/old', '/new'];

  test('an endpoint is switched off, deleted, moved: each as agreed', async () => {
    const asking = { status: 503, retryAfterSeconds: ASLEEP_SECONDS };
    const ids: string[] = [];
    for (const path of [OFF, GONE, OLD]) {
      shop.on(path, () => asking);
      ids.push(await endpoints.create({ url: shop.url(path), max_retries: 12 }));
    }
    const [off = '', gone = '', moved = ''] = ids;
    await emit(system.db, system.merchant.merchantId, numbers('sleeper', SLEEPERS));
    for (const id of ids) {
      const asleep = (counts: Record<string, number>) => counts['retrying'] === SLEEPERS;
      await eventually('all asleep', () => countsOf(system.db, id), asleep, 30_000);
    }
    await noOrphans();
    await Promise.all([
      endpoints.change(off, { enabled: false }),
      endpoints.remove(gone),
      endpoints.change(moved, { url: shop.url(NEW) }),
    ]);
    await expectMoved(moved);
    await expectGone(gone);
    await expectOff(off);
    await noOrphans();
  }, 120_000);

  test('a new address opens the gate at once, for those whose pause is not over too', async () => {
    shop.on('/lame', () => ({ status: 503, retryAfterSeconds: 3_000 }));
    const { merchantId, apiKey } = await system.createMerchant('Lame');
    const client = new EndpointClient(system.apiUrl, apiKey);
    const id = await client.create({ url: shop.url('/lame'), max_retries: 12 });
    await emit(system.db, merchantId, numbers('lame', 2 * SLEEPERS));
    await eventually(
      'the gate',
      () => gatedAt(id),
      (at) => at !== undefined,
    );
    await client.change(id, { url: shop.url('/sound') });
    await eventually(
      'all there',
      () => countsOf(system.db, id),
      (counts) => counts['success'] === 2 * SLEEPERS,
    );
    await noOrphans();
  }, 60_000);

  /** Everything goes to the new address, nothing more to the old one, and no gate is in the way. */
  async function expectMoved(id: string): Promise<void> {
    const changedMs = Date.now();
    await eventually(
      'all at the new address',
      () => countsOf(system.db, id),
      (counts) => counts['success'] === SLEEPERS,
    );
    expect(new Set(shop.at(NEW).map((delivery) => delivery.id)).size).toBe(SLEEPERS);
    expect(await gatedAt(id)).toBeUndefined();
    await sleep(500);
    // What was under way when it moved.
    expect(shop.at(OLD).filter(({ atMs }) => atMs > changedMs + 200)).toEqual([]);
  }

  async function expectGone(id: string): Promise<void> {
    const read = () => countsOf(system.db, id);
    await eventually('all ended', read, (counts) => counts['failed'] === SLEEPERS);
    const rows = await system.rows<{ error: string }>(
      'SELECT DISTINCT error FROM webhook_notifications WHERE endpoint_id = $1',
      [id],
    );
    expect(rows).toEqual([{ error: 'ENDPOINT_DELETED' }]);
  }

  /** They wait as long as it is off, without a workflow and without a request, and flow when it is on again. */
  async function expectOff(id: string): Promise<void> {
    await eventually(
      'all wait',
      () => countsOf(system.db, id),
      (counts) => counts['pending'] === SLEEPERS,
    );
    await noOrphans();
    const soFar = shop.at(OFF).length;
    shop.on(OFF, answering(200));
    await sleep(3_000);
    expect(shop.at(OFF)).toHaveLength(soFar);
    await endpoints.change(id, { enabled: true });
    await eventually(
      'all delivered',
      () => countsOf(system.db, id),
      (counts) => counts['success'] === SLEEPERS,
    );
  }
});
