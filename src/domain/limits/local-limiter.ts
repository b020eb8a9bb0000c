/**
 * The limiter of one process, with the arithmetic of the script in Redis: for the time in which Redis is away. Pure but for what it
 * remembers; the clock is an argument.
 */
import { answerOf, usageOf } from './decision';
import type { CountedWindow, LimitAnswer, LimitUsage } from './decision';
import { drained, REQUEST_UNITS } from './gcra';
import { count, emptyWindow, HOUR, liveCount, MINUTE, warns, windowWaitUs } from './sliding-window';
import type { SlidingWindow } from './sliding-window';
import type { TierLimits } from './tiers';

/** Of a lease, unless another time is given. */
export const LEASE_MS = 60_000;
/** A larger step back of the clock is a new clock; a smaller one is waited out. */
const STEP_US = 1_000_000;

/** All of it in memory, bounded: of more merchants than it may remember it forgets the one not seen for longest. */
export interface LocalLimiter {
  /** @param leaseId of this request alone. @param nowMs Unix milliseconds, fractions allowed */
  acquire(merchantId: string, limits: TierLimits, leaseId: string, nowMs: number): LimitAnswer;
  release(merchantId: string, leaseId: string): void;
  /** @returns false for a lease that has run out or was given back */
  renew(merchantId: string, leaseId: string, nowMs: number): boolean;
  /** Changes nothing. */
  usage(merchantId: string, limits: TierLimits, nowMs: number): LimitUsage;
  /** Empties bucket and windows; leases stay. */
  unblock(merchantId: string): void;
}

interface Lease {
  readonly id: string;
  readonly lengthUs: number;
}

interface Merchant {
  /** By the merchant's own clock, which never goes back. */
  lastUs: number;
  /** What that clock is ahead of the one it is given. */
  aheadUs: number;
  level: number;
  minute: SlidingWindow;
  hour: SlidingWindow;
  /** When they run out, the first to do so first. */
  readonly leases: Map<string, number>;
}

/** @param leaseMs so long a lease lasts unless it is renewed or given back */
export function createLocalLimiter(leaseMs = LEASE_MS, maxMerchants = 10_000): LocalLimiter {
  const merchants = new Map<string, Merchant>();

  function merchantOf(merchantId: string, nowUs: number): Merchant {
    const merchant = merchants.get(merchantId) ?? newMerchant(nowUs);
    merchants.delete(merchantId);
    merchants.set(merchantId, merchant);
    if (merchants.size > maxMerchants) merchants.delete(merchants.keys().next().value ?? '');
    return merchant;
  }

  return {
    acquire(merchantId, limits, leaseId, nowMs) {
      const nowUs = Math.round(nowMs * 1000);
      return decide(merchantOf(merchantId, nowUs), limits, { id: leaseId, lengthUs: leaseMs * 1000 }, nowUs);
    },
    release: (merchantId, leaseId) => void merchants.get(merchantId)?.leases.delete(leaseId),
    renew(merchantId, leaseId, nowMs) {
      const merchant = merchants.get(merchantId);
      const nowUs = merchant === undefined ? 0 : clockOf(merchant, Math.round(nowMs * 1000)).nowUs;
      if (merchant === undefined || (merchant.leases.get(leaseId) ?? 0) <= nowUs) return false;
      lend(merchant, { id: leaseId, lengthUs: leaseMs * 1000 }, nowUs);
      return true;
    },
    usage(merchantId, limits, nowMs) {
      const merchant = merchants.get(merchantId);
      if (merchant === undefined) return usageOf(limits, 0, { minute: 0, hour: 0, concurrent: 0 });
      const { nowUs } = clockOf(merchant, Math.round(nowMs * 1000));
      return usageOf(limits, levelOf(merchant, limits, nowUs), {
        minute: liveCount(merchant.minute, nowUs),
        hour: liveCount(merchant.hour, nowUs),
        concurrent: liveLeases(merchant, nowUs),
      });
    },
    unblock(merchantId) {
      const merchant = merchants.get(merchantId);
      if (merchant === undefined) return;
      merchant.level = 0;
      merchant.minute = emptyWindow(MINUTE, merchant.lastUs);
      merchant.hour = emptyWindow(HOUR, merchant.lastUs);
    },
  };
}

function newMerchant(nowUs: number): Merchant {
  return {
    ...{ lastUs: nowUs, aheadUs: 0, level: 0 },
    ...{ minute: emptyWindow(MINUTE, nowUs), hour: emptyWindow(HOUR, nowUs), leases: new Map() },
  };
}

function clockOf({ lastUs, aheadUs }: Merchant, givenUs: number): { nowUs: number; aheadUs: number } {
  const nowUs = givenUs + aheadUs;
  if (nowUs >= lastUs) return { nowUs, aheadUs };
  return { nowUs: lastUs, aheadUs: lastUs - nowUs > STEP_US ? lastUs - givenUs : aheadUs };
}

const levelOf = ({ level, lastUs }: Merchant, { perSecond }: TierLimits, nowUs: number) =>
  drained(level, nowUs - lastUs, perSecond);

function liveLeases({ leases }: Merchant, nowUs: number): number {
  let live = leases.size;
  for (const endsUs of leases.values()) {
    if (endsUs > nowUs) break;
    live -= 1;
  }
  return live;
}

function forget({ leases }: Merchant, nowUs: number): void {
  for (const [id, endsUs] of leases) {
    if (endsUs > nowUs) return;
    leases.delete(id);
  }
}

function lend({ leases }: Merchant, { id, lengthUs }: Lease, nowUs: number): void {
  leases.delete(id);
  leases.set(id, nowUs + lengthUs);
}

/** All is looked at before anything is changed, so that a refused request consumes nothing. */
function decide(merchant: Merchant, limits: TierLimits, lease: Lease, givenUs: number): LimitAnswer {
  const { nowUs, aheadUs } = clockOf(merchant, givenUs);
  merchant.aheadUs = aheadUs;
  let level = levelOf(merchant, limits, nowUs);
  let minute = liveCount(merchant.minute, nowUs);
  let hour = liveCount(merchant.hour, nowUs);
  let concurrent = liveLeases(merchant, nowUs);
  const allowed =
    minute < limits.perMinute &&
    hour < limits.perHour &&
    concurrent < limits.concurrency &&
    level + REQUEST_UNITS <= limits.burst * REQUEST_UNITS;
  const warnings: CountedWindow[] = [];
  if (allowed) {
    forget(merchant, nowUs);
    lend(merchant, lease, nowUs);
    [merchant.lastUs, merchant.level] = [nowUs, level + REQUEST_UNITS];
    [level, concurrent] = [merchant.level, concurrent + 1];
    minute = count(merchant.minute, nowUs);
    hour = count(merchant.hour, nowUs);
    if (warns(merchant.minute, minute, limits.perMinute, nowUs)) warnings.push('minute');
    if (warns(merchant.hour, hour, limits.perHour, nowUs)) warnings.push('hour');
  }
  return answerOf(limits, {
    ...{ allowed, nowUs: givenUs, level, minute, hour, concurrent, warnings },
    minuteWaitUs: windowWaitUs(merchant.minute, nowUs, limits.perMinute),
    hourWaitUs: windowWaitUs(merchant.hour, nowUs, limits.perHour),
  });
}
