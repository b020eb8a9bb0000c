/**
 * The crypto channel: BTCPay Server's Greenfield API (version 2 of the server). No holds and no disputes: money on a
 * chain is neither reserved nor charged back.
 *
 * The key needs, for the store: btcpay.store.canmodifyinvoices (with canviewinvoices and cancreateinvoice) and
 * btcpay.store.canmanagepullpayments (with cancreatenonapprovedpullpayments, canviewpullpayments, canarchivepullpayments).
 */
import type { Dispatcher } from 'undici';
import { ChannelFault } from '../../domain/channel';
import type { ChannelAccount, ChannelAdapter } from '../../domain/channel';
import type { PaymentVerbs } from '../../domain/channel-payment';
import { createPreAuthNotSupported } from '../pre-auth-not-supported';
import { createGreenfieldClient } from './client';
import { parseCryptoEvent } from './events';
import { decline, toAnswer } from './mapping';
import { cancelPayment, createPayment, findPayments, queryPayment } from './payments';
import { createRefund, listRefunds } from './refunds';
import { createStore } from './store';

export interface CryptoAdapter extends ChannelAdapter, PaymentVerbs {
  /** Closes idle connections. */
  close(): void;
}

export interface CryptoAdapterOptions {
  /**
   * The way out. Every BTCPay Server is somebody's own, so its address is a credential of the account: an agent that
   * refuses addresses of our own network belongs here, as for webhooks. Never closed by the adapter.
   */
  readonly dispatcher?: Dispatcher;
}

/**
 * @param account credentials `base_url`, `store_id`, `api_key`, and `webhook_secret` for inbound events
 * @param apiBase a sandbox's address, which is then used instead of the account's; empty: the account's
 */
export function createCryptoAdapter(
  account: ChannelAccount,
  apiBase: string,
  { dispatcher }: CryptoAdapterOptions = {},
): CryptoAdapter {
  const { base_url: ownBase = '', store_id: storeId = '', api_key: apiKey = '' } = account.credentials;
  const baseUrl = apiBase === '' ? ownBase : apiBase;
  const client = createGreenfieldClient({
    baseUrl,
    apiKey,
    ...(dispatcher === undefined ? {} : { dispatcher }),
  });
  const store = createStore(storeId);
  const inbound = { webhookSecret: account.credentials['webhook_secret'] ?? '', storeId };
  return {
    ...createPreAuthNotSupported('crypto'),
    parseInboundEvent: (rawBody, headers) => parseCryptoEvent(inbound, rawBody, headers),
    createPayment: (request, call, exchange) => createPayment(client, store, request, call, exchange),
    queryPayment: (invoiceId, exchange) => queryPayment(client, store, invoiceId, exchange),
    findPayments: (call, _created, exchange) => findPayments(client, store, call, exchange),
    completePayment: async (invoiceId, _call, exchange) => {
      const snapshot = await queryPayment(client, store, invoiceId, exchange);
      return snapshot === undefined ? decline('object_not_found', 'invoice-not-found') : toAnswer(snapshot);
    },
    needsCompletion: () => false,
    cancelPayment: ({ channelPaymentNo }, _call, exchange) =>
      cancelPayment(client, store, channelPaymentNo, exchange),
    createRefund: (request, call, exchange) => {
      if (request.target.kind === 'payment') return createRefund(client, store, request, call, exchange);
      return Promise.reject(new ChannelFault('not_sent', 'no_holds'));
    },
    listRefunds: (target, exchange) => listRefunds(client, store, target, exchange),
    listDisputes: () => Promise.resolve([]),
    close: () => client.close(),
  };
}
