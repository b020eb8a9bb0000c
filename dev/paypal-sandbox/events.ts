/** Webhook events: signed as PayPal signs them, delivered at least once, repeated with growing pauses. */
import { randomUUID, sign } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { makeId } from './state';
import type { State } from './state';
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

interface Delivery {
  readonly event: StoredEvent;
  readonly endpointId: string;
  readonly attempt: number;
}

const CONCURRENCY = 16;
const TIMEOUT_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
/** PayPal repeats 25 times in 3 days; here the pauses are short, so that there are more of them. */
const MAX_ATTEMPTS = 3 * 24 * 60;
const REORDER_WINDOW_MS = 200;

export class EventSender {
  mode: EventsMode = { ...NORMAL_MODE };
  private queue: Delivery[] = [];
  private reordering: Delivery[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly stopping = new AbortController();
  private running = 0;

  constructor(
    private readonly state: State,
    private readonly baseOf: () => string,
  ) {}

  /** Takes up what an earlier run has not delivered. */
  resume(): void {
    for (const event of this.state.events.values()) this.schedule(event);
  }

  emit(client: string, type: string, resourceType: string, resource: JsonObject): void {
    const id = `WH-${makeId()}-${makeId()}`;
    const body = JSON.stringify({
      id,
      event_version: '1.0',
      create_time: new Date(this.state.now()).toISOString(),
      resource_type: resourceType,
      resource_version: '2.0',
      event_type: type,
      summary: type,
      resource,
      links: [
        { href: `${this.baseOf()}/v1/notifications/webhooks-events/${id}`, rel: 'self', method: 'GET' },
      ],
    });
    const pending = [...this.state.endpoints.values()]
      .filter((endpoint) => endpoint.client === null || endpoint.client === client)
      .map((endpoint) => endpoint.id);
    const event: StoredEvent = { id, client, type, body, pending };
    this.state.saveEvent(event);
    this.schedule(event);
  }

  /** The headers of one delivery, as PayPal signs it. */
  headers(body: string, webhookId: string, timeMs: number): Record<string, string> {
    const id = randomUUID();
    const time = `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
    const { privateKey, name } = this.state.signing;
    const message = `${id}|${time}|${webhookId}|${crc32(Buffer.from(body))}`;
    return {
      'paypal-transmission-id': id,
      'paypal-transmission-time': time,
      'paypal-auth-algo': 'SHA256withRSA',
      'paypal-cert-url': `${this.baseOf()}/v1/notifications/certs/${name}`,
      'paypal-transmission-sig': sign('sha256', Buffer.from(message), privateKey).toString('base64'),
    };
  }

  setMode(change: Partial<EventsMode>): EventsMode {
    this.mode = { ...this.mode, ...change };
    this.pump();
    return this.mode;
  }

  /** Forgets what was not delivered yet. */
  clear(): void {
    this.queue = [];
    this.reordering = [];
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.mode = { ...NORMAL_MODE };
  }

  stop(): void {
    this.clear();
    this.stopping.abort();
  }

  private schedule(event: StoredEvent): void {
    for (const endpointId of event.pending) {
      for (let n = 0; n < (this.mode.duplicate ? 2 : 1); n++) this.admit({ event, endpointId, attempt: 1 });
    }
  }

  private admit(delivery: Delivery): void {
    if (this.mode.reorder) {
      if (this.reordering.length === 0) this.after(REORDER_WINDOW_MS, () => void this.releaseReordered());
      this.reordering.push(delivery);
    } else if (this.mode.delayMs > 0) this.after(this.mode.delayMs, () => this.push(delivery));
    else this.push(delivery);
  }

  /** One at a time, or the network might put them back in order. */
  private async releaseReordered(): Promise<void> {
    const deliveries = this.reordering.reverse();
    this.reordering = [];
    for (const delivery of deliveries) await this.deliver(delivery);
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
          'content-type': 'application/json',
          ...this.headers(body, endpoint.webhookId, this.state.now()),
        },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      // Whatever went wrong on the wire, PayPal's answer is the same: again later.
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
