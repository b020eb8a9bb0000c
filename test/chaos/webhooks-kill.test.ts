/**
 * The webhook worker, Temporal, PostgreSQL and Redis are killed with SIGKILL in turn while notifications flow, and the
 * receiver goes away for a while. Nothing is lost; what is repeated was under way at a kill and carries the same id.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDemoMerchant } from '../../dev/demo-client';
import { temporaryDataDir } from '../../dev/stack/paths';
import { signal } from '../../dev/stack/process-table';
import { logTail } from '../../dev/stack/processes';
import type { Server } from '../../dev/stack/processes';
import { startStack } from '../../dev/stack/stack';
import { eventually } from '../e2e/eventually';
import { seededRandom } from '../../dev/seeded-random';
import { SEED, SOAK, Victims } from './victims';
import { checkWebhooks, READ_BOOKS, repeatsIn } from './webhook-books';
import type { NotificationBook } from './webhook-books';
import { EndpointClient, flow, insistently, numbers, orphans, tell } from './webhook-flow';
import type { Emitted } from './webhook-flow';
import { Shop } from './webhook-shop';

const COUNT = SOAK ? 10_000 : 400;
const PER_SECOND = SOAK ? 60 : 30;
const ROUNDS = SOAK ? 3 : 1;
const AWAY_MS = SOAK ? 30_000 : 3_000;
const PAUSE_MS = SOAK ? 10_000 : 500;
/** The receiver thinks for so long at most, so that there is something under way when the worker dies. */
const THINKING_MS = 200;
const FLAKY_SHARE = 0.03;
const TRICKLE_PAUSE_MS = 500;
const TRICKLE = 'refund.success';
const SETTLED_WITHIN_MS = SOAK ? 900_000 : 100_000;
const WEBHOOKS_QUEUE = 'webhooks';
/** Kept in the soak: what production has, but for a lease and a sweep that a test can wait for. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  LOG_LEVEL: 'info',
  WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
  WEBHOOK_LEASE_MARGIN: '5',
  WEBHOOK_TIMEOUT: '5',
  WEBHOOK_RETRY_INTERVAL: SOAK ? '30' : '2',
  WEBHOOK_OVERDUE: SOAK ? '10' : '2',
  WEBHOOK_INITIAL_BACKOFF: SOAK ? '1' : '0.2',
  WEBHOOK_PROBE_INTERVAL: SOAK ? '5' : '1',
  WEBHOOK_GATE_WINDOW: SOAK ? '10' : '1',
};

const OPEN = `
SELECT n.id, n.status, n.attempts, n.next_retry_at, e.url, e.gated_at, e.next_probe_at, l.until
FROM webhook_notifications n JOIN webhook_endpoints e ON e.id = n.endpoint_id
LEFT JOIN webhook_leases l ON l.notification_id = n.id  WHERE n.status IN ('pending', 'retrying')`;
const TWELVE = '/twelve';
const FIVE = '/five';

let victims: Victims;
let shop: Shop;
let endpoints: EndpointClient;
const random = seededRandom(SEED);
const deaths: string[] = [];
const began = new Date();
/** What the endpoint with five retries refuses until it is repaired. */
let isRepaired = false;
const isRefused = ({ id, type }: { id: string; type: string }) => id.startsWith('0') && type !== TRICKLE;

beforeAll(async () => {
  shop = await Shop.start();
  const stack = await startStack({
    ...{ dataDir: temporaryDataDir('webhook-chaos'), ports: 'free', temporary: true, headlessUi: true },
    only: ['postgres', 'redis', 'temporal', 'api', 'webhooks'],
    environment: ENVIRONMENT,
    onUnexpectedExit: ({ name, logFile }, how) => deaths.push(`${name} (${how}):\n${logTail(logFile)}`),
  });
  victims = new Victims(stack, deaths);
  const adminKey = stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
  victims.merchant = await createDemoMerchant(victims.apiUrl, adminKey, 'Grand Hotel');
  endpoints = new EndpointClient(victims.apiUrl, victims.merchant.apiKey);
}, 180_000);
afterAll(async () => {
  await victims?.stop();
  await shop?.away();
}, 30_000);

