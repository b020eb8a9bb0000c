/** What the contract of payments needs of Stripe, the real one or the sandbox. */
import { createStripeAdapter } from '../../src/channels/stripe/adapter';
import type { PaymentSnapshot } from '../../src/domain/channel-payment';
import { PLAIN } from './channel-payment.contract';
import type { PaymentHarness } from './channel-payment.contract';
import { sandboxControl } from './sandbox-control';
import { officialSdk, signedHarness, stripeAccount } from './stripe-harness';
import type { StripeTarget } from './stripe-harness';

/** @param card what the customer pays with: it decides how refunds go */
export function makeStripePaymentHarness(
  target: StripeTarget,
  card: 'pm_card_visa' | 'pm_card_pendingRefund' = 'pm_card_visa',
): PaymentHarness {
  const sdk = officialSdk(target);
  const signed = signedHarness(target);
  const adapter = createStripeAdapter(stripeAccount(target), target.apiBase);
  const withBadCredentials = createStripeAdapter(
    stripeAccount({ ...target, secretKey: 'sk_test_wrong' }),
    target.apiBase,
  );
  return {
    ...signed,
    adapter,
    withBadCredentials,
    money: { amount: 50_000, currency: 'USD' },
    // None is the same number there as here, but for JPY, which shows that nothing is multiplied by 100.
    otherMoney: [
      { amount: 5_000, currency: 'JPY' },
      { amount: 700, currency: 'ISK' },
      { amount: 5_120, currency: 'KWD' },
      { amount: 5_000_000, currency: 'MGA' },
    ],
    refusedMoney: [
      { amount: 5_124, currency: 'KWD' },
      { amount: 150, currency: 'MGA' },
      { amount: 100_000_000, currency: 'USD' },
      { amount: 1_000, currency: 'IQD' },
    ],
    restrictions: { ...PLAIN, asyncRefunds: card === 'pm_card_pendingRefund' },
    pay: async (id) => {
      await sdk.paymentIntents.confirm(id, { payment_method: card });
    },
    payWithDecline: async (id) => {
      const confirmation = sdk.paymentIntents.confirm(id, { payment_method: 'pm_card_chargeDeclined' });
      await expect(confirmation).rejects.toMatchObject({ statusCode: 402 });
    },
    makeDashboardRefund: async ({ channelPaymentNo }, { amount }) => {
      await sdk.refunds.create({ payment_intent: channelPaymentNo, amount });
    },
    ...(target.apiBase === '' ? {} : onlyInTheSandbox(target.apiBase)),
    signEvent: (body, at, isForged) => ({ body, headers: signed.signEvent(body, at, isForged) }),
    close: () => {
      adapter.close();
      withBadCredentials.close();
    },
  };
}

/** Stripe itself ends these in its own time. */
function onlyInTheSandbox(url: string) {
  const control = sandboxControl(url);
  return {
    settleRefund: async (id: string, outcome: string) => {
      await control.post(`refunds/${id}/settle`, { outcome });
    },
    openDispute: async ({ channelPaymentNo }: PaymentSnapshot) => {
      await control.post(`payment_intents/${channelPaymentNo}/dispute`);
    },
    closeDispute: async ({ channelPaymentNo }: PaymentSnapshot, outcome: string) => {
      await control.post(`payment_intents/${channelPaymentNo}/close-dispute`, { outcome });
    },
  };
}
