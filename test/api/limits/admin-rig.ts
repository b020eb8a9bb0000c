/** The admin API of limits over HTTP, on real Redis and PostgreSQL, and another process's view of the same limits. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type { Redis } from 'ioredis';
import { createTierDirectory } from '../../../src/api/limits/tier-directory';
import type { TierDirectory } from '../../../src/api/limits/tier-directory';
import { adminLimitsRoutes } from '../../../src/api/routes/admin-limits';
import { createRedis } from '../../../src/redis/client';
import { createLimitStats } from '../../../src/redis/limit-stats';
import type { LimitStats } from '../../../src/redis/limit-stats';
import { createMerchantTierCache } from '../../../src/redis/merchant-tier';
import { createSubscriber } from '../../../src/redis/subscriber';
import { createTierLimiter } from '../../../src/redis/tier-limiter';
import type { TierLimiter } from '../../../src/redis/tier-limiter';
import { createMerchant } from '../../../src/stores/merchants';
import { startApi } from '../harness';
import type { Answer, ApiHarness, Parts } from '../harness';

const silent = pino({ level: 'silent' });

export interface AdminRig {
  readonly api: ApiHarness;
  readonly redis: Redis;
  readonly tiers: TierDirectory;
  /** Of another process. */
  readonly elsewhere: TierDirectory;
  readonly limiter: TierLimiter;
  readonly stats: LimitStats;
  /** Of the starter tier. @returns its id */
  newMerchant(): Promise<string>;
  /** With the admin key. */
  ask(method: string, path: string, json?: unknown): Promise<Answer>;
  /** What was noted of the operators' doings, the first first. */
  audited(entityId: string): Promise<AuditRow[]>;
  close(): Promise<void>;
}

export interface AuditRow {
  readonly action: string;
  readonly entity: string;
  readonly before: object | null;
  readonly after: object | null;
}

const AUDIT = `SELECT action, entity, before, after FROM admin_audit WHERE entity_id = $1 AND actor = 'root' AND key_id IS NULL AND params IS NULL ORDER BY id`;

/** The address of a merchant in the admin API. */
export const merchantPath = (id: string, rest = '') => `/api/v1/admin/merchants/${id}${rest}`;
export const nobody = () => randomUUID();

export async function startAdminRig(): Promise<AdminRig> {
  let parts: Omit<AdminRig, 'api' | 'newMerchant' | 'ask' | 'audited' | 'close'> | undefined;
  const api = await startApi((given) => {
    const prefix = given.config.REDIS_KEY_PREFIX;
    const redis = createRedis(given.config, silent);
    const [tiers, elsewhere] = [startDirectory(given, redis), startDirectory(given, redis)] as const;
    const [limiter, stats] = [createTierLimiter(redis, prefix), createLimitStats(redis, prefix)] as const;
    parts = { redis, tiers, elsewhere, limiter, stats };
    return adminLimitsRoutes({ db: given.db, tiers, limiter, stats, nowMs: () => Date.now() });
  });
  if (parts === undefined) throw new Error('the API has asked for no routes');
  const { redis, tiers, elsewhere } = parts;
  await redis.connect();
  return {
    ...{ api, ...parts },
    newMerchant: async () => (await createMerchant(api.db, api.box, 'Limited')).live.id,
    ask: (method, path, json) =>
      api.request(method, path, { key: api.config.HOLDFAST_ADMIN_KEY, ...(json !== undefined && { json }) }),
    audited: async (entityId) => (await api.db.query<{ action: string } & AuditRow>(AUDIT, [entityId])).rows,
    async close() {
      await Promise.all([tiers.stop(), elsewhere.stop()]);
      redis.disconnect();
      await api.close();
    },
  };
}

function startDirectory({ db, config }: Parts, redis: Redis): TierDirectory {
  const directory = createTierDirectory({
    ...{ db, log: silent, now: () => performance.now() },
    cache: createMerchantTierCache(redis, config.REDIS_KEY_PREFIX),
    subscriber: createSubscriber(redis),
  });
  directory.start();
  return directory;
}
