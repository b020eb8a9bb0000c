/** Notifications: signed forms, sent until the receiver answers with the text `success`. */
import { randomUUID } from 'node:crypto';
import { signNotification, toBeijing } from './signing';
import type { State } from './state';
import type { Params, StoredEvent } from './types';

/** How notifications misbehave. */
export interface EventsMode {
  /** Every one comes twice. */
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
  readonly url: string;
  readonly attempt: number;
}

const CONCURRENCY = 16;
const TIMEOUT_MS = 10_000;
/** Alipay waits 4 min, 10 min, 1 h ...; the sandbox is quicker, so that a test can watch it. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
const MAX_ATTEMPTS = 1_440;
const REORDER_WINDOW_MS = 200;

export class Notifier {
  mode: EventsMode = { ...NORMAL_MODE };
  private readonly queue: Delivery[] = [];
  private reordering: Delivery[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly stopping = new AbortController();
  private running = 0;

  constructor(private readonly state: State) {
    for (const event of state.events.values()) if (!event.isDelivered) this.schedule(event);
  }

  /** @param url as the request named it; empty: the addresses registered for the application */
  emit(appId: string, url: string, params: Params): void {
    const id = randomUUID().replaceAll('-', '');
    const seller = this.state.apps.get(appId)?.sellerId ?? '';
    const isTrade = params['out_trade_no'] !== undefined;
    const full = {
      notify_id: id,
      notify_time: toBeijing(Date.now()),
      charset: 'utf-8',
      version: '1.0',
      [isTrade ? 'seller_id' : 'payee_user_id']: seller,
      ...params,
    };
    const event: StoredEvent = { id, appId, url, params: full, isDelivered: false };
    this.state.save('event', event);
    this.schedule(event);
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

  private schedule(event: StoredEvent): void {
    const registered = [...this.state.endpoints.values()].filter(({ appId }) => appId === event.appId);
    const urls = event.url === '' ? registered.map(({ url }) => url) : [event.url];
    for (const url of urls) {
      const times = this.mode.duplicate ? 2 : 1;
      for (let n = 0; n < times; n++) this.admit({ event, url, attempt: 1 });
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
    void deliveries.reduce((before, next) => before.then(() => this.deliver(next)), Promise.resolve());
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
    const { event, url, attempt } = delivery;
    if (this.stopping.signal.aborted) return;
    if (await this.post(url, event.params)) {
      event.isDelivered = true;
      this.state.save('event', event);
    } else if (attempt < MAX_ATTEMPTS && !this.stopping.signal.aborted) {
      const pauseMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 20), RETRY_MAX_MS);
      this.after(pauseMs, () => this.push({ ...delivery, attempt: attempt + 1 }));
    }
  }

  private async post(url: string, params: Params): Promise<boolean> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body: new URLSearchParams(signNotification(params, this.state.privateKey)).toString(),
        redirect: 'manual',
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      return (await response.text()).trim() === 'success' && response.ok;
    } catch {
      // Whatever went wrong on the wire, Alipay's answer is the same: again later.
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
