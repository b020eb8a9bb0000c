/**
 * A configuration that changes while eight API processes decide by it: how long after the last change all of them go by it,
 * and whether any decision ever went by half a change.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { callApi, expectOk } from '../dev/demo-client';
import { note } from '../dev/terminal';
import type { Series } from './report';
import { ORDER, QUOTE_PATH } from './routing-site';
import type { RoutingSite } from './routing-site';
import { until } from './webhooks-site';

const FEES = '/api/v1/admin/routing/fees';
const CHANNELS = ['stripe', 'paypal'] as const;
type Channel = (typeof CHANNELS)[number];
/** Of each process. */
const PAUSE_MS = 10;

type Prices = Readonly<Record<Channel, number>>;

interface Quote {
  readonly config: { readonly version: number };
  readonly candidates: readonly { readonly channel: string; readonly fee?: number }[];
}

/** What one process said last, and what all of them have said of each version. */
interface Watched {
  readonly versions: number[];
  readonly prices: Map<number, Set<string>>;
  quotes: number;
  /** An older version after a newer one. */
  backwards: number;
}

/** Both channels have a price of their own, which is a fixed part alone and tells the number of its change. */
export async function measureAgreement(site: RoutingSite, changes: number): Promise<Series[]> {
  const { apiUrls, adminKey } = site;
  const [apiUrl = ''] = apiUrls;
  const ids = { stripe: '', paypal: '' };
  let prices: Prices = { stripe: 1, paypal: 2 };
  let version = 0;
  for (const channel of CHANNELS)
    ({ id: ids[channel], version } = await savePrice(apiUrl, adminKey, channel, prices[channel]));
  const written = new Map([[version, textOf(prices)]]);
  const watched: Watched = { versions: apiUrls.map(() => 0), prices: new Map(), quotes: 0, backwards: 0 };
  const agree = (what: string) =>
    until(what, () => Promise.resolve(watched.versions.every((one) => one === version)));
  let isOver = false;
  const watching = Promise.all(apiUrls.map((_, at) => watch(site, at, watched, () => isOver)));
  await agree('all know the first prices');
  const startedAt = performance.now();
  for (let change = 1; change <= changes; change += 1) {
    const channel: Channel = change % 2 === 0 ? 'stripe' : 'paypal';
    prices = { ...prices, [channel]: 2 + change };
    const url = apiUrls[change % apiUrls.length] ?? '';
    ({ version } = await savePrice(url, adminKey, channel, prices[channel], ids[channel]));
    written.set(version, textOf(prices));
  }
  const changedAt = performance.now();
  await agree('all go by the last change').finally(() => (isOver = true));
  const agreedMs = performance.now() - changedAt;
  await watching;
  const torn = tornOf(watched, written);
  note(
    `${changes} changes in ${((changedAt - startedAt) / 1_000).toFixed(1)} s, ${watched.quotes} quotes by ${apiUrls.length} ` +
      `processes; all agreed ${agreedMs.toFixed(0)} ms after the last; torn ${torn}, backwards ${watched.backwards}`,
  );
  return [
    { name: 'agree', unit: 's', ours: [agreedMs / 1_000], goal: { valueAtMost: 1 } },
    { name: 'torn', unit: 'count', ours: [torn + watched.backwards], goal: { valueAtMost: 0 } },
  ];
}

const textOf = ({ stripe, paypal }: Prices) => `${stripe}/${paypal}`;

/** @param id of the price to replace; absent: a new one */
function savePrice(
  apiUrl: string,
  adminKey: string,
  channel: Channel,
  fixed: number,
  id?: string,
): Promise<{ id: string; version: number }> {
  const body = { channel, currency: ORDER.currency, basis_points: 0, fixed_minor: fixed };
  const path = id === undefined ? FEES : `${FEES}/${id}`;
  const call = { body, method: id === undefined ? 'POST' : 'PUT' } as const;
  return expectOk(`${call.method} ${path}`, callApi(apiUrl, adminKey, path, call));
}

async function watch(
  { apiUrls, apiKey }: RoutingSite,
  at: number,
  watched: Watched,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    const call = { body: ORDER };
    const quote = await expectOk('quote', callApi<Quote>(apiUrls[at] ?? '', apiKey, QUOTE_PATH, call));
    const { version } = quote.config;
    const feeOf = (channel: Channel) => quote.candidates.find((one) => one.channel === channel)?.fee ?? 0;
    const seen = textOf({ stripe: feeOf('stripe'), paypal: feeOf('paypal') });
    watched.prices.set(version, (watched.prices.get(version) ?? new Set()).add(seen));
    if (version < (watched.versions[at] ?? 0)) watched.backwards += 1;
    watched.versions[at] = version;
    watched.quotes += 1;
    await sleep(PAUSE_MS);
  }
}

/** Versions of which somebody has decided by other prices than were written with them. */
function tornOf({ prices }: Watched, written: ReadonlyMap<number, string>): number {
  return [...written].filter(([version, right]) =>
    [...(prices.get(version) ?? [])].some((seen) => seen !== right),
  ).length;
}
