/**
 * What this process sees of the channels, and what all of them have seen. Noting costs no I/O: it is written in batches, off
 * the path: a fault, and what comes of a channel that others have trouble with, at once; the rest, which changes nobody's
 * mind, once in a second. While Redis is away a process goes by what it sees itself, and what waits stays bounded.
 */
import { randomUUID } from 'node:crypto';
import { EMPTY_WINDOW, mergeWindows, observe } from '../domain/routing/health';
import type { HealthOutcome, HealthWindow } from '../domain/routing/health';
import { NO_SCORES, scoreViewOf } from '../domain/routing/scores';
import type { ScoreRow } from '../domain/routing/scores';
import type { ChannelId, ScoreView } from '../domain/routing/types';
import { MAX_CELLS, RATE_BUCKETS, RATE_BUCKET_MS } from '../redis/success-rates';
import type { HealthWindows, ObservationBatch, SuccessRates } from '../redis/success-rates';

/** How long news wait for others to go with. */
const NEWS_MS = 100;
const EXCHANGE_MS = 1_000;
const RATES_READ_MS = 5_000;
/** What others saw says nothing more when nobody has been able to read it for so long. */
const SHARED_TRUST_MS = 60_000;
/** The seconds of a batch that could not be written for so long are over. */
const HEALTH_BATCH_MS = 30_000;

/** What came of one call. */
export interface Observation {
  readonly channel: ChannelId;
  readonly currency: string;
  /** ISO 3166-1 alpha-2. */
  readonly country?: string;
  /** `decline` is an answer: the customer's matter. `fault` is the channel's: no answer, or one nobody understands. */
  readonly outcome: HealthOutcome;
  readonly latencyMs: number;
}

export interface Observations {
  /** Never throws and never waits. */
  note(seen: Observation): void;
  scores(): ScoreView;
  /** What all have seen of a channel, and this process since. */
  windowOf(channel: ChannelId): HealthWindow;
  /** Reads what all have seen, soon. Never throws. */
  news(): void;
  start(): void;
  /** Writes what still waits, if that is possible. */
  stop(): Promise<void>;
}

export interface ObservationsDeps {
  readonly rates: SuccessRates;
  readonly now: () => number;
  /** The windows of these channels may say something new. */
  readonly onSeen: (channels: Iterable<ChannelId>) => void;
  /** Nobody knows what the others see: whoever went by it must judge anew. */
  readonly onForgotten: () => void;
}

interface Batch {
  readonly id: string;
  readonly startedAtMs: number;
  /** It may change what others think of a channel. */
  isNews: boolean;
  readonly health: Map<ChannelId, HealthWindow>;
  /** By start of the bucket, then by cell. */
  readonly rates: Map<number, Map<string, ScoreRow>>;
}

