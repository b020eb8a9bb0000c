/** What the contract needs of Stripe, the real one or the sandbox: both are driven through the official SDK. */
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { createStripeAdapter } from '../../src/channels/stripe/adapter';
import type { StripeAdapter } from '../../src/channels/stripe/adapter';
import type { ChannelAccount, ChannelAdapter } from '../../src/domain/channel';
import type { PreAuthHarness } from './channel-pre-auth.contract';

export interface StripeTarget {
  /** Empty: Stripe itself. */
  readonly apiBase: string;
  readonly secretKey: string;
  readonly webhookSecret: string;
}

export function stripeAccount(target: StripeTarget, multipleCaptures = false): ChannelAccount {
  return {
    id: randomUUID(),
    channel: 'stripe',
    world: 'test',
    merchantId: null,
    credentials: { secret_key: target.secretKey, webhook_secret: target.webhookSecret },
    contract: { multipleCaptures },
  };
}

/** The official SDK, with its own HTTP client and its own retries off: an independent witness. */
export function officialSdk({ apiBase, secretKey }: StripeTarget): Stripe {
  if (apiBase === '') return new Stripe(secretKey, { maxNetworkRetries: 0 });
  const { hostname, port } = new URL(apiBase);
  return new Stripe(secretKey, {
    host: hostname,
    port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
  });
}

type SignedHarness = Pick<PreAuthHarness, 'eventBody' | 'missingId' | 'signEvent' | 'timeoutMs'>;

/** What holds and payments have in common: events, and what does not exist. */
export function signedHarness(target: StripeTarget): SignedHarness {
  const sdk = officialSdk(target);
  return {
    timeoutMs: target.apiBase === '' ? 25_000 : 5_000,
    signEvent: (body, at, isForged) => ({
      'stripe-signature': sdk.webhooks.generateTestHeaderString({
        payload: body,
        secret: isForged ? 'whsec_somebody_else' : target.webhookSecret,
        timestamp: at,
      }),
    }),
    eventBody: (id, holdfastId) =>
      JSON.stringify({
        id: `evt_${randomUUID()}`,
        object: 'event',
        type: 'payment_intent.succeeded',
        data: { object: { id, object: 'payment_intent', metadata: { holdfast_id: holdfastId } } },
      }),
    missingId: 'pi_3NoSuchPaymentIntentAtAll',
  };
}

export function makeStripeHarness(target: StripeTarget): PreAuthHarness {
  const sdk = officialSdk(target);
  const opened: StripeAdapter[] = [];
  const open = (account: ChannelAccount): ChannelAdapter => {
    const adapter = createStripeAdapter(account, target.apiBase);
    opened.push(adapter);
    return adapter;
  };
  return {
    ...signedHarness(target),
    adapter: open(stripeAccount(target)),
    withBadCredentials: open(stripeAccount({ ...target, secretKey: 'sk_test_wrong' })),
    confirm: async (id) => {
      await sdk.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' });
    },
    confirmWithDeclinedCard: async (id) => {
      await sdk.paymentIntents.confirm(id, { payment_method: 'pm_card_chargeDeclined' });
    },
    close: () => opened.forEach((adapter) => adapter.close()),
  };
}
