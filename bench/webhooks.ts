/**
 * Bench `webhooks`: how many notifications the relay delivers, how soon, at what cost, and whether bad endpoints, old
 * rows and payments are in each other's way. See docs/performance.md for what the figures mean.
 */
import { note } from '../dev/terminal';
import { report } from './report';
import type { Series } from './report';
import { median, seededCoin } from './stats';
import { captureRound, captureSide } from './webhooks-captures';
import type { CaptureRound } from './webhooks-captures';
import { withGrownOutbox } from './webhooks-growth';
import { bareBurst, burst, IN_FLIGHT, latency, neighbours } from './webhooks-rounds';
import type { Burst, Latency } from './webhooks-rounds';
import { addEndpoint, withSite } from './webhooks-site';
import type { Site } from './webhooks-site';

export const about = 'deliveries per second, accept to arrival, bad neighbours, old rows, captures meanwhile';

const SEED = 42;
const HEALTHY = 18;
const CALM_PER_SECOND = 50;
/** Of the rate of the bursts, for the open loop under load. */
const LOADED_SHARE = 0.8;
const NEIGHBOUR_PER_SECOND = 10;
const ENVIRONMENT = { WEBHOOK_MAX_IN_FLIGHT_PER_ENDPOINT: String(IN_FLIGHT), LOG_LEVEL: 'warn' };

interface Plan {
  readonly burst: number;
  readonly burstRounds: number;
  readonly oldRows: number;
  readonly growthRounds: number;
  readonly latencyRounds: number;
  readonly latencySeconds: number;
  readonly neighbourRounds: number;
  readonly captures: number;
  readonly captureRounds: number;
}

const FULL: Plan = {
  ...{ burst: 10_000, burstRounds: 5, oldRows: 1_000_000, growthRounds: 5 },
  ...{ latencyRounds: 2, latencySeconds: 60, neighbourRounds: 1, captures: 120, captureRounds: 3 },
};
const QUICK: Plan = {
  ...{ burst: 10_000, burstRounds: 3, oldRows: 100_000, growthRounds: 3 },
  ...{ latencyRounds: 1, latencySeconds: 10, neighbourRounds: 1, captures: 40, captureRounds: 1 },
};

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const plan = quick ? QUICK : FULL;
  const coin = seededCoin(SEED);
  const figures: Series[] = [];
  const servers = ['postgres', 'redis', 'temporal', 'webhooks'] as const;
  await withSite({ only: servers, environment: ENVIRONMENT }, async (site) => {
    const endpointId = await addEndpoint(site.outbox, `${site.receiverOrigin}/hooks`);
    const delivered = await measureBursts(site, endpointId, plan, coin);
    figures.push(...delivered);
    const perSecond = median(delivered[0]?.ours ?? []);
    figures.push(...(await measureLatency(site, endpointId, LOADED_SHARE * perSecond, plan)));
    figures.push(...(await measureNeighbours(site, plan, coin)));
    figures.push(...(await measureGrowth(site, endpointId, plan, coin)));
  });
  await withSite({ environment: ENVIRONMENT }, async (site) => {
    figures.push(...(await measureCaptures(site, plan, coin)));
  });
  report('webhooks', 'reference', figures);
}

/** Both sides in turn; the seed says which begins. */
async function inTurn<A, B>(
  coin: () => boolean,
  one: () => Promise<A>,
  other: () => Promise<B>,
): Promise<[A, B]> {
  if (!coin()) {
    const second = await other();
    return [await one(), second];
  }
  const first = await one();
  return [first, await other()];
}

async function measureBursts(
  site: Site,
  endpointId: string,
  plan: Plan,
  coin: () => boolean,
): Promise<Series[]> {
  const ours: Burst[] = [];
  const bare: number[] = [];
  note('warming up');
  await burst(site, site.outbox, endpointId, plan.burst);
  await bareBurst(site, plan.burst);
  for (let round = 1; round <= plan.burstRounds; round += 1) {
    const [one, limit] = await inTurn(
      coin,
      () => burst(site, site.outbox, endpointId, plan.burst),
      () => bareBurst(site, plan.burst),
    );
    ours.push(one);
    bare.push(limit);
    const { perSecond, workerCpu, postgresCpu } = one;
    note(
      `burst ${round} of ${plan.burstRounds}: ${perSecond.toFixed(0)}/s, bare sender ${limit.toFixed(0)}/s, ` +
        `per 1000 worker ${workerCpu.toFixed(2)} s, PostgreSQL ${postgresCpu.toFixed(2)} s`,
    );
  }
  const against = 'the bare sender';
  return [
    {
      ...{ name: 'delivered', unit: 'per second', ours: ours.map(({ perSecond }) => perSecond) },
      ...{ reference: bare, against, goal: { valueAtLeast: 2_000 } },
    },
    { name: 'cpu_worker', unit: 'CPU s per 1000', ours: ours.map(({ workerCpu }) => workerCpu) },
    { name: 'cpu_postgres', unit: 'CPU s per 1000', ours: ours.map(({ postgresCpu }) => postgresCpu) },
  ];
}

