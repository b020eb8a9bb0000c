/** The Redis client. Redis is a cache and a counter here: a command fails at once when it is away, and nobody waits. */
import { Redis } from 'ioredis';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 1_000;
const RECONNECT_MAX_MS = 2_000;

type RedisConfig = Pick<Config, 'REDIS_HOST' | 'REDIS_PORT' | 'REDIS_PASSWORD'>;

/**
 * Makes a client that connects when `connect()` is called and reconnects for ever with short pauses. While it is
 * disconnected every command is rejected at once. Its errors are logged once per change of state.
 */
export function createRedis(config: RedisConfig, logger: Logger): Redis {
  const redis = new Redis({
    host: config.REDIS_HOST,
    port: config.REDIS_PORT,
    ...(config.REDIS_PASSWORD === '' ? {} : { password: config.REDIS_PASSWORD }),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), RECONNECT_MAX_MS),
  });
  let known: 'unknown' | 'up' | 'down' = 'unknown';
  redis.on('ready', () => {
    if (known === 'down') logger.info('Redis is back');
    known = 'up';
  });
  redis.on('error', (error: Error) => {
    if (known !== 'down') logger.warn({ reason: error.message }, 'Redis cannot be reached');
    known = 'down';
  });
  return redis;
}

/**
 * A second connection like the first one, over which the commands of one turn of the event loop travel together: what each
 * request asks costs less so. Not for anything slow, which the others would wait for. The first one says that Redis is away.
 */
export function createPipelining(redis: Redis): Redis {
  const pipelining = redis.duplicate({ enableAutoPipelining: true, autoResendUnfulfilledCommands: false });
  pipelining.on('error', () => undefined);
  return pipelining;
}
