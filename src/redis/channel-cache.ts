/**
 * The routing configuration in Redis: `payment:router:channels`, the whole snapshot as JSON, kept 5 minutes, its version beside
 * it in `payment:router:version`, and a message on `payment:router:changed` with every newer one. PostgreSQL is the truth.
 */
import type { Redis } from 'ioredis';
import type { RoutingConfig } from '../domain/routing/types';
import type { Subscriber } from './subscriber';

export const CACHE_SECONDS = 300;

const NONE_LOST = -1;

const LISTS = ['channels', 'fees', 'rules', 'merchants', 'accounts'] as const;

/**
 * Whoever read the database earlier may write later: an older version never takes the place of a newer one, but for those
 * which the database has lost: they are taken away.
 * KEYS configuration, its version; ARGV configuration, its version, seconds, channel of the message, first lost version (-1:
 * none). Answers 1, or 0 when there is a newer one.
 */
const PUBLISH = `
local known = tonumber(redis.call('GET', KEYS[2]) or '-1')
local version, lost = tonumber(ARGV[2]), tonumber(ARGV[5])
if known > version then
  if lost < 0 or known < lost then return 0 end
  known = -1
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
if known < version then redis.call('PUBLISH', ARGV[4], ARGV[2]) end
return 1`;

/** All of it rejects when Redis is away. */
export interface ChannelCache {
  /** undefined: there is none, or nothing that can be read as one. */
  readCached(): Promise<RoutingConfig | undefined>;
  /** Cheap enough for every second. undefined: there is none. */
  readVersion(): Promise<number | undefined>;
  /**
   * Keeps this configuration and tells everybody, unless there is a newer one.
   * @param lost a newer version that the database has had and has no more: it, and what came after it, makes way
   * @returns whether it was kept
   */
  publishChange(config: RoutingConfig, lost?: number): Promise<boolean>;
  /** Hears of changes. @param onVersion the version that is in the cache now; must not throw */
  listen(subscriber: Subscriber, onVersion: (version: number) => void): void;
}

/** @param prefix before the names of keys and channel, where several installations share a Redis; else empty */
export function createChannelCache(redis: Redis, prefix: string): ChannelCache {
  const key = `${prefix}payment:router:channels`;
  const versionKey = `${prefix}payment:router:version`;
  const changed = `${prefix}payment:router:changed`;
  return {
    async readCached() {
      const text = await redis.get(key);
      return text === null ? undefined : configOf(text);
    },
    async readVersion() {
      const text = await redis.get(versionKey);
      return text === null ? undefined : versionOf(text);
    },
    async publishChange(config, lost = NONE_LOST) {
      const version = String(config.version);
      const values = [JSON.stringify(config), version, String(CACHE_SECONDS), changed, String(lost)];
      return (await redis.eval(PUBLISH, 2, key, versionKey, ...values)) === 1;
    },
    listen(subscriber, onVersion) {
      subscriber.on(changed, (message) => {
        const version = versionOf(message);
        if (version !== undefined) onVersion(version);
      });
    },
  };
}

function versionOf(text: string): number | undefined {
  const version = Number(text);
  return Number.isSafeInteger(version) && version > 0 ? version : undefined;
}

/** Of our own making as a rule; what another release or a stranger has left there is as good as nothing. */
function configOf(text: string): RoutingConfig | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const config = value as Record<string, unknown>;
  const isWhole = LISTS.every((name) => Array.isArray(config[name]));
  return isWhole && versionOf(String(config['version'])) !== undefined ? (value as RoutingConfig) : undefined;
}
