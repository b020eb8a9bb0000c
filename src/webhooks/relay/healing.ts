/** Notes in the endpoints' health that they have answered, apart from the deliveries: nobody waits for an endpoint's lock. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../observability/logger';
import { noteSuccesses } from '../../stores/webhook-endpoint-health';
import type { Queryable } from '../../stores/postgres';

/** A claim or a failure holds the lock of its endpoint for some milliseconds. */
const PAUSE_MS = 10;
/** Somebody keeps it locked for longer: its next 2xx heals it. */
const TRIES = 50;

export class Healing {
  /** By endpoint: how often it was tried to note that it has answered. */
  private readonly waiting = new Map<string, number>();
  private running: Promise<void> | undefined;

  constructor(
    private readonly deps: { readonly db: Queryable; readonly log: Logger },
    private readonly maxInFlightPerEndpoint: number,
  ) {}

  add(endpointIds: Iterable<string>): void {
    for (const endpointId of endpointIds) this.waiting.set(endpointId, 0);
    if (this.waiting.size > 0) this.running ??= this.run();
  }

  async ended(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    try {
      while (this.waiting.size > 0) {
        const tried = [...this.waiting];
        this.waiting.clear();
        const ids = tried.map(([endpointId]) => endpointId);
        const passedOver = await noteSuccesses(this.deps.db, ids, this.maxInFlightPerEndpoint);
        for (const [endpointId, tries] of tried) {
          const isAgain = passedOver.has(endpointId) && tries + 1 < TRIES;
          if (isAgain && !this.waiting.has(endpointId)) this.waiting.set(endpointId, tries + 1);
        }
        if (passedOver.size > 0 && this.waiting.size > 0) await sleep(PAUSE_MS);
      }
    } catch (error) {
      this.deps.log.warn(
        { err: error },
        'the health of webhook endpoints could not be noted; their next 2xx does it',
      );
    } finally {
      this.running = undefined;
    }
  }
}
