/** Routers as processes have them, several in one: each with connections of its own to real servers. */
import { pino } from 'pino';
import type { Config } from '../../src/config/config';
import { DEFAULT_POLICY } from '../../src/domain/routing/default-config';
import { DEFAULT_HEALTH_LIMITS } from '../../src/domain/routing/health';
import type { HealthLimits } from '../../src/domain/routing/health';
import type { RoutingPolicy, RoutingRequest } from '../../src/domain/routing/types';
import { createChannelCache } from '../../src/redis/channel-cache';
import { createRedis } from '../../src/redis/client';
import { createProbes } from '../../src/redis/probes';
import { createSubscriber } from '../../src/redis/subscriber';
import { createSuccessRates } from '../../src/redis/success-rates';
import { createRouter } from '../../src/routing/router';
import type { Router } from '../../src/routing/router';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { saveFee } from '../../src/stores/routing-admin';
import { loadRoutingConfig, readRoutingVersion } from '../../src/stores/routing-config';

/** Cheapest first and without chance. */
const POLICY: RoutingPolicy = { ...DEFAULT_POLICY, mode: 'cost', explorationShare: 0 };

export interface TestRouter {
  readonly router: Router;
  readonly db: Database;
  /** What was logged as an error so far. */
  readonly errors: readonly string[];
  stop(): Promise<void>;
}

export interface RouterOptions {
  readonly policy?: Partial<RoutingPolicy>;
  readonly limits?: Partial<HealthLimits>;
}

/** Started; `ready` has been waited for. */
export async function startRouter(config: Config, options: RouterOptions = {}): Promise<TestRouter> {
  const errors: string[] = [];
  const write = (line: string) => void errors.push((JSON.parse(line) as { msg: string }).msg);
  const log = pino({ level: 'error' }, { write });
  const db = createDatabase({ ...config, DB_POOL_SIZE: 2 }, () => undefined);
  const redis = createRedis(config, log);
  await redis.connect().catch(() => undefined);
  const router = createRouter({
    log,
    policy: { ...POLICY, ...options.policy },
    limits: { ...DEFAULT_HEALTH_LIMITS, ...options.limits },
    cache: createChannelCache(redis, config.REDIS_KEY_PREFIX),
    rates: createSuccessRates(redis, config.REDIS_KEY_PREFIX),
    probes: createProbes(redis, config.REDIS_KEY_PREFIX),
    subscriber: createSubscriber(redis),
    loadConfig: () => loadRoutingConfig(db),
    readVersion: () => readRoutingVersion(db),
    now: () => Date.now(),
    random: () => Math.random(),
  });
  router.start();
  await router.ready();
  return {
    router,
    db,
    errors,
    async stop() {
      await router.stop();
      redis.disconnect();
      await db.end();
    },
  };
}

export const MERCHANT = '00000000-0000-4000-8000-000000000001';

export const requestOf = (given: Partial<RoutingRequest> = {}): RoutingRequest => ({
  ...{ merchantId: MERCHANT, world: 'test', number: 'PY1', operation: 'payment' },
  ...{ amount: 10_000, currency: 'USD' },
  ...given,
});

const ADD_ACCOUNT = `
INSERT INTO channel_accounts (id, merchant_id, world, channel, name, credentials_sealed, contract)
VALUES (gen_random_uuid(), NULL, 'test', $1, 'Account', 'sealed', '{}')`;

/** The platform's, which a router need not open. */
export async function addAccount(db: Database, channel: string): Promise<void> {
  await db.query(ADD_ACCOUNT, [channel]);
}

/** What an operator does: PayPal costs so much from now on. */
export async function setPayPalPrice(db: Database, basisPoints: number, id?: string): Promise<string> {
  const fee = { account_id: null, currency: null, country: null, fixed_minor: 0, basis_points: basisPoints };
  const by = { actor: 'admin', requestId: 'test' };
  const changed = await saveFee(db, by, id, { channel: 'paypal', ...fee });
  if (!('row' in changed)) throw new Error(`the price was refused: ${changed.refused}`);
  return changed.row.id;
}

/** What PayPal would charge for 100.00 USD, as this router knows it. */
export function payPalFee({ router }: TestRouter): number | undefined {
  return router.quote(requestOf()).candidates.find(({ channel }) => channel === 'paypal')?.feeMinor;
}
