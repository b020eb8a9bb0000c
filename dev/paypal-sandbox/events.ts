/** Webhook events: signed as PayPal signs them. */
import { randomUUID, sign } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Deliveries } from '../sandbox/deliveries';
import type { Message } from '../sandbox/deliveries';
import { makeId } from './state';
import type { State } from './state';
import type { JsonObject, StoredEvent } from './types';

interface Delivery {
  readonly event: StoredEvent;
  readonly endpointId: string;
}

export class EventSender {
  readonly deliveries = new Deliveries<Delivery>({
    form: (delivery) => this.form(delivery),
    acknowledged: ({ event, endpointId }) => {
      event.pending = event.pending.filter((id) => id !== endpointId);
      this.state.saveEvent(event);
    },
  });

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

  private schedule(event: StoredEvent): void {
    for (const endpointId of event.pending) this.deliveries.add({ event, endpointId });
  }

  private form({ event: { body }, endpointId }: Delivery): Message | undefined {
    const endpoint = this.state.endpoints.get(endpointId);
    if (endpoint === undefined) return undefined;
    const signed = this.headers(body, endpoint.webhookId, this.state.now());
    return { url: endpoint.url, headers: { 'content-type': 'application/json', ...signed }, body };
  }
}
