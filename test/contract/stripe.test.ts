import { startStripeSandbox } from '../../dev/stripe-sandbox/server';
import { describePreAuthContract } from './channel-pre-auth.contract';
import { makeStripeHarness } from './stripe-harness';

describePreAuthContract('the Stripe sandbox', async () => {
  const sandbox = await startStripeSandbox();
  const harness = makeStripeHarness({ ...sandbox, apiBase: sandbox.url });
  return {
    ...harness,
    close: () => {
      harness.close();
      void sandbox.stop();
    },
  };
});

const liveKey = process.env['STRIPE_SECRET_KEY'] ?? '';

if (liveKey.startsWith('sk_test_')) {
  describePreAuthContract('Stripe itself', () =>
    Promise.resolve(
      makeStripeHarness({ apiBase: '', secretKey: liveKey, webhookSecret: 'whsec_only_for_this_suite' }),
    ),
  );
} else {
  // No test is counted for what did not run; a live key is never used.
  console.info(
    'The contract was not run against Stripe itself: set STRIPE_SECRET_KEY to a key that begins with sk_test_.',
  );
}
