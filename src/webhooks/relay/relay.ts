/**
 * The relay: claims what is due in the outbox, sends it, records the outcomes, and again. One loop, so that claims and
 * records take turns on the same rows; only the deliveries themselves run at the same time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptResult, DeliveryJob } from '../../domain/webhook/delivery-policy';
import type { Logger } from '../../observability/logger';
import type { Database } from '../../stores/postgres';
import type { SecretBox } from '../../stores/secret-box';
import { claimDue, FIRST_LANE } from '../../stores/webhook-lanes';
import type { LaneSettings } from '../../stores/webhook-lanes';
import type { DeliveryLease } from '../../stores/webhook-leases';
import type { Attempted } from '../../stores/webhook-outcomes';
import { claimProbes } from '../../stores/webhook-probes';
import { FailureLanes } from './failure-lanes';
import { isSuccess } from './recorder';
import type { Recorder } from './recorder';

const CLAIM_MAX = 200;
const BUSY_POLL_MS = 200;
const IDLE_POLL_MS = 1_000;
const PROBES_EVERY_MS = 500;
const TROUBLE_PAUSE_MS = 500;
const DRAIN_PAUSE_MS = 20;
/** The longest pause between turns under load, unless so many outcomes wait: small claims cost almost as much as large ones. */
const PACE_MAX_MS = 30;
const FULL_TURN = 75;
/** Of the places of a process, what one merchant may have. */
const MERCHANT_SHARE = 0.25;
/** How many outcomes one statement records at most. */
const RECORD_MAX = 500;
/** Failures that wait to be written. They take no places, or an outage of many endpoints would keep the others waiting. */
const UNRECORDED_MAX = 10_000;

export interface RelayDeps {
  readonly db: Database;
  readonly box: SecretBox;
  readonly log: Logger;
  readonly settings: LaneSettings & { readonly maxInFlight: number };
  /** One attempt; never rejects for what the network or the receiver does. */
  readonly send: (job: DeliveryJob) => Promise<AttemptResult>;
  readonly recorder: Recorder;
  /** Calls back after a commit that may have added notifications. @returns how to stop listening */
  readonly listen: (onNews: () => void) => Promise<() => Promise<void>>;
  /** Deliveries that have begun get this long when the relay stops. */
  readonly stopGraceMs: number;
  readonly now: () => number;
}

export interface Relay {
  start(): Promise<void>;
  /** Claims nothing more, waits for the deliveries under way, records them. What takes longer is delivered again by its lease's end. */
  stop(): Promise<void>;
}

export function createRelay(deps: RelayDeps): Relay {
  const loop = new RelayLoop(deps);
  let stopListening: (() => Promise<void>) | undefined;
  let running: Promise<void> | undefined;
  return {
    async start() {
      stopListening = await deps.listen(() => loop.wake());
      running = loop.run();
    },
    async stop() {
      loop.stop();
      await stopListening?.();
      await running;
    },
  };
}

class RelayLoop {
  private readonly finished: Attempted[] = [];
  private readonly failures: FailureLanes;
  private readonly merchants = new MerchantCounts();
  private inFlight = 0;
  private stopping = false;
  private cursor = FIRST_LANE;
  private hasMore = true;
  private probesAtMs = 0;
  private turnAtMs = 0;
  /** Rows that this turn has claimed. */
  private claimed = 0;
  private isAwake = false;
  private rouse: () => void = () => undefined;

  constructor(private readonly deps: RelayDeps) {
    // A failure that is written may have shut a gate or made room in its lane.
    this.failures = new FailureLanes(deps, () => this.wake());
  }

  /** News: something may have become due. */
  wake(): void {
    this.hasMore = true;
    this.rouseNow();
  }

  stop(): void {
    this.stopping = true;
    this.rouseNow();
  }

