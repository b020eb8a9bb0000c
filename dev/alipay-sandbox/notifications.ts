/** Notifications: signed forms, sent until the receiver answers with the text `success`. */
import { randomUUID } from 'node:crypto';
import { Deliveries } from '../sandbox/deliveries';
import { signNotification, toBeijing } from './signing';
import type { State } from './state';
import type { Params, StoredEvent } from './types';

interface Delivery {
  readonly event: StoredEvent;
  readonly url: string;
}

export class Notifier {
  readonly deliveries: Deliveries<Delivery>;

  constructor(private readonly state: State) {
    this.deliveries = new Deliveries<Delivery>({
      form: ({ event, url }) => ({
        url,
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
        body: new URLSearchParams(signNotification(event.params, state.privateKey)).toString(),
      }),
      accepts: (body) => body.trim() === 'success',
      acknowledged({ event }) {
        event.isDelivered = true;
        state.save('event', event);
      },
    });
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

  private schedule(event: StoredEvent): void {
    const registered = [...this.state.endpoints.values()].filter(({ appId }) => appId === event.appId);
    const urls = event.url === '' ? registered.map(({ url }) => url) : [event.url];
    for (const url of urls) this.deliveries.add({ event, url });
  }
}
