/** Which channel can do what, and one adapter per account. The only file that names all channels' implementations. */
import { createHash } from 'node:crypto';
import type { ChannelAccount, ChannelAdapter, ChannelCapabilities, ChannelName } from '../domain/channel';
import { refuse } from '../domain/errors';
import type { Refusal } from '../domain/errors';
import type { Money } from '../domain/money';
import { createPreAuthNotSupported, PRE_AUTH_NOT_SUPPORTED_CAPABILITIES } from './pre-auth-not-supported';
import { createStripeAdapter } from './stripe/adapter';
import { checkAmount as checkStripeAmount } from './stripe/amounts';
import { STRIPE_CAPABILITIES } from './stripe/capabilities';

const CAPABILITIES: Readonly<Record<ChannelName, ChannelCapabilities>> = {
  stripe: STRIPE_CAPABILITIES,
  paypal: PRE_AUTH_NOT_SUPPORTED_CAPABILITIES,
  alipay: PRE_AUTH_NOT_SUPPORTED_CAPABILITIES,
  crypto: PRE_AUTH_NOT_SUPPORTED_CAPABILITIES,
};

/** What a channel can do by itself; an account's contract may add `multipleCaptures`. */
export function capabilitiesOf(channel: ChannelName): ChannelCapabilities {
  return CAPABILITIES[channel];
}

export function supportsPreAuth(channel: ChannelName): boolean {
  return CAPABILITIES[channel].preAuth;
}

/** Why this channel could not hold this money, or undefined when it can. Pure: asked before anything is written. */
export function checkHoldAmount(channel: ChannelName, money: Money): Refusal | undefined {
  switch (channel) {
    case 'stripe':
      return checkStripeAmount(money);
    case 'paypal':
    case 'alipay':
    case 'crypto':
      return refuse('PRE_AUTH_NOT_SUPPORTED', { channel });
  }
}

export interface ChannelRegistry {
  /** The adapter of this account; the same one as long as its credentials and contract are the same. */
  adapterFor(account: ChannelAccount): ChannelAdapter;
}

export interface ChannelRegistryOptions {
  /** Where Stripe is, e.g. the sandbox's address; empty: Stripe itself. */
  readonly stripeApiBase: string;
}

export function createChannelRegistry(options: ChannelRegistryOptions): ChannelRegistry {
  const cached = new Map<string, { fingerprint: string; adapter: ChannelAdapter }>();
  return {
    adapterFor(account) {
      const fingerprint = fingerprintOf(account);
      const known = cached.get(account.id);
      if (known?.fingerprint === fingerprint) return known.adapter;
      const adapter = createAdapter(account, options);
      cached.set(account.id, { fingerprint, adapter });
      return adapter;
    },
  };
}

function createAdapter(account: ChannelAccount, options: ChannelRegistryOptions): ChannelAdapter {
  switch (account.channel) {
    case 'stripe':
      return createStripeAdapter(account, options.stripeApiBase);
    case 'paypal':
    case 'alipay':
    case 'crypto':
      return createPreAuthNotSupported(account.channel);
  }
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
