/**
 * What all processes have seen of the channels. `payment:router:health`: a hash, a window of the latest seconds as JSON by
 * channel. `payment:router:rates:{start}`: a hash of counters by channel, currency and country, one for every five minutes of
 * the last hour. Written in batches; a batch that is sent again after a lost answer counts once.
 */
import type { Redis } from 'ioredis';
import { HEALTH_BUCKETS } from '../domain/routing/health';
import type { HealthBucket, HealthWindow } from '../domain/routing/health';
import type { ScoreRow } from '../domain/routing/scores';
import type { ChannelId } from '../domain/routing/types';
import type { Subscriber } from './subscriber';

export const RATE_BUCKET_MS = 5 * 60_000;
export const RATE_BUCKETS = 12;
/** Cells of one bucket; beyond them a new one is counted without its country, of which there are only so many. */
export const MAX_CELLS = 1_000;

const HEALTH_SECONDS = 120;
const RATE_SECONDS = ((RATE_BUCKETS + 1) * RATE_BUCKET_MS) / 1000;
/** How long a batch that is sent again is known. */
const BATCH_SECONDS = 60;

export interface RateBatch {
  /** Start of the bucket, Unix milliseconds, a multiple of RATE_BUCKET_MS. */
  readonly atMs: number;
  readonly rows: readonly ScoreRow[];
}

export interface ObservationBatch {
  readonly id: string;
  /** Everybody is told at once; else they read it within the second. */
  readonly isNews: boolean;
  readonly health: ReadonlyMap<ChannelId, HealthWindow>;
  readonly rates: readonly RateBatch[];
}

export type HealthWindows = ReadonlyMap<ChannelId, HealthWindow>;

/** All of it rejects when Redis is away. */
export interface SuccessRates {
  /** Adds a batch, and tells everybody if it is news. @returns the windows of all channels, this batch included */
  write(batch: ObservationBatch): Promise<HealthWindows>;
  readHealth(): Promise<HealthWindows>;
  /** The last hour, a row for every cell of every bucket. */
  readRates(nowMs: number): Promise<ScoreRow[]>;
  /** Hears that somebody has seen something. @param onNews must not throw */
  listen(subscriber: Subscriber, onNews: () => void): void;
}

/**
 * The merge is that of domain/routing/health.ts (mergeWindows).
 * KEYS health, batch, then a key for each bucket of rates; ARGV the batch as JSON, buckets and seconds of health, seconds of
 * a batch and of rates, most cells, channel of the message (empty: nobody is told).
 */
const WRITE = `
local function decoded(text)
  if not text then return nil end
  local ok, value = pcall(cjson.decode, text)
  if ok and type(value) == 'table' and type(value.buckets) == 'table' then return value end
  return nil
end
local function merge(earlier, later, most)
  local byTime, times = {}, {}
  local answers, faults = 0, 0
  for _, bucket in ipairs(later.buckets) do
    answers = answers + bucket.successes + bucket.declines
    faults = faults + bucket.faults
  end
  for _, window in ipairs({ earlier, later }) do
    for _, bucket in ipairs(window.buckets) do
      local same = byTime[bucket.atMs]
      if same then
        for name, value in pairs(bucket) do if name ~= 'atMs' then same[name] = same[name] + value end end
      else
        byTime[bucket.atMs] = bucket
        table.insert(times, bucket.atMs)
      end
    end
  end
  table.sort(times, function(a, b) return a > b end)
  local buckets = {}
  for i = 1, math.min(#times, most) do buckets[i] = byTime[times[i]] end
  return {
    buckets = buckets,
    faultsInRow = (answers > 0 and 0 or earlier.faultsInRow) + later.faultsInRow,
    answersInRow = (faults > 0 and 0 or earlier.answersInRow) + later.answersInRow,
  }
end
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[4]) then
  local batch = cjson.decode(ARGV[1])
  for _, one in ipairs(batch.health) do
    local earlier = decoded(redis.call('HGET', KEYS[1], one.channel))
    local window = earlier and merge(earlier, one.window, tonumber(ARGV[2])) or one.window
    redis.call('HSET', KEYS[1], one.channel, cjson.encode(window))
  end
  redis.call('EXPIRE', KEYS[1], ARGV[3])
  for i, bucket in ipairs(batch.rates) do
    local key = KEYS[2 + i]
    for _, row in ipairs(bucket.rows) do
      local cell = row.cell .. row.country
      local isNew = redis.call('HEXISTS', key, cell .. '|n') == 0
      if isNew and redis.call('HLEN', key) >= 5 * tonumber(ARGV[6]) then cell = row.cell end
      redis.call('HINCRBY', key, cell .. '|n', row.answered)
      redis.call('HINCRBY', key, cell .. '|s', row.successes)
      redis.call('HINCRBY', key, cell .. '|f', row.faults)
      redis.call('HINCRBY', key, cell .. '|d', row.declines)
      redis.call('HINCRBY', key, cell .. '|l', row.latencySumMs)
    end
    redis.call('EXPIRE', key, ARGV[5])
  end
  if ARGV[7] ~= '' then redis.call('PUBLISH', ARGV[7], '') end
end
return redis.call('HGETALL', KEYS[1])`;

