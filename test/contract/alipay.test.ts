import { startAlipaySandbox } from '../../dev/alipay-sandbox/server';
import { createAlipayAdapter } from '../../src/channels/alipay/adapter';
import { alipayAccount, makeAlipayHarness, MISSING, newIdentity } from './alipay-harness';
import { describePaymentContract } from './channel-payment.contract';

describePaymentContract('the Alipay sandbox', async () => {
  const sandbox = await startAlipaySandbox({ currencies: ['USD'] });
  return makeAlipayHarness(sandbox, sandbox.signingKey);
});

const { ALIPAY_APP_ID = '', ALIPAY_PRIVATE_KEY = '', ALIPAY_PUBLIC_KEY = '' } = process.env;
/** Alipay's own sandbox; its address has changed before, so it can be given. */
const { ALIPAY_GATEWAY = 'https://openapi-sandbox.dl.alipaydev.com/gateway.do' } = process.env;

if (ALIPAY_APP_ID !== '' && ALIPAY_GATEWAY.includes('alipaydev.com')) {
  // Nobody can pay there without the app in a hand, so this is what can be compared without a customer.
  describe("Alipay's own sandbox", () => {
    const account = alipayAccount({
      app_id: ALIPAY_APP_ID,
      app_private_key: ALIPAY_PRIVATE_KEY,
      alipay_public_key: ALIPAY_PUBLIC_KEY,
      seller_id: '',
    });
    const adapter = createAlipayAdapter({ ...account, contract: {} }, ALIPAY_GATEWAY);
    const exchange = { timeoutMs: 25_000 };
    afterAll(() => adapter.close());

    test('what does not exist is undefined', async () => {
      expect(await adapter.queryPayment(MISSING, exchange)).toBeUndefined();
    });

    test('a QR code that nobody scans cannot be closed yet', async () => {
      const identity = newIdentity();
      const request = { paymentNo: 'PY1', orderNo: 'ORDER-1', amount: 1, currency: 'CNY' };
      const expiresAtUnixSeconds = Math.floor(Date.now() / 1000) + 1_800;
      const created = await adapter.createPayment(
        { ...request, expiresAtUnixSeconds },
        identity('create/1'),
        exchange,
      );
      expect(created.customer.nextAction).toMatchObject({ type: 'qr_code' });
      const channelPaymentNo =
        created.answer.kind === 'declined' ? '' : created.answer.snapshot.channelPaymentNo;
      const cancel = { channelPaymentNo, currency: 'CNY' };
      expect(await adapter.cancelPayment(cancel, identity('cancel/1'), exchange)).toMatchObject({
        kind: 'pending',
        snapshot: { status: 'requires_action' },
      });
    });
  });
} else {
  // No test is counted for what did not run; the live gateway is never used.
  console.info(
    'Nothing was run against Alipay itself: set ALIPAY_APP_ID, ALIPAY_PRIVATE_KEY and ALIPAY_PUBLIC_KEY of an application in its sandbox.',
  );
}
