import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import { describePaymentContract } from './channel-payment.contract';
import type { PaymentHarness } from './channel-payment.contract';
import { sandboxControl } from './sandbox-control';
import { makeStripePaymentHarness } from './stripe-payment-harness';

async function inSandbox(...[card]: [card?: 'pm_card_pendingRefund']): Promise<PaymentHarness> {
  const sandbox = await startStripeSandbox();
  // Longer than any test: a pending refund ends when the test says so.
  await sandboxControl(sandbox.url).post('config', { refundSettleMs: 3_600_000 });
  const harness = makeStripePaymentHarness({ ...sandbox, apiBase: sandbox.url }, card);
  return {
    ...harness,
    close: async () => {
      await harness.close();
      await sandbox.stop();
    },
  };
}

describePaymentContract('the Stripe sandbox', () => inSandbox());
describePaymentContract('the Stripe sandbox, refunds that take their time', () =>
  inSandbox('pm_card_pendingRefund'),
);

const liveKey = process.env['STRIPE_SECRET_KEY'] ?? '';

if (liveKey.startsWith('sk_test_')) {
  describePaymentContract('Stripe itself', () =>
    Promise.resolve(
      makeStripePaymentHarness({
        apiBase: '',
        secretKey: liveKey,
        webhookSecret: 'whsec_only_for_this_suite',
      }),
    ),
  );
} else {
  // No test is counted for what did not run; a live key is never used.
  console.info(
    'The contract of payments was not run against Stripe itself: set STRIPE_SECRET_KEY to a key that begins with sk_test_.',
  );
}
