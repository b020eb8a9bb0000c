/** Webhook events: signed as Stripe signs them. */
import { createHmac } from 'node:crypto';
import { Deliveries } from '../sandbox/deliveries';
import type { Message } from '../sandbox/deliveries';
import { renderEvent } from './render';
import { makeId } from './state';
import type { State } from './state';
import type { JsonObject, StoredEvent } from './types';

export interface EventSource {
  readonly requestId: string | null;
  readonly idempotencyKey: string | null;
}

interface Delivery {
  readonly event: StoredEvent;
  readonly endpointId: string;
}

export class EventSender {
  readonly deliveries: Deliveries<Delivery>;

  constructor(private readonly state: State) {
    this.deliveries = new Deliveries<Delivery>({
      form: (delivery) => this.form(delivery),
      acknowledged: ({ event, endpointId }) => {
        state.acknowledge({ event: event.id, endpoint: endpointId });
        state.journal.flushSoon();
      },
    });
    for (const event of state.events.values()) this.schedule(event);
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
    this.schedule(event);
  }

  private schedule(event: StoredEvent): void {
    for (const endpointId of event.pending) this.deliveries.add({ event, endpointId });
  }

  private form({ event, endpointId }: Delivery): Message | undefined {
    const endpoint = this.state.endpoints.get(endpointId);
    if (endpoint === undefined) return undefined;
    return {
      url: endpoint.url,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'stripe-signature': signEvent(event.body, endpoint.secret, Math.floor(Date.now() / 1000)),
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
      },
      body: event.body,
    };
  }
}

/** The `Stripe-Signature` header: a time stamp, and an HMAC over time stamp and body. */
export function signEvent(body: string, secret: string, unixSeconds: number): string {
  const mac = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex');
  return `t=${unixSeconds},v1=${mac}`;
}
