/** PayPal's verbs, Orders v2 and Payments v2, for one account. */
import type { CallIdentity, ChannelAccount, Exchange, HoldAnswer, InboundEvent } from '../../domain/channel';
import type { FullAdapter } from '../../domain/channel-payment';
import { startScene } from './calls';
import { createPayPalClient } from './client';
import { needsCompletion } from './mapping';
import { cancelPayment, completePayment, createPayment, queryPayment } from './payments';
import { cancelPreAuth, capturePreAuth, completePreAuth, createPreAuth, queryPreAuth } from './pre-auths';
import { createRefund, listDisputes, listRefunds } from './refunds';
import { createEventParser } from './webhooks';

export interface PayPalAdapter extends FullAdapter {
  /**
   * Reserves the money of a hold that the customer has approved. PayPal authorizes an order at most once, so a repeat
   * after the horizon answers from the order.
   */
  completePreAuth(channelPreAuthNo: string, call: CallIdentity, exchange: Exchange): Promise<HoldAnswer>;
  /**
   * Fetches PayPal's certificate when it is not known yet.
   * @throws InvalidEventSignature; ChannelFault when the certificate cannot be had: answer 5xx, PayPal repeats the event
   */
  parseInboundEvent(
    rawBody: Buffer,
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<InboundEvent>;
  /** Closes idle connections. */
  close(): void;
}

/**
 * @param account credentials `client_id` and `client_secret`, and `webhook_id` for inbound events
 * @param apiBase where PayPal is; empty: PayPal itself, live or its sandbox by the account's world
 */
export function createPayPalAdapter(account: ChannelAccount, apiBase: string): PayPalAdapter {
  const { credentials, world } = account;
  const keys = {
    clientId: credentials['client_id'] ?? '',
    clientSecret: credentials['client_secret'] ?? '',
  };
  const client = createPayPalClient(keys, world, apiBase);
  const scene = (exchange: Exchange) => startScene(client, exchange);
  return {
    channel: 'paypal',

    createPreAuth: (request, call, exchange) => createPreAuth(scene(exchange), request, call),
    completePreAuth: (id, call, exchange) => completePreAuth(scene(exchange), id, call),
    capturePreAuth: (request, call, exchange) => capturePreAuth(scene(exchange), request, call),
    cancelPreAuth: (request, call, exchange) => cancelPreAuth(scene(exchange), request, call),
    queryPreAuth: (id, exchange) => queryPreAuth(scene(exchange), id),
    // PayPal has no list of orders: nothing can be found, and nothing is proved by that.
    findPreAuths: () => Promise.resolve([]),

    createPayment: (request, call, exchange) => createPayment(scene(exchange), request, call),
    completePayment: (id, call, exchange) => completePayment(scene(exchange), id, call),
    needsCompletion,
    cancelPayment: ({ channelPaymentNo: id }, _call, exchange) => cancelPayment(scene(exchange), id),
    queryPayment: (id, exchange) => queryPayment(scene(exchange), id),
    findPayments: () => Promise.resolve([]),

    createRefund: (request, call, exchange) => createRefund(scene(exchange), request, call),
    listRefunds: (target, exchange) => listRefunds(scene(exchange), target),
    listDisputes: (target, exchange) => listDisputes(scene(exchange), target),

    parseInboundEvent: createEventParser(client, world, apiBase, credentials['webhook_id'] ?? ''),
    close: () => client.close(),
  };
}
