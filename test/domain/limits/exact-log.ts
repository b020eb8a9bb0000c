/**
 * What a limiter must do, slow and obviously right: a log of every admitted request with its time. It judges an answer rather than
 * gives one, because a window may refuse when it and one sub-bucket more are full.
 */
import type { LimitAnswer, LimitWindow } from '../../../src/domain/limits/decision';
import type { TierLimits } from '../../../src/domain/limits/tiers';

const MINUTE_US = 60_000_000;
const HOUR_US = 3_600_000_000;
const LEASE_US = 60_000_000;

export class ExactLog {
  private readonly admittedUs: number[] = [];
  private readonly leases = new Map<string, number>();
  /** Where the log's last hour begins, so that counting it does not begin at the beginning. */
  private from = 0;
  private n = 0;
  private least = Infinity;

  /** @param isExact whether the times are those by which the limiter decides; else only what it admits is judged */
  constructor(
    private readonly limits: TierLimits,
    private readonly isExact: boolean,
  ) {}

  get admitted(): number {
    return this.admittedUs.length;
  }

  /** @throws Error with what is wrong about this answer */
  judge(answer: Pick<LimitAnswer, 'allowed' | 'refusedBy'>, lease: string, atUs: number): void {
    const full = this.full(atUs, 0);
    if (answer.allowed) {
      if (full.size > 0) throw new Error(`admitted above the limit of the ${[...full].join(', ')}`);
      this.admit(lease, atUs);
      return;
    }
    // The oldest sub-bucket is counted in full: a second of the minute, a minute of the hour.
    if (this.isExact && !this.full(atUs, 1 / 60).has(answer.refusedBy ?? 'second'))
      throw new Error(`refused by ${answer.refusedBy ?? 'nobody'}, which has room`);
  }

  release(lease: string): void {
    this.leases.delete(lease);
  }

  /** @returns whether there was such a lease */
  renew(lease: string, atUs: number): boolean {
    const isLive = (this.leases.get(lease) ?? 0) > atUs;
    if (isLive) this.leases.set(lease, atUs + LEASE_US);
    return isLive;
  }

  private admit(lease: string, atUs: number): void {
    this.admittedUs.push(atUs);
    this.leases.set(lease, atUs + LEASE_US);
    this.least = Math.min(this.least, this.placeOf(atUs));
    this.n += 1;
  }

  /** The checks that may not let one more through. @param slack of a window's length, by which it may look further back */
  private full(atUs: number, slack: number): Set<LimitWindow> {
    const full = new Set<LimitWindow>();
    const { perMinute, perHour, burst, concurrency } = this.limits;
    if (this.since(atUs - MINUTE_US * (1 + slack)) >= perMinute) full.add('minute');
    if (this.since(atUs - HOUR_US * (1 + slack)) >= perHour) full.add('hour');
    if ([...this.leases.values()].filter((endsUs) => endsUs > atUs).length >= concurrency)
      full.add('concurrent');
    if (this.placeOf(atUs) - Math.min(this.least, this.placeOf(atUs)) > (burst - 1) * 1_000_000)
      full.add('second');
    return full;
  }

  /**
   * Between two admitted requests i and j lie at most burst - 1 + perSecond x time others: n(j) - n(i) + 1 <= burst + rate x (tj - ti).
   * So what counts is n - rate x t, in millionths, and how far it is above its least so far.
   */
  private placeOf(atUs: number): number {
    const startUs = this.admittedUs[0] ?? atUs;
    return this.n * 1_000_000 - this.limits.perSecond * (atUs - startUs);
  }

  private since(fromUs: number): number {
    while ((this.admittedUs[this.from] ?? Infinity) < fromUs - HOUR_US) this.from += 1;
    let count = 0;
    for (
      let at = this.admittedUs.length - 1;
      at >= this.from && (this.admittedUs[at] ?? 0) >= fromUs;
      at -= 1
    )
      count += 1;
    return count;
  }
}
