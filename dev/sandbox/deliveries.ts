/**
 * Deliveries of events as every channel makes them: at least once, repeated with growing pauses (shorter than the
 * channels', so that a test can watch them), and misbehaving when told to. What is sent is the sandbox's own affair.
 */
import { Agent, request } from 'undici';
import type { JsonObject } from './http';

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

export interface Message {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** What a sandbox says of its own deliveries. */
export interface Sender<T> {
  /** Formed anew for every attempt (the first is 1): signatures carry the time. undefined: nobody wants it any more. */
  form(delivery: T, attempt: number): Message | undefined;
  /** Whether a 2xx with this body acknowledges the message; by default every one does. */
  accepts?(body: string): boolean;
  acknowledged(delivery: T): void;
}

const NORMAL_MODE: EventsMode = { duplicate: false, reorder: false, delayMs: 0, pause: false };
const CONCURRENCY = 16;
const TIMEOUT_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 60_000;
/** 3 days of repeats at a minute each, and the first quick ones. */
const MAX_ATTEMPTS = 3 * 24 * 60;
const REORDER_WINDOW_MS = 200;

export class Deliveries<T> {
  mode: EventsMode = { ...NORMAL_MODE };
  private queue: { readonly delivery: T; readonly attempt: number }[] = [];
  private reordering: T[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly agent = new Agent({
    connect: { timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
  });
  private running = 0;
  private isStopped = false;

  constructor(private readonly sender: Sender<T>) {}

  add(delivery: T): void {
    for (let n = 0; n < (this.mode.duplicate ? 2 : 1); n++) this.admit(delivery);
  }

  /** @param change as posted by a test; returns the new mode, or the sentence that says what is wrong */
  setMode(change: JsonObject): EventsMode | string {
    const normal: JsonObject = { ...NORMAL_MODE };
    const wrong = Object.keys(change).find((name) => typeof change[name] !== typeof normal[name]);
    if (wrong !== undefined) return `unknown or wrong: ${wrong}`;
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

  /** Breaks off what is under way: it stays unacknowledged. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.clear();
    await this.agent.destroy();
  }

  private admit(delivery: T): void {
    if (this.mode.reorder) {
      if (this.reordering.length === 0) this.after(REORDER_WINDOW_MS, () => void this.releaseReordered());
      this.reordering.push(delivery);
    } else if (this.mode.delayMs > 0) this.after(this.mode.delayMs, () => this.push(delivery, 1));
    else this.push(delivery, 1);
  }

  /** One at a time, or the network might put them back in order. */
  private async releaseReordered(): Promise<void> {
    const deliveries = this.reordering.reverse();
    this.reordering = [];
    for (const delivery of deliveries) await this.deliver(delivery, 1);
  }

  private push(delivery: T, attempt: number): void {
    this.queue.push({ delivery, attempt });
    this.pump();
  }

  private pump(): void {
    while (!this.mode.pause && this.running < CONCURRENCY) {
      const next = this.queue.shift();
      if (next === undefined) return;
      this.running++;
      void this.deliver(next.delivery, next.attempt).finally(() => {
        this.running--;
        this.pump();
      });
    }
  }

  private async deliver(delivery: T, attempt: number): Promise<void> {
    const message = this.isStopped ? undefined : this.sender.form(delivery, attempt);
    if (message === undefined) return;
    if (await this.post(message)) this.sender.acknowledged(delivery);
    else if (attempt < MAX_ATTEMPTS && !this.isStopped) {
      const pauseMs = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 20), RETRY_MAX_MS);
      this.after(pauseMs, () => this.push(delivery, attempt + 1));
    }
  }

  private async post({ url, headers, body }: Message): Promise<boolean> {
    try {
      const response = await request(url, { method: 'POST', headers, body, dispatcher: this.agent });
      const text = await response.body.text();
      const isGood = response.statusCode >= 200 && response.statusCode < 300;
      return isGood && (this.sender.accepts?.(text) ?? true);
    } catch {
      // Whatever went wrong on the wire, every channel's answer is the same: again later.
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