async function measureLatency(
  site: Site,
  endpointId: string,
  loadedPerSecond: number,
  plan: Plan,
): Promise<Series[]> {
  const loaded: Latency[] = [];
  const calm: Latency[] = [];
  for (let round = 1; round <= plan.latencyRounds; round += 1) {
    calm.push(await latency(site, endpointId, CALM_PER_SECOND, plan.latencySeconds));
    loaded.push(await latency(site, endpointId, loadedPerSecond, plan.latencySeconds));
  }
  const pick = (name: string, from: readonly Latency[], figure: keyof Latency, goal?: number): Series => ({
    ...{ name, unit: 'ms', ours: from.map((one) => one[figure]) },
    ...(goal !== undefined && { goal: { valueAtMost: goal } }),
  });
  return [
    pick('loaded_p50', loaded, 'p50'),
    pick('loaded_p99', loaded, 'p99', 500),
    pick('calm_p50', calm, 'p50', 15),
    pick('calm_p99', calm, 'p99', 60),
  ];
}

async function measureNeighbours(site: Site, plan: Plan, coin: () => boolean): Promise<Series[]> {
  const healthy: string[] = [];
  for (let i = 0; i < HEALTHY; i += 1)
    healthy.push(await addEndpoint(site.outbox, `${site.receiverOrigin}/healthy/${i}`));
  const load = { perSecond: NEIGHBOUR_PER_SECOND, seconds: plan.latencySeconds };
  const figures: Series[] = [];
  for (const { bad, figure } of [
    { bad: 'pair', figure: 'healthy' },
    { bad: 'outage', figure: 'outage' },
  ] as const) {
    const rounds: (readonly [Latency, Latency])[] = [];
    for (let round = 1; round <= plan.neighbourRounds; round += 1) {
      const [beside, alone] = await inTurn(
        coin,
        () => neighbours(site, healthy, { bad, ...load }),
        () => neighbours(site, healthy, { bad: 'none', ...load }),
      );
      rounds.push([beside, alone]);
      note(
        `healthy endpoints, ${bad}: p99 ${beside.p99.toFixed(1)} ms, longest ${beside.max.toFixed(0)} ms; ` +
          `alone: p99 ${alone.p99.toFixed(1)} ms, longest ${alone.max.toFixed(0)} ms`,
      );
    }
    for (const share of ['p99', 'max'] as const)
      figures.push({
        ...{ name: `${figure}_${share}`, unit: 'ms', against: 'no bad endpoints' },
        ours: rounds.map(([beside]) => beside[share]),
        reference: rounds.map(([, alone]) => alone[share]),
      });
  }
  return figures;
}

async function measureGrowth(
  site: Site,
  endpointId: string,
  plan: Plan,
  coin: () => boolean,
): Promise<Series[]> {
  const ours: number[] = [];
  const reference: number[] = [];
  await withGrownOutbox(site, plan.oldRows, async (grown, grownEndpointId) => {
    await burst(site, grown, grownEndpointId, plan.burst);
    for (let round = 1; round <= plan.growthRounds; round += 1) {
      const [large, small] = await inTurn(
        coin,
        () => burst(site, grown, grownEndpointId, plan.burst),
        () => burst(site, site.outbox, endpointId, plan.burst),
      );
      ours.push(large.perSecond);
      reference.push(small.perSecond);
      note(
        `${plan.oldRows} old rows: ${large.perSecond.toFixed(0)}/s, without: ${small.perSecond.toFixed(0)}/s`,
      );
    }
  });
  const against = 'a small table';
  return [{ name: 'grown', unit: 'per second', ours, reference, against, goal: { atLeast: 0.9 } }];
}

async function measureCaptures(site: Site, plan: Plan, coin: () => boolean): Promise<Series[]> {
  const side = await captureSide(site);
  const flooded: CaptureRound[] = [];
  const idle: CaptureRound[] = [];
  note('warming up');
  await captureRound(site, side, plan.captures, true);
  for (let round = 1; round <= plan.captureRounds; round += 1) {
    const [busy, calm] = await inTurn(
      coin,
      () => captureRound(site, side, plan.captures, true),
      () => captureRound(site, side, plan.captures, false),
    );
    flooded.push(busy);
    idle.push(calm);
    note(
      `captures: p99 ${busy.p99.toFixed(0)} ms beside ${busy.delivered.toFixed(0)} deliveries/s, idle ${calm.p99.toFixed(0)} ms`,
    );
  }
  const pick = (name: string, figure: 'p50' | 'p99'): Series => ({
    ...{ name, unit: 'ms', against: 'no deliveries' },
    ours: flooded.map((round) => round[figure]),
    reference: idle.map((round) => round[figure]),
  });
  return [
    pick('capture_p50', 'p50'),
    pick('capture_p99', 'p99'),
    { name: 'capture_flood', unit: 'per second', ours: flooded.map(({ delivered }) => delivered) },
  ];
}
