/**
 * Bench `routing`: decisions in one process, quotes over HTTP, a channel that fails and heals under load, and a configuration
 * that changes while it is used. See docs/performance.md for what the figures mean.
 */
import { measureAgreement } from './routing-agree';
import type { DecisionCalls, DecisionPlan } from './routing-decisions';
import { measureOutages } from './routing-outage';
import { measureQuotes } from './routing-quote';
import { withRoutingSite } from './routing-site';
import { report } from './report';
import type { Series } from './report';
import { startChild } from './webhooks-child';

export const about =
  'decisions, quotes against a bare Express route, an outage, a configuration that changes';

const FULL = {
  decisions: { rounds: 7, decisions: 300_000 },
  quotes: { rounds: 7, seconds: 4 },
  outages: 3,
  changes: 1_000,
};
const QUICK = {
  decisions: { rounds: 3, decisions: 100_000 },
  quotes: { rounds: 3, seconds: 2 },
  outages: 1,
  changes: 200,
};

export async function run({ quick }: { readonly quick: boolean }): Promise<void> {
  const plan = quick ? QUICK : FULL;
  const series: Series[] = await decisions(plan.decisions);
  await withRoutingSite(2, async (site) => {
    series.push(await measureQuotes(site, plan.quotes));
    series.push(...(await measureOutages(site, plan.outages)));
  });
  await withRoutingSite(8, async (site) => {
    series.push(...(await measureAgreement(site, plan.changes)));
  });
  report('routing', 'bare route', series);
}

/** In a process of its own, before anything else runs: it is started as the stack's processes are. */
async function decisions(plan: DecisionPlan): Promise<Series[]> {
  const decider = startChild<DecisionCalls>('routing-decisions.ts');
  try {
    return await decider.ask('measure', plan);
  } finally {
    await decider.stop();
  }
}