/** @param prefix before the names of keys and channel, where several installations share a Redis; else empty */
export function createSuccessRates(redis: Redis, prefix: string): SuccessRates {
  const healthKey = `${prefix}payment:router:health`;
  const observed = `${prefix}payment:router:observed`;
  const rateKey = (atMs: number) => `${prefix}payment:router:rates:${atMs}`;
  return {
    async write(batch) {
      const keys = [healthKey, `${prefix}payment:router:batch:${batch.id}`];
      keys.push(...batch.rates.map(({ atMs }) => rateKey(atMs)));
      const limits = [HEALTH_BUCKETS, HEALTH_SECONDS, BATCH_SECONDS, RATE_SECONDS, MAX_CELLS];
      const values = [textOf(batch), ...limits, batch.isNews ? observed : ''];
      const fields = (await redis.eval(WRITE, keys.length, ...keys, ...values)) as string[];
      return windowsOf(pairsOf(fields));
    },
    readHealth: async () => windowsOf(Object.entries(await redis.hgetall(healthKey))),
    async readRates(nowMs) {
      const newest = nowMs - (nowMs % RATE_BUCKET_MS);
      const pipeline = redis.pipeline();
      for (let n = 0; n < RATE_BUCKETS; n += 1) pipeline.hgetall(rateKey(newest - n * RATE_BUCKET_MS));
      const answers = (await pipeline.exec()) ?? [];
      const failure = answers.map(([error]) => error).find((error) => error !== null);
      if (failure) throw failure;
      return answers.flatMap(([, fields]) => rowsOf(fields as Record<string, string>));
    },
    listen: (subscriber, onNews) => subscriber.on(observed, onNews),
  };
}

function textOf({ health, rates }: ObservationBatch): string {
  return JSON.stringify({
    health: [...health].map(([channel, window]) => ({ channel, window })),
    rates: rates.map(({ rows }) => ({
      rows: rows.map(({ channel, currency, country = '', latencySumMs, ...counts }) => ({
        ...{ ...counts, cell: `${channel}|${currency}|`, country, latencySumMs: Math.round(latencySumMs) },
      })),
    })),
  });
}

function pairsOf(fields: readonly string[]): (readonly [string, string])[] {
  return fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1] ?? ''] as const] : []));
}

function windowsOf(fields: Iterable<readonly [string, string]>): HealthWindows {
  const windows = new Map<ChannelId, HealthWindow>();
  for (const [channel, text] of fields) {
    const window = windowOf(text);
    if (window !== undefined) windows.set(channel, window);
  }
  return windows;
}

function isBucket(value: unknown): value is HealthBucket {
  const bucket = (value ?? {}) as Record<keyof HealthBucket, unknown>;
  const fields = ['atMs', 'successes', 'faults', 'declines', 'latencySumMs'] as const;
  return fields.every((name) => typeof bucket[name] === 'number');
}

/** What a stranger has left there is as good as nothing. */
function windowOf(text: string): HealthWindow | undefined {
  try {
    const { buckets, faultsInRow, answersInRow } = JSON.parse(text) as Record<string, unknown>;
    if (typeof faultsInRow !== 'number' || typeof answersInRow !== 'number') return undefined;
    // Lua writes an empty list as an empty object.
    return {
      buckets: Array.isArray(buckets) ? buckets.filter(isBucket) : [],
      ...{ faultsInRow, answersInRow },
    };
  } catch {
    return undefined;
  }
}

const COUNTERS = {
  n: 'answered',
  s: 'successes',
  f: 'faults',
  d: 'declines',
  l: 'latencySumMs',
} as const;

type MutableRow = Pick<ScoreRow, 'channel' | 'currency' | 'country'> & Record<CounterName, number>;
type CounterName = (typeof COUNTERS)[keyof typeof COUNTERS];

function rowsOf(fields: Readonly<Record<string, string>>): ScoreRow[] {
  const cells = new Map<string, MutableRow>();
  for (const [field, text] of Object.entries(fields)) {
    const [channel = '', currency = '', country = '', counter = ''] = field.split('|');
    const count = Number(text);
    if (!Object.hasOwn(COUNTERS, counter) || !Number.isFinite(count)) continue;
    const key = `${channel}|${currency}|${country}`;
    let row = cells.get(key);
    if (row === undefined) {
      const place = { channel, currency, ...(country !== '' && { country }) };
      row = { ...place, successes: 0, faults: 0, declines: 0, latencySumMs: 0, answered: 0 };
      cells.set(key, row);
    }
    row[COUNTERS[counter as keyof typeof COUNTERS]] = count;
  }
  return [...cells.values()];
}
