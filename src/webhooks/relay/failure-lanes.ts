import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../observability/logger';
import type { Attempted } from '../../stores/webhook-outcomes';
import type { Recorder } from './recorder';

const FAILURE_LANES = 4;
const TROUBLE_PAUSE_MS = 500;

interface FailureLanesDeps {
  readonly recorder: Recorder;
  readonly log: Logger;
}

/**
 * Records failures endpoint by endpoint, a few at a time and apart from the loop: each takes several statements under the
 * endpoint's lock, and a hundred endpoints that fail at once must not keep the others' deliveries waiting.
 */
export class FailureLanes {
  private readonly waiting = new Map<string, Attempted[]>();
  private readonly busy = new Set<string>();
  private isStopped = false;
  /** Added and not written yet. */
  count = 0;
  /** The last failure that was to be written could not be. */
  isInTrouble = false;

  constructor(
    private readonly deps: FailureLanesDeps,
    private readonly onRecorded: () => void,
  ) {}

  add(failures: readonly Attempted[]): void {
    this.count += failures.length;
    for (const failure of failures) {
      const { endpointId } = failure.lease;
      const known = this.waiting.get(endpointId);
      if (known === undefined) this.waiting.set(endpointId, [failure]);
      else known.push(failure);
    }
    this.next();
  }

  stop(): void {
    this.isStopped = true;
  }

  /** One endpoint is recorded by one lane at a time: two would only wait for each other's lock. */
  private next(): void {
    for (const [endpointId, failures] of this.waiting) {
      if (this.isStopped || this.busy.size >= FAILURE_LANES) return;
      if (this.busy.has(endpointId)) continue;
      this.waiting.delete(endpointId);
      this.busy.add(endpointId);
      void this.record(endpointId, failures);
    }
  }

  private async record(endpointId: string, failures: readonly Attempted[]): Promise<void> {
    try {
      await this.deps.recorder.record(failures);
      this.isInTrouble = false;
      this.count -= failures.length;
      this.onRecorded();
    } catch (error) {
      this.isInTrouble = true;
      this.deps.log.warn({ err: error, endpointId }, 'failures could not be recorded; trying again');
      await sleep(TROUBLE_PAUSE_MS);
      this.waiting.set(endpointId, [...failures, ...(this.waiting.get(endpointId) ?? [])]);
    }
    this.busy.delete(endpointId);
    this.next();
  }
}
