/** Success rates out of cells of calls. Only the channel's own faults count against it, never the customer's declines. */
import { sampleBeta } from './thompson';
import type { ChannelId, RoutingRequest, ScoreCell, ScoreView } from './types';

/** A cell with fewer counted calls says too little: the next coarser one is asked. */
export const MIN_SAMPLES = 20;
/** Rates are compared in steps of two percentage points: closer ones are a tie. */
const STEP = 0.02;
/** What a channel is taken to achieve of which too little is known: good enough to be tried, and to lose to a better one. */
export const NEUTRAL_RATE = 0.96;

/** Counted calls: what a rate is made of. */
export function samplesOf({ successes, faults }: ScoreCell): number {
  return successes + faults;
}

/** The finest cell with enough samples: channel x currency x country, channel x currency, the whole channel. */
export function cellWithSamples(
  scores: ScoreView,
  channel: ChannelId,
  { currency, country }: Pick<RoutingRequest, 'currency' | 'country'>,
): ScoreCell | undefined {
  const fine = country === undefined ? undefined : scores.cellOf(channel, currency, country.code);
  if (fine !== undefined && samplesOf(fine) >= MIN_SAMPLES) return fine;
  const coarse = scores.cellOf(channel, currency);
  if (coarse !== undefined && samplesOf(coarse) >= MIN_SAMPLES) return coarse;
  const whole = scores.cellOf(channel);
  return whole !== undefined && samplesOf(whole) >= MIN_SAMPLES ? whole : undefined;
}

/** The share of counted calls that went well, 0 to 1; the cell must have samples. */
export function successRate(cell: ScoreCell): number {
  return cell.successes / samplesOf(cell);
}

/**
 * A rate drawn from what the cell leaves open (Thompson sampling): the fewer calls, the wider, so that what is little known
 * is tried now and then, and what is known to be worse hardly ever. Without a cell any rate is as likely as another.
 */
export function sampledRate(cell: ScoreCell | undefined, random: () => number): number {
  return sampleBeta((cell?.successes ?? 0) + 1, (cell?.faults ?? 0) + 1, random);
}

/**
 * The step of a rate, to compare by. Steps are fixed and not counted from the best: whether two channels tie must not hang
 * on a third, or taking away a loser would change the winner.
 */
export function rateStep(rate: number): number {
  return Math.round(rate / STEP);
}

/** Without any call: scores of a process that has just started and cannot reach Redis. */
export const NO_SCORES: ScoreView = { cellOf: () => undefined };

/** What became of the calls of one channel, currency and country within the rolling window. */
export interface ScoreRow {
  readonly channel: ChannelId;
  readonly currency: string;
  /** undefined: the country was not known. */
  readonly country?: string;
  readonly successes: number;
  readonly faults: number;
  readonly declines: number;
  /** Sum over `answered` calls, in milliseconds. */
  readonly latencySumMs: number;
  readonly answered: number;
}

interface Sums {
  successes: number;
  faults: number;
  declines: number;
  latencySumMs: number;
  answered: number;
}

/** Sums of one place (everywhere, a currency, a currency in a country) by channel. */
type Place = Map<ChannelId, Sums>;

/** Adds rows up into a view, coarser cells included. Rows of the same cell (buckets of time) are added. */
export function scoreViewOf(rows: Iterable<ScoreRow>): ScoreView {
  const places = new Map<string, Place>();
  for (const row of rows) {
    const { channel, currency, country } = row;
    addAt(places, EVERYWHERE, channel, row);
    addAt(places, currency, channel, row);
    if (country !== undefined) addAt(places, placeName(currency, country), channel, row);
  }
  return viewOf(new Map([...places].map(([name, place]) => [name, cellsOf(place)])));
}

const EVERYWHERE = '';
const placeName = (currency: string, country: string) => `${currency}/${country}`;

type Cells = ReadonlyMap<ChannelId, ScoreCell>;

/** A decision asks for the same place for every channel: the last place is kept at hand, which halves its cost. */
function viewOf(places: ReadonlyMap<string, Cells>): ScoreView {
  let last: { currency: string; country: string; cells: Cells | undefined } | undefined;
  const everywhere = places.get(EVERYWHERE);
  return {
    cellOf(channel, currency, country) {
      if (currency === undefined) return everywhere?.get(channel);
      if (country === undefined) return places.get(currency)?.get(channel);
      if (last === undefined || last.currency !== currency || last.country !== country)
        last = { currency, country, cells: places.get(placeName(currency, country)) };
      return last.cells?.get(channel);
    },
  };
}

function cellsOf(place: Place): Cells {
  return new Map([...place].map(([channel, sums]) => [channel, cellOf(sums)]));
}

function cellOf({ successes, faults, declines, latencySumMs, answered }: Sums): ScoreCell {
  const counts = { successes, faults, declines };
  return answered === 0 ? counts : { ...counts, latencyMs: latencySumMs / answered };
}

function addAt(places: Map<string, Place>, name: string, channel: ChannelId, row: ScoreRow): void {
  const place = places.get(name) ?? new Map<ChannelId, Sums>();
  const sums = place.get(channel) ?? { successes: 0, faults: 0, declines: 0, latencySumMs: 0, answered: 0 };
  sums.successes += row.successes;
  sums.faults += row.faults;
  sums.declines += row.declines;
  sums.latencySumMs += row.latencySumMs;
  sums.answered += row.answered;
  places.set(name, place.set(channel, sums));
}