  async run(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.pace();
        await this.record();
        await this.claim();
        if (this.finished.length === 0 && !this.hasMore) await this.rest();
      } catch (error) {
        this.deps.log.warn({ err: error }, 'the relay could not reach the outbox; trying again');
        await sleep(TROUBLE_PAUSE_MS);
      }
    }
    await this.drain();
  }

  /** A turn that claimed n rows is followed by the next n ms after it began: at once in calm, in large batches under load. */
  private async pace(): Promise<void> {
    const paceMs = Math.min(this.claimed, PACE_MAX_MS);
    const restMs = this.turnAtMs + paceMs - this.deps.now();
    // A clock that was set back is not waited for.
    if (restMs > 0 && restMs <= paceMs && !this.isTurnFull()) {
      await this.pause(restMs, () => this.isTurnFull() || this.stopping);
    }
    this.turnAtMs = this.deps.now();
    this.claimed = 0;
  }

  private isTurnFull(): boolean {
    return this.finished.length >= FULL_TURN;
  }

  /** Successes at once, in one statement; failures take longer and go their own way, so that nobody waits for them. */
  private async record(): Promise<void> {
    while (this.finished.length > 0) {
      const batch = this.finished.slice(0, RECORD_MAX);
      const successes = batch.filter(({ result }) => isSuccess(result));
      // Outcomes that cannot be written stay where they are: they count against what may be in flight.
      if (successes.length > 0) await this.deps.recorder.record(successes);
      this.finished.splice(0, batch.length);
      this.failures.add(batch.filter(({ result }) => !isSuccess(result)));
      this.inFlight -= batch.length;
      this.wake();
    }
  }

  private async claim(): Promise<void> {
    const { db, box, settings, now } = this.deps;
    if (now() >= this.probesAtMs) {
      this.probesAtMs = now() + PROBES_EVERY_MS;
      await this.probe();
    }
    const share = Math.max(1, Math.floor(settings.maxInFlight * MERCHANT_SHARE));
    // One claim may go to one merchant whole: with what it has already, that is less than half of the places.
    const max = Math.min(CLAIM_MAX, share, settings.maxInFlight - this.inFlight);
    // A failure that is not written yet must not be overtaken by a second attempt.
    const isHeldUp = this.failures.isInTrouble || this.failures.count >= UNRECORDED_MAX;
    const isWanted = this.hasMore && max > 0 && !isHeldUp;
    this.hasMore = false;
    if (!isWanted) return;
    const { leases, cursor } = await claimDue(db, box, settings, {
      cursor: this.cursor,
      max,
      passOver: this.merchants.atLeast(share),
    });
    this.dispatch(leases);
    this.claimed = leases.length;
    this.cursor = cursor;
    // A rotation that is not complete goes on at once.
    this.hasMore ||= cursor !== FIRST_LANE;
  }

  /** Probes that cannot be claimed keep nothing else back. */
  private async probe(): Promise<void> {
    const { db, box, settings, log } = this.deps;
    try {
      this.dispatch(await claimProbes(db, box, settings));
    } catch (error) {
      log.warn({ err: error }, 'probes could not be claimed; trying again');
    }
  }

  private dispatch(leases: readonly DeliveryLease[]): void {
    for (const lease of leases) {
      this.inFlight += 1;
      this.merchants.begin(lease.merchantId);
      void this.deliver(lease);
    }
  }

  private async deliver(lease: DeliveryLease): Promise<void> {
    const result = await this.deps.send(lease.job);
    this.merchants.end(lease.merchantId);
    this.finished.push({ lease, result });
    this.rouseNow();
  }

  private rouseNow(): void {
    this.isAwake = true;
    this.rouse();
  }

  /** Until an outcome, news, the next probe, or the time to look again. */
  private async rest(): Promise<void> {
    this.isAwake = false;
    const pollMs = this.inFlight > 0 ? BUSY_POLL_MS : IDLE_POLL_MS;
    const probeInMs = Math.max(this.probesAtMs - this.deps.now(), 1);
    const isRoused = await this.pause(Math.min(pollMs, probeInMs), () => this.isAwake);
    if (!isRoused) this.hasMore = true;
  }

  /** @returns whether `isOver` ended it, which is asked whenever something happens, rather than the time */
  private async pause(ms: number, isOver: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (isRoused: boolean) => {
        clearTimeout(timer);
        this.rouse = () => undefined;
        resolve(isRoused);
      };
      const timer = setTimeout(() => end(false), ms);
      this.rouse = () => isOver() && end(true);
      this.rouse();
    });
  }

  private get unfinished(): number {
    return this.inFlight + this.failures.count;
  }

  private async drain(): Promise<void> {
    const endMs = this.deps.now() + this.deps.stopGraceMs;
    while (this.unfinished > 0 && this.deps.now() < endMs) {
      await this.record().catch((error: unknown) => {
        this.deps.log.warn({ err: error }, 'outcomes could not be recorded yet');
      });
      if (this.unfinished > 0) await sleep(DRAIN_PAUSE_MS);
    }
    this.failures.stop();
    await this.deps.recorder.close();
    if (this.unfinished > 0)
      this.deps.log.warn({ count: this.unfinished }, 'deliveries were left to the end of their leases');
  }
}

/** How many deliveries of each merchant are under way here: nobody with many endpoints may take every place. */
class MerchantCounts {
  private readonly counts = new Map<string, number>();

  begin(merchantId: string): void {
    this.counts.set(merchantId, (this.counts.get(merchantId) ?? 0) + 1);
  }

  end(merchantId: string): void {
    const left = (this.counts.get(merchantId) ?? 1) - 1;
    if (left > 0) this.counts.set(merchantId, left);
    else this.counts.delete(merchantId);
  }

  atLeast(limit: number): string[] {
    return [...this.counts].filter(([, count]) => count >= limit).map(([merchantId]) => merchantId);
  }
}
