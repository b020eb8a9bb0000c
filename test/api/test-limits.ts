/** The limits of a process, on the run's Redis. */
import { createLimits } from '../../src/api/limits/limits';
import type { Limits } from '../../src/api/limits/limits';
import type { Config } from '../../src/config/config';
import type { Logger } from '../../src/observability/logger';
import { createRedis } from '../../src/redis/client';
import type { Database } from '../../src/stores/postgres';

export interface TestLimits {
  readonly limits: Limits;
  /** What `createApp` is given. */
  readonly frame: { readonly limits: Limits['rateLimit']; readonly observer: Limits['observer'] };
  readonly stop: () => Promise<void>;
}

export async function startLimits(config: Config, log: Logger, db: Database): Promise<TestLimits> {
  const redis = createRedis(config, log);
  await redis.connect();
  const limits = createLimits({ config, log, db, redis, ringOutbox: () => undefined });
  limits.start();
  return {
    limits,
    frame: { limits: limits.rateLimit, observer: limits.observer },
    async stop() {
      await limits.stop();
      redis.disconnect();
    },
  };
}
