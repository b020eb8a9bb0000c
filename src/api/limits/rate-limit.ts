/** What the frame asks before it lets a request in: who may not, who must wait, and what is refused when there is too much. */
import type { Response } from 'express';
import { limitHeaders } from '../../domain/limits/decision';
import type { LimitAnswer } from '../../domain/limits/decision';
import type { Priority } from '../../domain/limits/load';
import { scaled } from '../../domain/limits/tiers';
import type { TierLimits } from '../../domain/limits/tiers';
import type { ApiMetrics } from '../../observability/metrics';
import { contextOf } from '../request-context';
import type { GuardedLimiter, Lease } from './guarded-limiter';
import type { IpLimit } from './ip-limit';
import type { LoadMonitor } from './load-monitor';
import { addressRefusal, overloaded, TierLimitReached } from './refusals';
import type { StatsBook } from './stats';
import type { TierDirectory } from './tier-directory';
import type { WarningWriter } from './warnings';

export interface RateLimit {
  /** @throws HoldfastError RATE_LIMIT_EXCEEDED for an address that has sent too much without a valid key, OVERLOADED */
  beforeAuthentication(req: Parameters<IpLimit['blockedMs']>[0], route: Limited): void;
  /** @throws HoldfastError RATE_LIMIT_EXCEEDED for an address that has sent too much without a valid key */
  refuseBlocked(req: Parameters<IpLimit['blockedMs']>[0]): void;
  /** A request that named nobody, or no route. */
  noteStranger(req: Parameters<IpLimit['note']>[0]): void;
  /**
   * Sets the headers of the answer, and holds a place until the response is closed, whatever closes it.
   * @throws TierLimitReached
   */
  admit(merchantId: string, priority: Priority, res: Response): Promise<void>;
}

interface Limited {
  readonly auth: string;
  readonly priority: Priority;
}

export interface RateLimitDeps {
  readonly limiter: Pick<GuardedLimiter, 'acquire' | 'release'>;
  readonly tiers: Pick<TierDirectory, 'known' | 'limitsOf'>;
  readonly ipLimit: IpLimit;
  readonly ipLimitPerMinute: number;
  readonly load: Pick<LoadMonitor, 'isShed' | 'state'>;
  readonly leases: LeaseBook;
  readonly stats: Pick<StatsBook, 'count'>;
  readonly warnings: Pick<WarningWriter, 'add'>;
  readonly metrics: Pick<ApiMetrics, 'limited' | 'shed' | 'addressRefused'>;
}

/** The places that this process holds. */
export interface LeaseBook {
  newId(): string;
  add(lease: Lease): void;
  remove(lease: Lease): void;
}

export function createRateLimit(deps: RateLimitDeps): RateLimit {
  const { limiter, tiers, ipLimit, load, leases, stats, warnings, metrics } = deps;

  function tell(answer: LimitAnswer, merchantId: string, tier: string, limits: TierLimits): void {
    const outcome = answer.refusedBy ?? 'allowed';
    stats.count(merchantId, outcome);
    metrics.limited(outcome);
    for (const window of answer.warnings) {
      warnings.add({ merchantId, tier, window, limits, atMs: answer.nowMs });
    }
  }

  /** The place is given back when the response is closed; first of all, so that nothing that fails later can keep it. */
  function hold(lease: Lease, res: Response): void {
    leases.add(lease);
    const end = () => {
      leases.remove(lease);
      limiter.release(lease);
    };
    const context = contextOf(res);
    // Somebody who has gone meanwhile will not close again.
    if (context.isClosed) end();
    else context.onClose = end;
  }

  function refuseBlocked(req: Parameters<IpLimit['blockedMs']>[0]): void {
    const blockedMs = ipLimit.blockedMs(req);
    if (blockedMs === 0) return;
    metrics.addressRefused();
    throw addressRefusal(blockedMs, deps.ipLimitPerMinute);
  }

  return {
    beforeAuthentication(req, { auth, priority }) {
      if (priority === 'exempt') return;
      refuseBlocked(req);
      // Operators come in whatever the load: they are who can do something about it.
      if (auth !== 'merchant' || !load.isShed(priority)) return;
      metrics.shed(priority);
      throw overloaded();
    },
    refuseBlocked,
    noteStranger: (req) => ipLimit.note(req),
    async admit(merchantId, priority, res) {
      const { tier, limits: full } = tiers.known(merchantId) ?? (await tiers.limitsOf(merchantId));
      const { scalePercent } = load.state();
      // What is to be finished has the whole tier: it makes room.
      const limits = scalePercent === 100 || priority === 'finish' ? full : scaled(full, scalePercent);
      const { answer, limits: used, lease } = await limiter.acquire(merchantId, limits, leases.newId());
      if (answer.refusedBy === undefined) hold(lease, res);
      tell(answer, merchantId, tier, used);
      const headers = limitHeaders(answer, tier, used);
      for (const name in headers) res.setHeader(name, headers[name] ?? '');
      if (answer.refusedBy !== undefined) throw new TierLimitReached(answer.refusedBy, used, tier);
    },
  };
}
