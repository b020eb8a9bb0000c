/**
 * What a merchant may ask, in Redis: `merchant:tier:{merchant_id}`, the name of its tier, and `merchant:limits:{merchant_id}`,
 * the numbers of its own as JSON (`{}`: none), 5 minutes each. `merchant:tier:changed` tells of changes: a merchant's id, or
 * `*` when a tier itself changed. PostgreSQL is the truth.
 */
import type { ChainableCommander, Redis } from 'ioredis';
import { LIMIT_NAMES, MAX_LIMIT, TIER_NAMES } from '../domain/limits/tiers';
import type { LimitOverrides, TierName } from '../domain/limits/tiers';
import type { Subscriber } from './subscriber';

export const CACHE_SECONDS = 300;
/** Said in the place of a merchant's id. */
export const EVERY_MERCHANT = '*';

export interface OwnLimits {
  readonly tier: TierName;
  readonly overrides: LimitOverrides;
}

/** All of it rejects when Redis is away. */
export interface MerchantTierCache {
  /** undefined: there is nothing, or nothing that can be read as limits. */
  read(merchantId: string): Promise<OwnLimits | undefined>;
  /** Keeps what was read from the database, unless somebody has kept something meanwhile: that is not older. */
  fill(merchantId: string, own: OwnLimits): Promise<void>;
  /** Keeps what was just changed. */
  replace(merchantId: string, own: OwnLimits): Promise<void>;
  forget(merchantIds: readonly string[]): Promise<void>;
  /** @param merchantId or EVERY_MERCHANT */
  announce(merchantId: string): Promise<void>;
  /** @param onChange hears a merchant's id or EVERY_MERCHANT; must not throw */
  listen(subscriber: Subscriber, onChange: (merchantId: string) => void): void;
}

/** @param prefix before the names of keys and channel, where several installations share a Redis; else empty */
export function createMerchantTierCache(redis: Redis, prefix: string): MerchantTierCache {
  const keysOf = (merchantId: string) =>
    [`${prefix}merchant:tier:${merchantId}`, `${prefix}merchant:limits:${merchantId}`] as const;
  const changed = `${prefix}merchant:tier:changed`;
  return {
    async read(merchantId) {
      const [tier, limits] = await redis.mget(...keysOf(merchantId));
      return tier == null || limits == null ? undefined : ownLimitsOf(tier, limits);
    },
    async fill(merchantId, { tier, overrides }) {
      const [tierKey, limitsKey] = keysOf(merchantId);
      const filling = redis.multi().set(tierKey, tier, 'EX', CACHE_SECONDS, 'NX');
      await done(filling.set(limitsKey, JSON.stringify(overrides), 'EX', CACHE_SECONDS, 'NX'));
    },
    async replace(merchantId, { tier, overrides }) {
      const [tierKey, limitsKey] = keysOf(merchantId);
      const replacing = redis.multi().set(tierKey, tier, 'EX', CACHE_SECONDS);
      await done(replacing.set(limitsKey, JSON.stringify(overrides), 'EX', CACHE_SECONDS));
    },
    async forget(merchantIds) {
      if (merchantIds.length > 0) await redis.del(...merchantIds.flatMap(keysOf));
    },
    async announce(merchantId) {
      await redis.publish(changed, merchantId);
    },
    listen: (subscriber, onChange) => subscriber.on(changed, onChange),
  };
}

/** Its commands fail one by one, beside those that succeed. */
async function done(commands: ChainableCommander): Promise<void> {
  const answers = (await commands.exec()) ?? [];
  const failure = answers.map(([error]) => error).find((error) => error !== null);
  if (failure) throw failure;
}

/** Of our own making as a rule; what another release or a stranger has left there is as good as nothing. */
function ownLimitsOf(tierText: string, limitsText: string): OwnLimits | undefined {
  const tier = TIER_NAMES.find((name) => name === tierText);
  const overrides = overridesOf(limitsText);
  return tier === undefined || overrides === undefined ? undefined : { tier, overrides };
}

function overridesOf(text: string): LimitOverrides | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const given = value as Record<string, unknown>;
  const overrides: { -readonly [Name in keyof LimitOverrides]: number } = {};
  for (const name of LIMIT_NAMES) {
    const number = given[name];
    if (number === undefined) continue;
    if (!Number.isInteger(number) || (number as number) < 1 || (number as number) > MAX_LIMIT)
      return undefined;
    overrides[name] = number as number;
  }
  return overrides;
}
