/** Quotes answered in a second, against a bare Express route that answers the same bytes. Turn and turn about. */
import { note } from '../dev/terminal';
import type { BareQuoteCalls } from './bare/quote';
import type { Series } from './report';
import type { LoadCalls, Target } from './routing-load';
import { ORDER, QUOTE_PATH } from './routing-site';
import type { RoutingSite } from './routing-site';
import { seededCoin } from './stats';
import { startChild } from './webhooks-child';

const SEED = 42;
const CONNECTIONS = 16;
const WARM_UP_SECONDS = 2;
const PATHS = { holdfast: QUOTE_PATH, bare: '/quote' } as const;
const SIDES = ['holdfast', 'bare'] as const;
type SideName = (typeof SIDES)[number];

export interface QuotePlan {
  readonly rounds: number;
  /** Of one side in one round. */
  readonly seconds: number;
}

export async function measureQuotes(
  { apiUrls: [apiUrl = ''], apiKey }: RoutingSite,
  { rounds, seconds }: QuotePlan,
): Promise<Series> {
  const request = {
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(ORDER),
  };
  const answer = await fetch(`${apiUrl}${QUOTE_PATH}`, { method: 'POST', ...request });
  if (!answer.ok) throw new Error(`the quote was refused: ${await answer.text()}`);
  const bare = startChild<BareQuoteCalls>('bare/quote.ts');
  const load = startChild<LoadCalls>('routing-load.ts');
  try {
    const text = await answer.text();
    note(`an answer has ${text.length} bytes; ${CONNECTIONS} connections`);
    const bareUrl = `http://127.0.0.1:${await bare.ask('listen', text)}`;
    const targetOf = (side: SideName): Target => ({
      ...request,
      origin: side === 'holdfast' ? apiUrl : bareUrl,
      path: PATHS[side],
    });
    const rates: Record<SideName, number[]> = { holdfast: [], bare: [] };
    for (const side of SIDES) await load.ask('load', targetOf(side), CONNECTIONS, WARM_UP_SECONDS);
    const coin = seededCoin(SEED);
    for (let round = 1; round <= rounds; round += 1) {
      for (const side of coin() ? SIDES : ([...SIDES].reverse() as readonly SideName[])) {
        const rate = await load.ask('load', targetOf(side), CONNECTIONS, seconds);
        rates[side].push(rate);
        note(`round ${round} of ${rounds}, ${side.padEnd(8)} ${rate.toFixed(0)}/s`);
      }
    }
    const { holdfast: ours, bare: reference } = rates;
    const against = 'a bare route, same bytes';
    return { name: 'quote', unit: 'per second', ours, reference, against, goal: { atLeast: 0.5 } };
  } finally {
    await Promise.all([bare.stop(), load.stop()]);
  }
}
