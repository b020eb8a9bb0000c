/**
 * A merchant's server that keeps account of what it was sent. It lives in the test's own process, so it is never the one
 * that is killed; it can be away and come back on the same port.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Delivery {
  readonly path: string;
  /** The webhook-id. */
  readonly id: string;
  readonly event: string;
  /** As X-Webhook-Attempt says. */
  readonly attempt: number;
  readonly atMs: number;
  /** Requests under way on this path when it came, itself included. */
  readonly open: number;
  /** What it was answered; null when nothing was, or the sender had gone. */
  status: number | null;
}

/** `null`: no answer at all. */
export type Answer = {
  readonly status: number;
  readonly afterMs?: number;
  readonly retryAfterSeconds?: number;
} | null;
export type Behaviour = (delivery: Delivery) => Answer;

export class Shop {
  readonly deliveries: Delivery[] = [];
  private readonly behaviours = new Map<string, Behaviour>();
  private readonly open = new Map<string, number>();
  private readonly held: { delivery: Delivery; response: ServerResponse }[] = [];
  private server: Server | undefined;
  private port = 0;

  static async start(): Promise<Shop> {
    const shop = new Shop();
    await shop.back();
    return shop;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** What is answered on a path from now on; 200 at once unless told otherwise. */
  on(path: string, behaviour: Behaviour): void {
    this.behaviours.set(path, behaviour);
  }

  at(path: string): Delivery[] {
    return this.deliveries.filter((delivery) => delivery.path === path);
  }

  /** Answers what hangs on a path. */
  release(path: string, status: number): void {
    for (const { delivery, response } of this.held.splice(0)) {
      if (delivery.path === path) settle(delivery, response, status);
      else this.held.push({ delivery, response });
    }
  }

  /** Nobody listens any more, and requests under way get no answer. */
  async away(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    this.server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  async back(): Promise<void> {
    const server = createServer((request, response) => this.take(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    const open = (this.open.get(path) ?? 0) + 1;
    this.open.set(path, open);
    response.once('close', () => this.open.set(path, (this.open.get(path) ?? 1) - 1));
    const { headers } = request;
    const [id, event] = [String(headers['webhook-id']), String(headers['x-webhook-event'])];
    const attempt = Number(headers['x-webhook-attempt']);
    const delivery: Delivery = { path, id, event, attempt, atMs: Date.now(), open, status: null };
    request.resume().once('end', () => {
      this.deliveries.push(delivery);
      const answer = this.behaviours.get(path)?.(delivery) ?? null;
      if (!this.behaviours.has(path)) settle(delivery, response, 200);
      else if (answer === null) this.held.push({ delivery, response });
      else {
        if (answer.retryAfterSeconds !== undefined)
          response.setHeader('retry-after', answer.retryAfterSeconds);
        setTimeout(() => settle(delivery, response, answer.status), answer.afterMs ?? 0);
      }
    });
  }
}

function settle(delivery: Delivery, response: ServerResponse, status: number): void {
  if (response.destroyed || response.socket?.destroyed !== false) return;
  delivery.status = status;
  response.writeHead(status).end();
}

export const answering =
  (status: number, afterMs = 0): Behaviour =>
  () => ({ status, afterMs });
export const hanging: Behaviour = () => null;

/** Deliveries that were answered with a 2xx, by path and webhook-id. */
export function told(deliveries: readonly Delivery[]): Map<string, Delivery[]> {
  const byId = new Map<string, Delivery[]>();
  for (const delivery of deliveries) {
    if (delivery.status === null || delivery.status < 200 || delivery.status > 299) continue;
    const key = `${delivery.path} ${delivery.id}`;
    byId.set(key, [...(byId.get(key) ?? []), delivery]);
  }
  return byId;
}
