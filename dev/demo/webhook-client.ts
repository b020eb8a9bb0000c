/** What a merchant does about webhooks over HTTP. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { callApi, expectOk } from '../demo-client';

const POLL_MS = 100;

export interface Endpoint {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
}

export interface Attempt {
  readonly attempt: number;
  readonly kind: 'first' | 'retry' | 'probe';
  readonly started_at: string;
  readonly duration_ms: number;
  readonly status_code: number | null;
  readonly error: string | null;
}

export interface Notification {
  readonly id: string;
  readonly event_id: string;
  readonly event: string;
  readonly status: 'pending' | 'retrying' | 'success' | 'failed';
  readonly attempts: number;
}

export type NotificationDetail = Notification & { readonly attempt_log: readonly Attempt[] };

export class WebhookClient {
  constructor(
    private readonly apiUrl: string,
    private readonly apiKey: string,
  ) {}

  addEndpoint(url: string, events: readonly string[]): Promise<Endpoint> {
    return this.ask('POST', '/api/v1/webhook-endpoints', { url, event_filter: events });
  }

  deleteEndpoint(id: string): Promise<unknown> {
    return this.ask('DELETE', `/api/v1/webhook-endpoints/${id}`);
  }

  read(notificationId: string): Promise<NotificationDetail> {
    return this.ask('GET', `/api/v1/webhook-notifications/${notificationId}`);
  }

  /**
   * Asks until this object's notifications to this endpoint are as wished. @returns them, the oldest first
   * @throws Error when they are not in time
   */
  async waitFor(
    endpointId: string,
    paymentNo: string,
    isAsWished: (notifications: readonly Notification[]) => boolean,
    timeoutMs: number,
  ): Promise<Notification[]> {
    const deadlineMs = Date.now() + timeoutMs;
    for (;;) {
      const path = `/api/v1/webhook-notifications?endpoint_id=${endpointId}&payment_no=${paymentNo}`;
      const page = await this.ask<{ items: Notification[] }>('GET', path);
      const notifications = page.items.toReversed();
      if (isAsWished(notifications)) return notifications;
      if (Date.now() > deadlineMs) {
        const states = notifications.map(({ event, status, attempts }) => `${event} ${status} (${attempts})`);
        throw new Error(`after ${timeoutMs / 1000} s the notifications are: ${states.join(', ') || 'none'}`);
      }
      await sleep(POLL_MS);
    }
  }

  private ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const call = {
      method,
      ...(body !== undefined && { body }),
      ...(method === 'POST' && { idempotencyKey: randomUUID() }),
    };
    return expectOk(`${method} ${path}`, callApi<T>(this.apiUrl, this.apiKey, path, call));
  }
}
