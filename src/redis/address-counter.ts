/**
 * Requests without a valid key by address, over all processes: `ratelimit:ip:{address}` (no braces), a hash of counts by ten
 * seconds. The oldest ten seconds count in full, so that no trailing minute holds more than the limit.
 */
import type { Redis } from 'ioredis';

export const BUCKET_MS = 10_000;
/** Six make a minute, and the one that is partly outside. */
export const BUCKETS = 7;

/** KEYS hash; ARGV how many more, milliseconds of a bucket, buckets. Answers the sum and in how many ms the oldest leaves. */
const ADD = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local width, kept = tonumber(ARGV[2]), tonumber(ARGV[3])
local index = math.floor(now / width)
redis.call('HINCRBY', KEYS[1], index, ARGV[1])
redis.call('PEXPIRE', KEYS[1], width * kept)
local fields = redis.call('HGETALL', KEYS[1])
local sum, oldest = 0, index
for i = 1, #fields, 2 do
  local at = tonumber(fields[i])
  if at <= index - kept then redis.call('HDEL', KEYS[1], fields[i])
  else
    sum = sum + fields[i + 1]
    oldest = math.min(oldest, at)
  end
end
return { sum, (oldest + kept) * width - now }`;

export interface AddressCount {
  readonly sum: number;
  /** Until fewer are counted. */
  readonly lessInMs: number;
}

export interface AddressCounter {
  /** Rejects when Redis is away. */
  add(address: string, count: number): Promise<AddressCount>;
}

export function createAddressCounter(redis: Redis, prefix: string): AddressCounter {
  return {
    async add(address, count) {
      const values = [String(count), String(BUCKET_MS), String(BUCKETS)];
      const answer = await redis.eval(ADD, 1, `${prefix}ratelimit:ip:${address}`, ...values);
      const [sum = 0, lessInMs = 0] = answer as number[];
      return { sum, lessInMs };
    },
  };
}
