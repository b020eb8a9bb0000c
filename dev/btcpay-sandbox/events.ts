/**
 * Webhooks as BTCPay sends them: signed over the bytes, each try a delivery with an id of its own that names the first.
 * BTCPay itself gives up after eight redeliveries; here they go on, with growing pauses, until acknowledged.
 */
import { createHmac } from 'node:crypto';
import { makeId, nowSeconds } from './state';
import type { State } from './state';
import type { JsonObject, StoredEvent, Webhook } from './types';

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

const TIMEOUT_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
const REORDER_WINDOW_MS = 200;
const PAUSED_POLL_MS = 50;

export class EventSender {
  mode: EventsMode = { ...NORMAL_MODE };
  private reordering: StoredEvent[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly stopping = new AbortController();

  constructor(private readonly state: State) {
    for (const event of state.events.values()) if (!event.isDelivered) this.admit(event);
  }

  emit(storeId: string, type: string, fields: JsonObject): void {
    for (const webhook of this.state.webhooks.values()) {
      if (webhook.storeId !== storeId) continue;
      const id = makeId();
      const body = {
        originalDeliveryId: id,
        webhookId: webhook.id,
        type,
        timestamp: nowSeconds(),
        storeId,
        ...fields,
      };
      const event: StoredEvent = { id, webhookId: webhook.id, body, isDelivered: false };
      this.state.save('event', id, event);
      for (let n = 0; n < (this.mode.duplicate ? 2 : 1); n++) this.admit(event);
    }
  }

  setMode(change: Partial<EventsMode>): EventsMode {
    this.mode = { ...this.mode, ...change };
    return this.mode;
  }

  /** Forgets what was not delivered yet. */
  clear(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.reordering = [];
    this.mode = { ...NORMAL_MODE };
  }

  stop(): void {
    this.clear();
    this.stopping.abort();
  }

  private admit(event: StoredEvent): void {
    if (!this.mode.reorder) return this.after(this.mode.delayMs, () => this.deliver(event, 1));
    if (this.reordering.length === 0) this.after(REORDER_WINDOW_MS, () => this.releaseReordered());
    this.reordering.push(event);
  }

  private async releaseReordered(): Promise<void> {
    const events = this.reordering.reverse();
    this.reordering = [];
    // One at a time, or the network might put them back in order.
    for (const event of events) await this.deliver(event, 1);
  }

  private async deliver(event: StoredEvent, attempt: number): Promise<void> {
    const webhook = this.state.webhooks.get(event.webhookId);
    if (webhook === undefined || this.stopping.signal.aborted) return;
    if (this.mode.pause) return this.after(PAUSED_POLL_MS, () => this.deliver(event, attempt));
    const isRedelivery = attempt > 1 || event.isDelivered;
    const deliveryId = isRedelivery ? makeId() : event.id;
    if (await this.post(webhook, JSON.stringify({ deliveryId, isRedelivery, ...event.body }, null, 2))) {
      event.isDelivered = true;
      this.state.save('event', event.id, event);
      this.state.flush();
    } else if (!this.stopping.signal.aborted) {
      const pauseMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 20), RETRY_MAX_MS);
      this.after(pauseMs, () => this.deliver(event, attempt + 1));
    }
  }

  private async post(webhook: Webhook, body: string): Promise<boolean> {
    try {
      const response = await fetch(webhook.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'btcpay-sig': signEvent(webhook.secret, body) },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      // Whatever went wrong on the wire, the answer is the same: again later.
      return false;
    }
  }

  private after(delayMs: number, action: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void action();
    }, delayMs);
    timer.unref();
    this.timers.add(timer);
  }
}

export function signEvent(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