test(
  `${COUNT} notifications to each of two endpoints survive every death (HOLDFAST_SEED=${SEED})`,
  async () => {
    const think = () => ({ status: random() < FLAKY_SHARE ? 500 : 200, afterMs: random() * THINKING_MS });
    shop.on(TWELVE, think);
    shop.on(FIVE, ({ id, event }) =>
      isRefused({ id, type: event }) && !isRepaired ? { status: 503 } : think(),
    );
    const patient = await endpoints.create({ url: shop.url(TWELVE), max_retries: 12 });
    const hasty = await endpoints.create({ url: shop.url(FIVE) });
    const { merchantId } = victims.merchant;
    const flowing = flow(victims.db, merchantId, numbers('K', COUNT), PER_SECOND);
    const inFlight = await killInTurn();
    const emitted = await flowing;
    // Where nothing but refused ones is left the gate shuts and nobody's ladder goes on, so something still arrives.
    const trickling = trickle(merchantId);
    await untilSettled();
    emitted.push(...(await trickling()));
    const settled = await untilSettled();
    expect(await findings(emitted, settled)).toEqual([]);
    const givenUp = settled.filter(({ status }) => status === 'failed');
    // With twelve retries nothing is given up; with five what was refused for as long as they last is.
    expect(givenUp.filter(({ path }) => path === TWELVE)).toEqual([]);
    const refused = emitted.filter(isRefused).map(({ id }) => id);
    expect(refused.length).toBeGreaterThan(0);
    expect(givenUp.map((book) => book.event_id)).toEqual(expect.arrayContaining(refused));

    isRepaired = true;
    expect(await endpoints.recover(patient, began)).toBe(0);
    expect(await endpoints.recover(hasty, began)).toBe(givenUp.length);
    const books = await untilSettled();
    expect(books.filter(({ status }) => status !== 'success')).toEqual([]);
    expect(await findings(emitted, books)).toEqual([]);
    const repeats = repeatsIn(shop.deliveries);
    tell(
      `${books.length} notifications, ${shop.deliveries.length} requests, ${givenUp.length} given up and recovered, ` +
        `${inFlight} under way when the worker died, ${repeats} told twice`,
    );
    expect(repeats).toBeLessThanOrEqual(inFlight);
    expect(deaths).toEqual([]);
  },
  SETTLED_WITHIN_MS * 2 + 120_000,
);

/** A little goes on flowing. @returns how to stop it, which tells what there was */
function trickle(merchantId: string): () => Promise<Emitted[]> {
  const all: Emitted[] = [];
  let isOn = true;
  const flowing = (async () => {
    for (let i = 0; isOn; i += 1) {
      all.push(...(await flow(victims.db, merchantId, numbers(`T${i}`, 1, TRICKLE), 1)));
      await sleep(TRICKLE_PAUSE_MS);
    }
  })();
  return async () => {
    isOn = false;
    await flowing;
    return all;
  };
}

/** @returns how many deliveries were under way at the deaths of the webhook worker, all together */
async function killInTurn(): Promise<number> {
  const { stack } = victims;
  const [worker] = stack.webhooks;
  if (worker === undefined) throw new Error('nobody delivers');
  let inFlight = 0;
  await eventually(
    'the first deliveries',
    () => shop.deliveries.length,
    (count) => count > 10,
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    const inTurn: readonly Server[] = [worker, stack.temporal, stack.postgres, stack.redis];
    for (const server of inTurn) {
      if (server === worker) inFlight += await freeze(worker);
      await dies(server);
      await sleep(PAUSE_MS);
    }
    await shop.away();
    await sleep(AWAY_MS);
    await shop.back();
    await sleep(PAUSE_MS);
  }
  return inFlight;
}

/** Nothing more leaves it, so that what was under way can be counted: its leases. */
async function freeze(worker: Server): Promise<number> {
  await sleep(random() * PAUSE_MS);
  signal(worker.pid() ?? 0, 'SIGSTOP');
  const counted = await victims.rows<{ n: number }>(
    'SELECT count(*) AS n FROM webhook_leases WHERE until > now()',
  );
  return counted[0]?.n ?? 0;
}

async function dies(server: Server): Promise<void> {
  await server.kill();
  await sleep(500 + random() * 1_000);
  await victims.bringUp(server);
}

async function untilSettled(): Promise<NotificationBook[]> {
  await eventually(
    'every notification at its end',
    () => insistently(() => victims.rows(OPEN)),
    (open) => open.length === 0,
    SETTLED_WITHIN_MS,
  );
  return victims.rows<NotificationBook>(READ_BOOKS);
}

async function findings(emitted: readonly Emitted[], books: readonly NotificationBook[]): Promise<string[]> {
  const ids = emitted.map(({ id }) => id);
  const owed = new Map([TWELVE, FIVE].map((path) => [path, ids]));
  const unowned = await victims.withTemporal((client) =>
    eventually(
      'no workflow left over',
      () => orphans(victims.db, client, WEBHOOKS_QUEUE),
      (found) => found.length === 0,
    ),
  );
  return [...checkWebhooks({ owed, books, deliveries: shop.deliveries }), ...unowned];
}
