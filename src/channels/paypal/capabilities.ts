/** What PayPal can do, before an account's contract adds to it. */
import type { ChannelCapabilities } from '../../domain/channel';
import type { PaymentCapabilities } from '../../domain/channel-payment';
import { PAYPAL_CURRENCIES } from './amounts';

const HOUR_SECONDS = 3600;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/** Orders (create, capture, authorize): PayPal keeps a PayPal-Request-Id for 6 h. Half an hour of margin. */
const ORDERS_HORIZON_SECONDS = 5.5 * HOUR_SECONDS;
/** Payments (capture of an authorization, void, reauthorize, refund): 45 days. A day of margin. */
const PAYMENTS_HORIZON_SECONDS = 44 * DAY_SECONDS;

export const PAYPAL_CAPABILITIES: ChannelCapabilities = {
  preAuth: true,
  partialCapture: true,
  // PayPal enables several captures of one authorization by account; an account's contract switches it on.
  multipleCaptures: false,
  currencies: PAYPAL_CURRENCIES,
  // An authorization is valid for 29 days and honored for 3; `expiration_time` of the authorization is what counts.
  holdValiditySeconds: 29 * DAY_SECONDS,
  // One number for all calls of a hold, and creating and completing one are Orders calls.
  idempotencyHorizonSeconds: ORDERS_HORIZON_SECONDS,
};

export const PAYPAL_PAYMENT_CAPABILITIES: PaymentCapabilities = {
  currencies: PAYPAL_CURRENCIES,
  // PayPal's limits depend on the account and the payer's country: checkAmount knows the one that is general.
  amounts: {},
  refunds: true,
  partialRefunds: true,
  createHorizonSeconds: ORDERS_HORIZON_SECONDS,
  horizonSeconds: PAYMENTS_HORIZON_SECONDS,
  // There is no list of orders: only the key can tell. An order that nobody knows of takes no money, only our call does.
  findable: false,
  payerDecidesAmount: false,
  // Three hours for the payer to approve, and three for us to capture; completed orders stay.
  forgetsUncompleted: true,
};
