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
import type { DeliveryLease, LaneSettings } from '../../stores/webhook-lanes';
import type { Attempted } from '../../stores/webhook-outcomes';
import { claimProbes } from '../../stores/webhook-probes';
import type { Recorder } from './recorder';

const CLAIM_MAX = 200;
const BUSY_POLL_MS = 200;
const IDLE_POLL_MS = 1_000;
const PROBES_EVERY_MS = 1_000;
const TROUBLE_PAUSE_MS = 500;
/** How many outcomes one statement records at most. */
const RECORD_MAX = 500;

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
  private inFlight = 0;
  private stopping = false;
  private cursor = FIRST_LANE;
  private hasMore = true;
  private probesAtMs = 0;
  private isAwake = false;
  private rouse: () => void = () => undefined;

  constructor(private readonly deps: RelayDeps) {}

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

  /** Outcomes that cannot be written stay where they are: they count against what may be in flight. */
  private async record(): Promise<void> {
    while (this.finished.length > 0) {
      const batch = this.finished.slice(0, RECORD_MAX);
      await this.deps.recorder.record(batch);
      this.finished.splice(0, batch.length);
      this.inFlight -= batch.length;
      // Places are free again, and a failure may have shut a gate.
      this.hasMore = true;
    }
  }

  private async claim(): Promise<void> {
    if (this.deps.now() >= this.probesAtMs) {
      this.probesAtMs = this.deps.now() + PROBES_EVERY_MS;
      this.dispatch(await claimProbes(this.deps.db, this.deps.box, this.deps.settings));
    }
    const max = Math.min(CLAIM_MAX, this.deps.settings.maxInFlight - this.inFlight);
    if (!this.hasMore || max <= 0) return this.pause();
    this.hasMore = false;
    const { leases, cursor } = await claimDue(this.deps.db, this.deps.box, this.deps.settings, {
      cursor: this.cursor,
      max,
    });
    this.dispatch(leases);
    this.cursor = cursor;
    // A rotation that is not complete goes on at once; a complete one that found something begins anew.
    this.hasMore ||= cursor !== FIRST_LANE;
  }

  private pause(): void {
    this.hasMore = false;
  }

  private dispatch(leases: readonly DeliveryLease[]): void {
    for (const lease of leases) {
      this.inFlight += 1;
      void this.deliver(lease);
    }
  }

  private async deliver(lease: DeliveryLease): Promise<void> {
    const result = await this.deps.send(lease.job);
    this.finished.push({ lease, result });
    this.rouseNow();
  }

  private rouseNow(): void {
    this.isAwake = true;
    this.rouse();
  }

  /** Until an outcome, news, or the time to look again. */
  private async rest(): Promise<void> {
    this.isAwake = false;
    const pollMs = this.inFlight > 0 ? BUSY_POLL_MS : IDLE_POLL_MS;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.rouse = resolve;
      timer = setTimeout(() => {
        this.hasMore = true;
        resolve();
      }, pollMs);
      if (this.isAwake) resolve();
    });
    clearTimeout(timer);
  }

  private async drain(): Promise<void> {
    const endMs = this.deps.now() + this.deps.stopGraceMs;
    while (this.inFlight > 0 && this.deps.now() < endMs) {
      await this.record().catch((error: unknown) => {
        this.deps.log.warn({ err: error }, 'outcomes could not be recorded yet');
      });
      if (this.inFlight > 0) await sleep(20);
    }
    if (this.inFlight > 0)
      this.deps.log.warn({ count: this.inFlight }, 'deliveries were left to the end of their leases');
  }
}
