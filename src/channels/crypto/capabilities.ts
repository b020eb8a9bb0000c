/** What BTCPay Server can do, as data. It holds no money: the verbs of holds are the shared "not supported". */
import type { PaymentCapabilities } from '../../domain/channel-payment';
import { CRYPTO_CURRENCIES } from './amounts';

/**
 * BTCPay knows no idempotency keys. A call that is made again first looks up what carries its identity (an invoice by
 * orderId, a pull payment by name); these are never forgotten, so the horizon is the longest life of a payment.
 */
const LOOK_UP_HORIZON_SECONDS = 30 * 24 * 3600;

export const CRYPTO_PAYMENT_CAPABILITIES: PaymentCapabilities = {
  currencies: CRYPTO_CURRENCIES,
  // The wallet's dust limit moves with the fees of the chain and Lightning has none: BTCPay itself names no bounds.
  amounts: {},
  refunds: true,
  partialRefunds: true,
  createHorizonSeconds: LOOK_UP_HORIZON_SECONDS,
  horizonSeconds: LOOK_UP_HORIZON_SECONDS,
  findable: true,
  payerDecidesAmount: true,
};
