/** What an Alipay account can do, as data. */
import type { ChannelCapabilities, ChannelContract } from '../../domain/channel';
import type { PaymentCapabilities } from '../../domain/channel-payment';
import { PRE_AUTH_NOT_SUPPORTED_CAPABILITIES } from '../pre-auth-not-supported';
import { currenciesOf, MAX_ALIPAY_AMOUNT } from './amounts';

const DAY_SECONDS = 86_400;

/**
 * Alipay has no idempotency keys that lapse: out_trade_no and out_request_no are kept with the trade. Its query interfaces
 * answer for far longer than this; no step of ours comes back later.
 */
const HORIZON_SECONDS = 90 * DAY_SECONDS;

export function alipayPaymentCapabilities(contract: ChannelContract = {}): PaymentCapabilities {
  const currencies = currenciesOf(contract.currencies);
  const amounts = [...currencies].map((code) => [code, { min: 1, max: MAX_ALIPAY_AMOUNT }] as const);
  return {
    currencies,
    amounts: Object.fromEntries(amounts),
    refunds: true,
    partialRefunds: true,
    createHorizonSeconds: HORIZON_SECONDS,
    horizonSeconds: HORIZON_SECONDS,
    // A trade comes into being when the customer opens it: before that there is nothing to find, and repeating the create
    // (the same out_trade_no, so the same trade) is the question and the answer.
    findable: false,
    payerDecidesAmount: false,
    outlivesCancel: true,
  };
}

export function alipayHoldCapabilities(contract: ChannelContract = {}): ChannelCapabilities {
  if (contract.preAuth !== true) return PRE_AUTH_NOT_SUPPORTED_CAPABILITIES;
  return {
    preAuth: true,
    partialCapture: true,
    multipleCaptures: contract.multipleCaptures === true,
    currencies: currenciesOf(contract.currencies),
    // Set by the contract (Alipay unfreezes by itself then) and told by no interface: 30 days is what Holdfast allows at most.
    holdValiditySeconds: 30 * DAY_SECONDS,
    idempotencyHorizonSeconds: HORIZON_SECONDS,
    // An order string that nobody has used is unknown to Alipay, and good until its own time is over.
    outlivesCancel: true,
  };
}
