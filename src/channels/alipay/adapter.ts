/** Alipay's verbs behind the port. Validate, call, map; the tables decide. */
import type { ChannelAccount, ChannelAdapter } from '../../domain/channel';
import type { PaymentVerbs } from '../../domain/channel-payment';
import { createPreAuthNotSupported } from '../pre-auth-not-supported';
import { currenciesOf } from './amounts';
import { createAlipayClient, startBudget } from './client';
import { ACKNOWLEDGEMENT, parseNotification } from './events';
import type { AlipayContext } from './exchange';
import { cancelHold, captureHold, createHold, readHold } from './holds';
import { cancelPayment, completePayment, createPayment, findPayments, readTrade } from './payments';
import { createRefund, listRefunds } from './refunds';

export interface AlipayAdapter extends ChannelAdapter, PaymentVerbs {
  readonly acknowledgement: typeof ACKNOWLEDGEMENT;
  /** Closes idle connections. */
  close(): void;
}

export interface AlipayOptions {
  /** Where Alipay's notifications for this account arrive; empty: where the application is configured to have them. */
  readonly notifyUrl?: string;
  /** For tests: Unix seconds. */
  readonly nowSeconds?: () => number;
}

/**
 * @param account credentials `app_id`, `app_private_key` (PKCS#8 or PKCS#1, PEM or bare base64), `alipay_public_key`, and
 *   `seller_id` (needed for holds); contract `preAuth`, `multipleCaptures`, `currencies`
 * @param apiBase where Alipay is; empty: Alipay itself
 */
export function createAlipayAdapter(
  account: ChannelAccount,
  apiBase: string,
  options: AlipayOptions = {},
): AlipayAdapter {
  const { contract } = account;
  const { app_id: appId = '', seller_id: sellerId = '' } = account.credentials;
  const { app_private_key: appPrivateKey = '', alipay_public_key: alipayPublicKey = '' } =
    account.credentials;
  const client = createAlipayClient({ appId, appPrivateKey, alipayPublicKey }, apiBase);
  const context: AlipayContext = {
    client,
    currencies: currenciesOf(contract.currencies),
    notifyUrl: options.notifyUrl ?? '',
    sellerId,
    multipleCaptures: contract.multipleCaptures === true,
    nowSeconds: options.nowSeconds ?? (() => Date.now() / 1000),
  };
  // A contract that ends takes no new holds; those that are there can still be captured and released.
  const { createPreAuth } =
    contract.preAuth === true ? holdVerbs(context) : createPreAuthNotSupported('alipay');
  return {
    ...holdVerbs(context),
    createPreAuth,
    ...paymentVerbs(context),
    parseInboundEvent: (rawBody) => parseNotification(client, { appId, sellerId }, rawBody),
    acknowledgement: ACKNOWLEDGEMENT,
    close: () => client.close(),
  };
}

function holdVerbs(context: AlipayContext): Omit<ChannelAdapter, 'parseInboundEvent'> {
  return {
    channel: 'alipay',
    createPreAuth: (request, call) => createHold(context, request, call),
    capturePreAuth: (request, call, exchange) => captureHold(context, request, call, exchange),
    cancelPreAuth: (request, call, exchange) => cancelHold(context, request, call, exchange),
    queryPreAuth: (number, exchange) => readHold(context, number, exchange),
    // A hold is made without a call, so no answer of one can be lost.
    findPreAuths: () => Promise.resolve([]),
  };
}

function paymentVerbs(
  context: AlipayContext,
): Omit<AlipayAdapter, keyof ChannelAdapter | 'acknowledgement' | 'close'> {
  return {
    createPayment: (request, call, exchange) => createPayment(context, request, call, exchange),
    queryPayment: (number, exchange) => readTrade(context, number, startBudget(exchange)),
    findPayments: (call, _created, exchange) => findPayments(context, call, exchange),
    completePayment: (number, _call, exchange) => completePayment(context, number, exchange),
    needsCompletion: () => false,
    cancelPayment: ({ channelPaymentNo }, _call, exchange) =>
      cancelPayment(context, channelPaymentNo, exchange),
    createRefund: (request, call, exchange) => createRefund(context, request, call, exchange),
    listRefunds: (target, exchange, known) => listRefunds(context, target, exchange, known),
    // Alipay mediates complaints by other means: there is no interface that tells of chargebacks.
    listDisputes: () => Promise.resolve([]),
  };
}
