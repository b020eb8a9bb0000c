/** Webhook events: signed as Stripe signs them, delivered at least once, repeated with growing pauses. */
import { createHmac } from 'node:crypto';
import { makeId } from './state';
import type { State } from './state';
import { renderEvent } from './render';
import type { JsonObject, StoredEvent, WebhookEndpoint } from './types';

/** How events misbehave. */
export interface EventsMode {
  /** Every event comes twice. */
  duplicate: boolean;
  /** What comes close together is delivered last first. */
  reorder: boolean;
  delayMs: number;
  /** Nothing is delivered until this is off again. */
  pause: boolean;
}

export const NORMAL_MODE: EventsMode = { duplicate: false, reorder: false, delayMs: 0, pause: false };

export interface EventSource {
  readonly requestId: string | null;
  readonly idempotencyKey: string | null;
}

interface Delivery {
  readonly event: StoredEvent;
  readonly endpointId: string;
  readonly attempt: number;
}

const CONCURRENCY = 16;
const TIMEOUT_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
/** 3 days of repeats at a minute each, and the first quick ones. */
const MAX_ATTEMPTS = 3 * 24 * 60;
const REORDER_WINDOW_MS = 200;

export class EventSender {
  mode: EventsMode = { ...NORMAL_MODE };
  private readonly queue: Delivery[] = [];
  private reordering: Delivery[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly stopping = new AbortController();
  private running = 0;

  constructor(private readonly state: State) {
    for (const event of state.events.values()) this.schedule(event, event.pending);
  }

  emit(account: string, type: string, object: JsonObject, source: EventSource): void {
    const id = makeId('evt');
    const rendered = renderEvent(id, type, object, { id: source.requestId, key: source.idempotencyKey });
    const pending = [...this.state.endpoints.values()]
      .filter((endpoint) => endpoint.account === null || endpoint.account === account)
      .filter((endpoint) => endpoint.enabled_events?.includes(type) ?? true)
      .map((endpoint) => endpoint.id);
    const event: StoredEvent = { id, account, type, body: JSON.stringify(rendered, null, 2), pending };
    this.state.saveEvent(event);
    this.schedule(event, pending);
  }

  setMode(change: Partial<EventsMode>): EventsMode {
    this.mode = { ...this.mode, ...change };
    this.pump();
    return this.mode;
  }

  /** Forgets what was not delivered yet. */
  clear(): void {
    this.queue.length = 0;
    this.reordering = [];
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.mode = { ...NORMAL_MODE };
  }

  stop(): void {
    this.clear();
    this.stopping.abort();
  }

  private schedule(event: StoredEvent, endpointIds: readonly string[]): void {
    for (const endpointId of endpointIds) {
      const times = this.mode.duplicate ? 2 : 1;
      for (let n = 0; n < times; n++) this.admit({ event, endpointId, attempt: 1 });
    }
  }

  private admit(delivery: Delivery): void {
    if (this.mode.reorder) {
      if (this.reordering.length === 0) this.after(REORDER_WINDOW_MS, () => this.releaseReordered());
      this.reordering.push(delivery);
    } else if (this.mode.delayMs > 0) this.after(this.mode.delayMs, () => this.push(delivery));
    else this.push(delivery);
  }

  private releaseReordered(): void {
    const deliveries = this.reordering.reverse();
    this.reordering = [];
    // One at a time, or the network might put them back in order.
    void deliveries.reduce(
      (before, delivery) => before.then(() => this.deliver(delivery)),
      Promise.resolve(),
    );
  }

  private push(delivery: Delivery): void {
    this.queue.push(delivery);
    this.pump();
  }

  private pump(): void {
    while (!this.mode.pause && this.running < CONCURRENCY) {
      const next = this.queue.shift();
      if (next === undefined) return;
      this.running++;
      void this.deliver(next).finally(() => {
        this.running--;
        this.pump();
      });
    }
  }

  private async deliver(delivery: Delivery): Promise<void> {
    const { event, endpointId, attempt } = delivery;
    const endpoint = this.state.endpoints.get(endpointId);
    if (endpoint === undefined || this.stopping.signal.aborted) return;
    if (await this.post(endpoint, event.body)) {
      event.pending = event.pending.filter((id) => id !== endpointId);
      this.state.saveEvent(event);
      this.state.journal.flush();
    } else if (attempt < MAX_ATTEMPTS && !this.stopping.signal.aborted) {
      const pauseMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 20), RETRY_MAX_MS);
      this.after(pauseMs, () => this.push({ ...delivery, attempt: attempt + 1 }));
    }
  }

  private async post(endpoint: WebhookEndpoint, body: string): Promise<boolean> {
    try {
      const response = await fetch(endpoint.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json; charset=utf-8',
          'stripe-signature': signEvent(body, endpoint.secret, Math.floor(Date.now() / 1000)),
          'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
        },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      // Whatever went wrong on the wire, Stripe's answer is the same: again later.
      return false;
    }
  }

  private after(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, delayMs);
    timer.unref();
    this.timers.add(timer);
  }
}

/** The `Stripe-Signature` header: a time stamp, and an HMAC over time stamp and body. */
export function signEvent(body: string, secret: string, unixSeconds: number): string {
  const mac = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex');
  return `t=${unixSeconds},v1=${mac}`;
}
