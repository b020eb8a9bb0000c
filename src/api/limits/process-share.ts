/**
 * How many API processes share the limits, as far as Redis knows: a sorted set of their names by the time of their last
 * heartbeat. While Redis is away the last known number stands.
 */
import type { Redis } from 'ioredis';

export const HEARTBEAT_MS = 5_000;
/** Three heartbeats: one that is late must not make the others' shares larger. */
const FORGOTTEN_AFTER_MS = 15_000;

/** KEYS set; ARGV name, milliseconds. Answers how many there are. */
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])`;

export interface ProcessShare {
  /** At least 1. */
  count(): number;
  /** Says that this process lives, and hears how many do. Rejects when Redis is away. */
  beat(): Promise<void>;
  /** Leaves: the others' shares grow at once. Never rejects. */
  leave(): Promise<void>;
}

/** @param assumed processes there are until Redis has told */
export function createProcessShare(
  redis: Redis,
  prefix: string,
  processId: string,
  assumed: number,
): ProcessShare {
  const key = `${prefix}ratelimit:processes`;
  let known = assumed;
  return {
    count: () => known,
    async beat() {
      const answer = await redis.eval(BEAT, 1, key, processId, String(FORGOTTEN_AFTER_MS));
      known = Math.max(1, Number(answer));
    },
    async leave() {
      await redis.zrem(key, processId).catch(() => undefined);
    },
  };
}
