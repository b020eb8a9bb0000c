/**
 * The relay: claims what is due in the outbox, sends it, records the outcomes. Two loops, each with one statement at a time:
 * a place of an endpoint is free again when its outcome is recorded, and that must not wait for a claim.
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
import { Turns } from './turns';

const CLAIM_MAX = 200;
const BUSY_POLL_MS = 200;
const IDLE_POLL_MS = 1_000;
const PROBES_EVERY_MS = 500;
const TROUBLE_PAUSE_MS = 500;
const DRAIN_PAUSE_MS = 20;
/** So many outcomes are recorded, and so many free places filled, without waiting for more. */
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
  /** Places that have become free since the last claim. */
  private freed = 0;
  private stopping = false;
  private cursor = FIRST_LANE;
  private hasMore = true;
  private probesAtMs = 0;
  /** Outcomes cannot be written: what is not known to be delivered is not added to. */
  private isRecordingInTrouble = false;
  private readonly claims: Turns;
  private readonly records: Turns;

  constructor(private readonly deps: RelayDeps) {
    this.claims = new Turns(deps.now);
    this.records = new Turns(deps.now);
    // A failure that is written may have shut a gate or made room in its lane.
    this.failures = new FailureLanes(deps, () => this.wake());
  }

  /** News: something may have become due. */
  wake(): void {
    this.hasMore = true;
    this.claims.ring();
  }

  stop(): void {
    this.stopping = true;
    this.claims.ring();
    this.records.ring();
  }

  async run(): Promise<void> {
    await Promise.all([this.claimOn(), this.recordOn()]);
    await this.drain();
  }

  private async claimOn(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.claims.pace(() => this.stopping || this.freed >= FULL_TURN);
        this.freed = 0;
        await this.claim();
        if (!this.hasMore) await this.rest();
      } catch (error) {
        this.deps.log.warn({ err: error }, 'the relay could not reach the outbox; trying again');
        await sleep(TROUBLE_PAUSE_MS);
      }
    }
  }

  private async recordOn(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.records.pace(() => this.stopping || this.finished.length >= FULL_TURN);
        await this.record();
        this.isRecordingInTrouble = false;
        if (this.finished.length === 0) await this.records.rest(IDLE_POLL_MS);
      } catch (error) {
        this.isRecordingInTrouble = true;
        this.deps.log.warn({ err: error }, 'outcomes could not be recorded; trying again');
        await sleep(TROUBLE_PAUSE_MS);
      }
    }
  }

  /** Successes at once, in one statement; failures take longer and go their own way, so that nobody waits for them. */
  private async record(): Promise<void> {
    const batch = this.finished.slice(0, RECORD_MAX);
    if (batch.length === 0) return;
    const successes = batch.filter(({ result }) => isSuccess(result));
    // Outcomes that cannot be written stay where they are: they count against what may be in flight.
    if (successes.length > 0) await this.deps.recorder.record(successes);
    this.finished.splice(0, batch.length);
    this.failures.add(batch.filter(({ result }) => !isSuccess(result)));
    this.inFlight -= batch.length;
    this.freed += batch.length;
    this.records.count(batch.length);
    this.wake();
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
    const isInTrouble = this.isRecordingInTrouble || this.failures.isInTrouble;
    const isHeldUp = isInTrouble || this.failures.count >= UNRECORDED_MAX;
    const isWanted = this.hasMore && max > 0 && !isHeldUp;
    this.hasMore = false;
    if (!isWanted) return;
    const { leases, cursor } = await claimDue(db, box, settings, {
      cursor: this.cursor,
      max,
      passOver: this.merchants.atLeast(share),
    });
    this.dispatch(leases);
    this.claims.count(leases.length);
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
    this.records.ring();
  }

  /** Until news, a free place, the next probe, or the time to look again. */
  private async rest(): Promise<void> {
    const pollMs = this.inFlight > 0 ? BUSY_POLL_MS : IDLE_POLL_MS;
    const probeInMs = Math.max(this.probesAtMs - this.deps.now(), 1);
    if (!(await this.claims.rest(Math.min(pollMs, probeInMs)))) this.hasMore = true;
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
