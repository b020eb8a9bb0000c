import { startBtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import { describePaymentContract } from './channel-payment.contract';
import { makeCryptoHarness, makeLiveHarness } from './crypto-harness';

describePaymentContract('the BTCPay sandbox', async () => {
  const sandbox = await startBtcpaySandbox();
  const harness = makeCryptoHarness(sandbox);
  return {
    ...harness,
    close: async () => {
      await harness.close();
      await sandbox.stop();
    },
  };
});

const url = process.env['BTCPAY_TEST_URL'] ?? '';
const apiKey = process.env['BTCPAY_TEST_API_KEY'] ?? '';
const storeId = process.env['BTCPAY_TEST_STORE_ID'] ?? '';
const payoutAddress = process.env['BTCPAY_TEST_PAYOUT_ADDRESS'] ?? '';

// A main net address begins with 1, 3 or bc1: a server that would pay real coins is never used.
if (url !== '' && apiKey !== '' && storeId !== '' && /^(bcrt1|tb1|[mn2])/.test(payoutAddress)) {
  const target = { url, apiKey, storeId, payoutAddress, webhookSecret: 'only_for_this_suite' };
  describePaymentContract('a BTCPay Server', () => Promise.resolve(makeLiveHarness(target)));
} else {
  // No test is counted for what did not run.
  console.info(
    'The contract of payments was not run against a BTCPay Server: set BTCPAY_TEST_URL, BTCPAY_TEST_API_KEY, ' +
      'BTCPAY_TEST_STORE_ID and BTCPAY_TEST_PAYOUT_ADDRESS (regtest or testnet).',
  );
}
