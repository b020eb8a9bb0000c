/** The places that the requests of this process hold: those that last are renewed, or they would run out under it. */
import type { GuardedLimiter, Lease } from './guarded-limiter';
import type { LeaseBook } from './rate-limit';

/** A place is renewed after a third of its life, so that two renewals may be lost. */
const RENEWALS = 3;

export interface RenewingLeaseBook extends LeaseBook {
  start(): void;
  stop(): void;
}

/** @param processId makes ids of one process different from all others'. @param leaseMs how long a place lasts */
export function createLeaseBook(
  limiter: Pick<GuardedLimiter, 'renew'>,
  processId: string,
  leaseMs: number,
): RenewingLeaseBook {
  const everyMs = Math.floor(leaseMs / RENEWALS);
  const held = new Map<Lease, number>();
  let round = 0;
  let lastId = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    newId: () => `${processId}${(lastId += 1).toString(36)}`,
    add: (lease) => void held.set(lease, round),
    remove: (lease) => void held.delete(lease),
    start() {
      timer = setInterval(() => {
        // Those of this round are younger than a third.
        for (const [lease, since] of held) if (since < round) limiter.renew(lease);
        round += 1;
      }, everyMs).unref();
    },
    stop: () => clearInterval(timer),
  };
}
