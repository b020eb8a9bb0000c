/** A channel that fails every create, while orders come in: how soon it is out of service everywhere, and back again. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { askSandbox, callApi } from '../dev/demo-client';
import { note } from '../dev/terminal';
import type { Series } from './report';
import { isPayPalIn, ORDER } from './routing-site';
import type { RoutingSite } from './routing-site';
import { until } from './webhooks-site';

const PER_SECOND = 20;
/** Before the channel fails, and while it is out. */
const STEADY_MS = 5_000;
const OUTAGE_MS = 5_000;

/**
 * `rate_limit`: 429, every order certainly goes on to Stripe, and nothing but probes tells that PayPal is back. `error_before`:
 * 500, after which only a repeat under the same key may settle what became of the order; it tells as well.
 */
const KINDS = { rate_limit: '', error_before: '_500' } as const;
type Kind = keyof typeof KINDS;

interface Sample {
  readonly outSeconds: number;
  readonly backSeconds: number;
}

export async function measureOutages(site: RoutingSite, rounds: number): Promise<Series[]> {
  const series: Series[] = [];
  for (const kind of Object.keys(KINDS) as Kind[]) {
    const samples: Sample[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const label = `${kind}, round ${round} of ${rounds}`;
      const traffic = startTraffic(site);
      try {
        await sleep(STEADY_MS);
        samples.push(await oneOutage(site, kind, label));
      } finally {
        await traffic.stop(label);
      }
    }
    series.push(
      {
        ...{ name: `out_within${KINDS[kind]}`, unit: 's', goal: { valueAtMost: 5 } },
        ours: samples.map(({ outSeconds }) => outSeconds),
      },
      {
        ...{ name: `back_within${KINDS[kind]}`, unit: 's', goal: { valueAtMost: 30 } },
        ours: samples.map(({ backSeconds }) => backSeconds),
      },
    );
  }
  return series;
}

async function oneOutage({ apiUrls, apiKey, paypalUrl }: RoutingSite, kind: Kind, label: string) {
  const everywhere = (isIn: boolean) => async () => {
    const seen = await Promise.all(apiUrls.map((url) => isPayPalIn(url, apiKey)));
    return seen.every((one) => one === isIn);
  };
  const faults = `${paypalUrl}/_control/faults`;
  await until('PayPal is in service', everywhere(true));
  const failingFrom = performance.now();
  await askSandbox(faults, { match: { operation: 'create_order' }, fault: kind, probability: 1 });
  await until('PayPal is out of service', everywhere(false));
  const outSeconds = (performance.now() - failingFrom) / 1_000;
  const refused = await refusedBy(faults);
  await sleep(OUTAGE_MS);
  const healedFrom = performance.now();
  await fetch(faults, { method: 'DELETE' });
  await until('PayPal is back in service', everywhere(true));
  const backSeconds = (performance.now() - healedFrom) / 1_000;
  note(
    `${label}: out after ${outSeconds.toFixed(2)} s (${refused} sends refused), back after ${backSeconds.toFixed(1)} s`,
  );
  return { outSeconds, backSeconds };
}

async function refusedBy(faults: string): Promise<number> {
  const { faults: rules } = await askSandbox<{ faults: { hits: number }[] }>(faults);
  return rules.reduce((sum, { hits }) => sum + hits, 0);
}

/**
 * Orders without a channel at a steady rate, to the API processes in turn. Whatever is answered, the next ones come; `stop`
 * waits for the answers and throws when one of them is no success: a bench with failures measures nothing.
 */
function startTraffic({ apiUrls, apiKey }: RoutingSite) {
  const answers = new Map<string, number>();
  const waiting = new Set<Promise<void>>();
  const count = (answer: string) => void answers.set(answer, (answers.get(answer) ?? 0) + 1);
  const send = async (n: number): Promise<void> => {
    const body = { ...ORDER, order_no: randomUUID(), return_url: 'https://shop.example/thanks' };
    const apiUrl = apiUrls[n % apiUrls.length] ?? '';
    const call = { body, idempotencyKey: randomUUID() };
    await callApi<{ channel: string }>(apiUrl, apiKey, '/api/v1/payments', call).then(
      ({ status, code, data }) => count(status < 300 ? `${status} ${data.channel}` : `${status} ${code}`),
      (error: unknown) => count((error as Error).name),
    );
  };
  const startedAt = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - startedAt) * PER_SECOND) / 1_000; sent < due; sent += 1) {
      const sending = send(sent).finally(() => waiting.delete(sending));
      waiting.add(sending);
    }
  }, 10);
  return {
    async stop(label: string): Promise<void> {
      clearInterval(timer);
      await Promise.all(waiting);
      const told = [...answers].sort().map(([answer, times]) => `${times} x ${answer}`);
      note(`${label}: ${sent} orders; ${told.join(', ')}`);
      const failed = [...answers.keys()].find((answer) => !answer.startsWith('2'));
      if (failed !== undefined) throw new Error(`${label}: an order was answered ${failed}`);
    },
  };
}
