/**
 * Which channel can do what, and one adapter per account. The only file that names all channels' implementations: a new
 * channel is its folder and its entry here.
 */
import { createHash } from 'node:crypto';
import type { Dispatcher } from 'undici';
import type { ChannelAccount, ChannelCapabilities, ChannelContract, ChannelName } from '../domain/channel';
import type { FullAdapter, PaymentCapabilities } from '../domain/channel-payment';
import { refuse } from '../domain/errors';
import type { Refusal } from '../domain/errors';
import { formatMoney } from '../domain/money';
import type { Money } from '../domain/money';
import { createAlipayAdapter } from './alipay/adapter';
import { checkAmount as checkAlipayAmount } from './alipay/amounts';
import { alipayHoldCapabilities, alipayPaymentCapabilities } from './alipay/capabilities';
import { createCryptoAdapter } from './crypto/adapter';
import { checkAmount as checkCryptoAmount } from './crypto/amounts';
import { CRYPTO_PAYMENT_CAPABILITIES } from './crypto/capabilities';
import { createPayPalAdapter } from './paypal/adapter';
import { checkAmount as checkPayPalAmount } from './paypal/amounts';
import { PAYPAL_CAPABILITIES, PAYPAL_PAYMENT_CAPABILITIES } from './paypal/capabilities';
import { PRE_AUTH_NOT_SUPPORTED_CAPABILITIES } from './pre-auth-not-supported';
import { createStripeAdapter } from './stripe/adapter';
import { checkAmount as checkStripeAmount } from './stripe/amounts';
import { STRIPE_CAPABILITIES, STRIPE_PAYMENT_CAPABILITIES } from './stripe/capabilities';

/** Where the channels are, e.g. their sandboxes' addresses; empty: the channels themselves. */
export interface ChannelRegistryOptions {
  readonly stripeApiBase: string;
  readonly paypalApiBase: string;
  readonly alipayGateway: string;
  readonly btcpayApiBase: string;
  /** Where Alipay's notifications of this account arrive; empty: where the application at Alipay says. */
  readonly alipayNotifyUrl?: (accountId: string) => string;
  /** The way out to addresses that merchants name (their BTCPay Servers): it must refuse those of our own network. */
  readonly guardedDispatcher?: Dispatcher;
}

interface ChannelEntry {
  readonly holds: (contract: ChannelContract) => ChannelCapabilities;
  readonly payments: (contract: ChannelContract) => PaymentCapabilities;
  /** Why the channel cannot say this amount exactly, or undefined. */
  readonly checkAmount: (money: Money, contract: ChannelContract) => Refusal | undefined;
  readonly createAdapter: (account: ChannelAccount, options: ChannelRegistryOptions) => FullAdapter;
}

const CHANNELS: Readonly<Record<ChannelName, ChannelEntry>> = {
  stripe: {
    holds: () => STRIPE_CAPABILITIES,
    payments: () => STRIPE_PAYMENT_CAPABILITIES,
    checkAmount: checkStripeAmount,
    createAdapter: (account, { stripeApiBase }) => createStripeAdapter(account, stripeApiBase),
  },
  paypal: {
    holds: () => PAYPAL_CAPABILITIES,
    payments: () => PAYPAL_PAYMENT_CAPABILITIES,
    checkAmount: checkPayPalAmount,
    createAdapter: (account, { paypalApiBase }) => createPayPalAdapter(account, paypalApiBase),
  },
  alipay: {
    holds: alipayHoldCapabilities,
    payments: alipayPaymentCapabilities,
    checkAmount: (money, { currencies = [] }) => checkAlipayAmount(money, currencies),
    createAdapter: (account, { alipayGateway, alipayNotifyUrl }) =>
      createAlipayAdapter(account, alipayGateway, { notifyUrl: alipayNotifyUrl?.(account.id) ?? '' }),
  },
  crypto: {
    holds: () => PRE_AUTH_NOT_SUPPORTED_CAPABILITIES,
    payments: () => CRYPTO_PAYMENT_CAPABILITIES,
    checkAmount: checkCryptoAmount,
    createAdapter: (account, { btcpayApiBase, guardedDispatcher }) =>
      createCryptoAdapter(
        account,
        btcpayApiBase,
        // A sandbox's address is the operator's own word and may be in our network.
        btcpayApiBase !== '' || guardedDispatcher === undefined ? {} : { dispatcher: guardedDispatcher },
      ),
  },
};

