/** A connection to the run's Redis, under names that no other test uses. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { pino } from 'pino';
import type { Redis } from 'ioredis';
import { loadConfig } from '../../src/config/config';
import { createRedis } from '../../src/redis/client';

export interface RedisRig {
  readonly redis: Redis;
  readonly prefix: string;
  /** Cuts the connection; `redis.connect()` makes it anew. */
  cut(): Promise<void>;
  /** Removes what the test has written. */
  close(): Promise<void>;
}

export async function connectRedis(): Promise<RedisRig> {
  const redis = createRedis(loadConfig(), pino({ level: 'silent' }));
  await Promise.all([once(redis, 'ready'), redis.connect()]);
  const prefix = `test_${randomBytes(6).toString('hex')}:`;
  return {
    redis,
    prefix,
    async cut() {
      const ended = once(redis, 'end');
      redis.disconnect();
      await ended;
    },
    async close() {
      const keys = await redis.keys(`${prefix}*`);
      if (keys.length > 0) await redis.del(...keys);
      redis.disconnect();
    },
  };
}