export function createObservations({ rates, now, onSeen, onForgotten }: ObservationsDeps): Observations {
  let shared: HealthWindows = new Map();
  let troubled: ReadonlySet<ChannelId> = new Set();
  let sharedRows: readonly ScoreRow[] = [];
  let view = NO_SCORES;
  let pending = emptyBatch(now());
  /** On its way, or waiting to be sent again under the same id. */
  let sending: Batch | undefined;
  let heardAtMs = now();
  let isWriting = false;
  const timers = new Set<NodeJS.Timeout>();
  let flushTimer: NodeJS.Timeout | undefined;
  let newsTimer: NodeJS.Timeout | undefined;

  function share(windows: HealthWindows): void {
    shared = windows;
    troubled = new Set([...windows].filter(([, window]) => hasFaults(window)).map(([channel]) => channel));
    heardAtMs = now();
    onSeen(new Set([...windows.keys(), ...pending.health.keys()]));
  }

  /** @returns true when all that waited is written, and what all have seen is read with it */
  async function flush(): Promise<boolean> {
    if (isWriting) return false;
    if (sending === undefined) {
      if (isEmpty(pending)) return false;
      sending = pending;
      pending = emptyBatch(now());
    }
    isWriting = true;
    try {
      const windows = await rates.write(toWrite(sending, now()));
      sending = undefined;
      share(windows);
      if (pending.isNews) flushSoon();
      return true;
    } catch {
      return false; // It is sent again, under its id, with the next of the regular exchanges.
    } finally {
      isWriting = false;
    }
  }

  function flushSoon(): void {
    flushTimer ??= setTimeout(() => {
      flushTimer = undefined;
      void flush();
    }, NEWS_MS).unref();
  }

  async function exchange(): Promise<void> {
    if (await flush()) return;
    await rates.readHealth().then(share, () => {
      if (shared.size === 0 || now() - heardAtMs < SHARED_TRUST_MS) return;
      shared = new Map();
      onForgotten();
      onSeen(pending.health.keys());
    });
  }

  async function readRates(): Promise<void> {
    const oldestMs = now() - RATE_BUCKETS * RATE_BUCKET_MS;
    sharedRows = await rates.readRates(now()).catch(() => sharedRows);
    for (const batch of [pending, sending])
      for (const atMs of batch?.rates.keys() ?? []) if (atMs < oldestMs) batch?.rates.delete(atMs);
    view = scoreViewOf([...sharedRows, ...rowsOf(sending), ...rowsOf(pending)]);
  }

  return {
    note(seen) {
      const { channel, outcome, latencyMs } = seen;
      const nowMs = now();
      const known = pending.health.get(channel) ?? EMPTY_WINDOW;
      pending.health.set(channel, observe(known, outcome, Math.round(latencyMs), nowMs));
      countIn(pending, seen, nowMs);
      onSeen([channel]);
      pending.isNews ||= outcome === 'fault' || troubled.has(channel);
      if (pending.isNews) flushSoon();
    },
    scores: () => view,
    windowOf(channel) {
      const parts = [shared.get(channel), sending?.health.get(channel), pending.health.get(channel)];
      return parts.filter((one) => one !== undefined).reduce(mergeWindows, EMPTY_WINDOW);
    },
    news() {
      newsTimer ??= setTimeout(() => {
        newsTimer = undefined;
        void exchange();
      }, NEWS_MS / 2).unref();
    },
    start() {
      timers.add(setInterval(() => void exchange(), EXCHANGE_MS).unref());
      timers.add(setInterval(() => void readRates(), RATES_READ_MS).unref());
      void exchange();
      void readRates();
    },
    async stop() {
      for (const timer of timers) clearInterval(timer);
      clearTimeout(flushTimer);
      clearTimeout(newsTimer);
      await flush();
    },
  };
}

function emptyBatch(startedAtMs: number): Batch {
  return { id: randomUUID(), startedAtMs, isNews: false, health: new Map(), rates: new Map() };
}

function isEmpty({ health }: Batch): boolean {
  return health.size === 0;
}

function hasFaults({ buckets, faultsInRow }: HealthWindow): boolean {
  return faultsInRow > 0 || buckets.some(({ faults }) => faults > 0);
}

function toWrite({ id, startedAtMs, isNews, health, rates }: Batch, nowMs: number): ObservationBatch {
  return {
    ...{ id, isNews },
    health: nowMs - startedAtMs < HEALTH_BATCH_MS ? health : new Map(),
    rates: [...rates].map(([atMs, cells]) => ({ atMs, rows: [...cells.values()] })),
  };
}

function* rowsOf(batch: Batch | undefined): Iterable<ScoreRow> {
  for (const cells of batch?.rates.values() ?? []) yield* cells.values();
}

function countIn({ rates }: Batch, seen: Observation, nowMs: number): void {
  const atMs = nowMs - (nowMs % RATE_BUCKET_MS);
  const cells = rates.get(atMs) ?? new Map<string, ScoreRow>();
  rates.set(atMs, cells);
  const { channel, currency, outcome, latencyMs } = seen;
  const fine = keyOf(channel, currency, seen.country);
  const country = cells.has(fine) || cells.size < MAX_CELLS ? seen.country : undefined;
  const key = keyOf(channel, currency, country);
  const place = { channel, currency, ...(country !== undefined && { country }) };
  const row = cells.get(key) ?? { ...place, ...NOTHING };
  const isAnswer = outcome !== 'fault';
  cells.set(key, {
    ...row,
    successes: row.successes + (outcome === 'success' ? 1 : 0),
    faults: row.faults + (isAnswer ? 0 : 1),
    declines: row.declines + (outcome === 'decline' ? 1 : 0),
    latencySumMs: row.latencySumMs + (isAnswer ? Math.round(latencyMs) : 0),
    answered: row.answered + (isAnswer ? 1 : 0),
  });
}

const NOTHING = { successes: 0, faults: 0, declines: 0, latencySumMs: 0, answered: 0 } as const;

function keyOf(channel: ChannelId, currency: string, country: string | undefined): string {
  return `${channel}|${currency}|${country ?? ''}`;
}