/** What a channel can do with holds, for an account with this contract. */
export function capabilitiesOf(channel: ChannelName, contract: ChannelContract = {}): ChannelCapabilities {
  return CHANNELS[channel].holds(contract);
}

export function supportsPreAuth(channel: ChannelName, contract: ChannelContract = {}): boolean {
  return capabilitiesOf(channel, contract).preAuth;
}

/** How long the channel answers a repeated key of a hold's call, whatever the account's contract. */
export function holdHorizonSecondsOf(channel: ChannelName): number {
  return capabilitiesOf(channel, { preAuth: true }).idempotencyHorizonSeconds;
}

/** Whether money may be held for a hold after its end, because the channel cannot close what nobody has opened. */
export function holdOutlivesCancel(channel: ChannelName): boolean {
  return capabilitiesOf(channel, { preAuth: true }).outlivesCancel === true;
}

/** What a channel can do with payments, for an account with this contract. */
export function paymentCapabilitiesOf(
  channel: ChannelName,
  contract: ChannelContract = {},
): PaymentCapabilities {
  return CHANNELS[channel].payments(contract);
}

/** Why this channel could not hold this money, or undefined when it can. Pure: asked before anything is written. */
export function checkHoldAmount(
  channel: ChannelName,
  money: Money,
  contract: ChannelContract = {},
): Refusal | undefined {
  if (!supportsPreAuth(channel, contract)) return refuse('PRE_AUTH_NOT_SUPPORTED', { channel });
  return CHANNELS[channel].checkAmount(money, contract);
}

/** Why this channel could not take this payment, or undefined when it can. Pure: asked before anything is written. */
export function checkPaymentAmount(
  channel: ChannelName,
  money: Money,
  contract: ChannelContract = {},
): Refusal | undefined {
  const { currencies, amounts } = paymentCapabilitiesOf(channel, contract);
  const { amount, currency } = money;
  if (!currencies.has(currency)) return refuse('CURRENCY_NOT_SUPPORTED', { channel, currency });
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = amounts[currency] ?? {};
  if (amount >= min && amount <= max) return CHANNELS[channel].checkAmount(money, contract);
  const [word, bound] = amount < min ? ['at least', min] : ['at most', max];
  const message = `This channel does not take ${formatMoney(money)}: ${word} ${formatMoney({ amount: bound, currency })}.`;
  return refuse('AMOUNT_NOT_SUPPORTED', { channel, amount, currency }, message);
}

/** Why this channel could not give back exactly this, or undefined. The bounds of payments do not bind refunds. */
export function checkRefundAmount(channel: ChannelName, money: Money): Refusal | undefined {
  // The object's own currency, which its contract allowed when the money was taken.
  return CHANNELS[channel].checkAmount(money, { currencies: [money.currency] });
}

export interface ChannelRegistry {
  /** The adapter of this account; the same one as long as its credentials and contract are the same. */
  adapterFor(account: ChannelAccount): FullAdapter;
}

export function createChannelRegistry(options: ChannelRegistryOptions): ChannelRegistry {
  const cached = new Map<string, { fingerprint: string; adapter: FullAdapter }>();
  return {
    adapterFor(account) {
      const fingerprint = fingerprintOf(account);
      const known = cached.get(account.id);
      if (known?.fingerprint === fingerprint) return known.adapter;
      const adapter = CHANNELS[account.channel].createAdapter(account, options);
      cached.set(account.id, { fingerprint, adapter });
      return adapter;
    },
  };
}

/** A hash, so that the cache holds no second copy of the credentials. */
function fingerprintOf(account: ChannelAccount): string {
  const text = JSON.stringify([
    account.channel,
    account.contract,
    Object.entries(account.credentials).sort(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  return createHash('sha256').update(text).digest('base64');
}
