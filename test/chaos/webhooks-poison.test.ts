/** Notifications that their receiver cannot digest, among good ones: these are not held up, and the gate does not stay shut. */
import { startSystem } from '../e2e/harness';
import type { System } from '../e2e/harness';
import { eventually } from '../e2e/eventually';
import { seededRandom } from '../../dev/seeded-random';
import { SEED, SOAK } from './victims';
import { emit, EndpointClient, flow, numbers, orphans, spread, tell, waitsOf } from './webhook-flow';
import { Shop } from './webhook-shop';

const GOOD = SOAK ? 10_000 : 500;
const PER_SECOND = SOAK ? 60 : 100;
const POISON = 50;
const IN_A_ROW = 20;
const THINKING_MS = 10;
const PROBE_INTERVAL_MS = SOAK ? 30_000 : 3_000;
/** What an own rhythm of the relay and a ramp from 1 to 10 may cost, on a machine that does other things besides. */
const MAX_WAIT_MS = 5_000;
/** An idle relay looks every second, and for due probes at every other of these looks. */
const LOOK_MS = 2_200;
const POISONOUS = 'dispute.opened';
const GOOD_TYPE = 'payment.success';

type Wanted = { no: string; type: typeof POISONOUS | typeof GOOD_TYPE };

let system: System;
let shop: Shop;

beforeAll(async () => {
  shop = await Shop.start();
  system = await startSystem({
    workerCount: 0,
    webhooksCount: 1,
    environment: {
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      WEBHOOK_PROBE_INTERVAL: String(PROBE_INTERVAL_MS / 1_000),
      WEBHOOK_GATE_WINDOW: SOAK ? '10' : '1',
      WEBHOOK_INITIAL_BACKOFF: SOAK ? '1' : '0.2',
    },
  });
}, 180_000);
afterAll(async () => {
  await system?.stop();
  await shop?.away();
}, 60_000);

const poisoned = (prefix: string, count: number): Wanted[] => numbers(prefix, count, POISONOUS) as Wanted[];
const good = (count: number): Wanted[] => numbers('G', count, GOOD_TYPE) as Wanted[];

/** Where the poison stands among the good ones. */
const ORDERS: Readonly<Record<string, () => Wanted[]>> = {
  scattered() {
    const random = seededRandom(SEED);
    const order = good(GOOD);
    for (const one of poisoned('P', POISON)) order.splice(Math.floor(random() * order.length), 0, one);
    return order;
  },
  'in a row': () => {
    const order = good(GOOD);
    for (let i = 0; i < POISON / IN_A_ROW; i += 1) {
      const at = Math.floor(((i + 1) * GOOD) / 4);
      order.splice(at, 0, ...poisoned(`P${i}`, Math.min(IN_A_ROW, POISON - i * IN_A_ROW)));
    }
    return order;
  },
  'as the oldest': () => [...poisoned('P', POISON), ...good(GOOD)],
};

/** A merchant of its own whose one endpoint answers 500 to the poison. */
async function poisonedEndpoint(path: string) {
  shop.on(path, ({ event }) => ({ status: event === POISONOUS ? 500 : 200, afterMs: THINKING_MS }));
  const { merchantId, apiKey } = await system.createMerchant(path);
  const id = await new EndpointClient(system.apiUrl, apiKey).create({ url: shop.url(path) });
  return { id, merchantId };
}

const isGated = async (id: string) =>
  (await system.rows('SELECT 1 FROM webhook_endpoints WHERE id = $1 AND gated_at IS NOT NULL', [id]))
    .length === 1;

const allGoodArrived = (path: string, count: number) =>
  eventually(
    'every good one delivered',
    () =>
      new Set(
        shop
          .at(path)
          .filter(({ status }) => status === 200)
          .map(({ id }) => id),
      ).size,
    (arrived) => arrived === count,
    PROBE_INTERVAL_MS + 60_000,
  );

test.each(Object.keys(ORDERS))(
  `${POISON} poisonous ones ${'%s'} hold up none of ${GOOD} good ones`,
  async (name) => {
    const path = `/${name.replaceAll(' ', '-')}`;
    const { id, merchantId } = await poisonedEndpoint(path);
    const wanted = ORDERS[name]?.() ?? [];
    // The oldest are there, all of them, before anybody looks at the first good one.
    const already = name === 'as the oldest' ? wanted.splice(0, POISON) : [];
    await emit(system.db, merchantId, already);
    await flow(system.db, merchantId, wanted, PER_SECOND);
    await allGoodArrived(path, GOOD);
    const waits = spread(await waitsOf(system.db, id));
    tell(`poison ${name}: ms from outbox to attempt of the good ones: ${JSON.stringify(waits)}`);
    // The gate that the oldest may shut is probed at once, and with the newest.
    expect(waits.max).toBeLessThan(MAX_WAIT_MS);
    expect(await isGated(id)).toBe(false);
    // The poison is tried again besides.
    await eventually(
      'retries of the poison',
      () => shop.at(path).filter(({ event }) => event === POISONOUS).length,
      (count) => count > POISON,
      60_000,
    );
  },
  SOAK ? 600_000 : 150_000,
);

test(
  'a gate that nothing but poison has shut opens for the first good ones within two probes',
  async () => {
    const path = '/only-poison';
    const { id, merchantId } = await poisonedEndpoint(path);
    await emit(system.db, merchantId, poisoned('P', POISON));
    await eventually('the gate', () => isGated(id), Boolean, 60_000);
    await eventually(
      'a probe in vain',
      () => system.rows('SELECT 1 FROM webhook_endpoints WHERE id = $1 AND probes > 0', [id]),
      (rows) => rows.length === 1,
    );
    await emit(system.db, merchantId, good(IN_A_ROW));
    await allGoodArrived(path, IN_A_ROW);
    const waits = spread(await waitsOf(system.db, id));
    tell(`behind a gate shut by poison: ms of the first good ones: ${JSON.stringify(waits)}`);
    // Probes take turns: one asks with the least recently tried, which is poison, the next with the newest, which is not.
    expect(waits.max).toBeLessThan(2 * (PROBE_INTERVAL_MS + LOOK_MS));
    // Of all that was poisoned here: what is in retry has its workflow, and no other workflow is left.
    const left = () => orphans(system.db, system.temporal, system.webhooksTaskQueue);
    await eventually('no orphans', left, (found) => found.length === 0, 90_000);
  },
  SOAK ? 300_000 : 180_000,
);
