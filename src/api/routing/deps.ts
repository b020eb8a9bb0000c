import type { Logger } from '../../observability/logger';
import type { Database } from '../../stores/postgres';

export interface RoutingAdminDeps {
  readonly db: Database;
  readonly tellRouters: TellRouters;
}

/** Told after every committed change of what routing goes by. It never throws. */
export type TellRouters = () => Promise<void>;

const TELL_LIMIT_MS = 1_000;

/**
 * The change is committed, whatever becomes of the news of it: the routers find it by its version anyhow. An answer waits for
 * the news, so that who has changed something sees it in effect, but not for ever.
 */
export function createTellRouters(onRoutingChanged: () => Promise<void>, log: Logger): TellRouters {
  return async () => {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => (timer = setTimeout(resolve, TELL_LIMIT_MS)));
    const told = onRoutingChanged().catch((error: unknown) =>
      log.warn({ err: error }, 'a change of routing is not announced; the routers find it by its version'),
    );
    await Promise.race([told, tooLate]);
    clearTimeout(timer);
  };
}
