/**
 * Webhooks as BTCPay sends them: signed over the bytes, each try a delivery with an id of its own that names the first.
 * BTCPay itself gives up after eight redeliveries; here they go on until acknowledged.
 */
import { createHmac } from 'node:crypto';
import { Deliveries } from '../sandbox/deliveries';
import type { Message } from '../sandbox/deliveries';
import { makeId, nowSeconds } from './state';
import type { State } from './state';
import type { JsonObject, StoredEvent } from './types';

export class EventSender {
  readonly deliveries: Deliveries<StoredEvent>;

  constructor(private readonly state: State) {
    this.deliveries = new Deliveries<StoredEvent>({
      form: (event, attempt) => this.form(event, attempt),
      acknowledged(event) {
        event.isDelivered = true;
        state.save('event', event.id, event);
        state.flush();
      },
    });
    for (const event of state.events.values()) if (!event.isDelivered) this.deliveries.add(event);
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
      this.deliveries.add(event);
    }
  }

  private form(event: StoredEvent, attempt: number): Message | undefined {
    const webhook = this.state.webhooks.get(event.webhookId);
    if (webhook === undefined) return undefined;
    const isRedelivery = attempt > 1 || event.isDelivered;
    const deliveryId = isRedelivery ? makeId() : event.id;
    const body = JSON.stringify({ deliveryId, isRedelivery, ...event.body }, null, 2);
    const headers = { 'content-type': 'application/json', 'btcpay-sig': signEvent(webhook.secret, body) };
    return { url: webhook.url, headers, body };
  }
}

export function signEvent(secret: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
}
