import { randomUUID } from 'node:crypto';
import { startPayPalSandbox } from '../../dev/paypal-sandbox/server';
import { createPayPalAdapter } from '../../src/channels/paypal/adapter';
import { describePaymentContract, PLAIN } from './channel-payment.contract';
import type { PaymentHarness } from './channel-payment.contract';
import { paypalAccount, startPayPalBench } from './paypal-harness';

const MISSING_ORDER = '5O190127TN3647150';

async function inSandbox(): Promise<PaymentHarness> {
  const { sandbox, control, adapter, target, stop } = await startPayPalBench();
  const wrong = createPayPalAdapter(paypalAccount({ ...target, clientSecret: 'wrong' }), sandbox.url);
  // Another PayPal: its certificate is not at this one's address.
  const stranger = await startPayPalSandbox();
  const disputes = new Map<string, string>();
  return {
    adapter,
    withBadCredentials: wrong,
    timeoutMs: 5_000,
    money: { amount: 50_000, currency: 'USD' },
    // HUF and TWD have two decimals in ISO and none at PayPal.
    otherMoney: [
      { amount: 5_000, currency: 'JPY' },
      { amount: 500_000, currency: 'HUF' },
      { amount: 12_300, currency: 'TWD' },
    ],
    refusedMoney: [
      { amount: 150, currency: 'HUF' },
      { amount: 1_000_000_000, currency: 'USD' },
      { amount: 1_000, currency: 'KWD' },
    ],
    restrictions: {
      ...PLAIN,
      findable: false,
      cancels: 'by_us',
      ownCompletion: true,
      eventsCarryTime: false,
    },
    pay: async (id) => {
      await control.post(`orders/${id}/approve`);
    },
    makeDashboardRefund: async ({ channelTradeNo }, { amount }) => {
      await control.post(`captures/${channelTradeNo ?? ''}/refund-by-dashboard`, { amount });
    },
    openDispute: async ({ channelPaymentNo, channelTradeNo }) => {
      const opened = await control.post(`captures/${channelTradeNo ?? ''}/dispute`);
      disputes.set(channelPaymentNo, String(opened['dispute_id']));
    },
    closeDispute: async ({ channelPaymentNo }, outcome) => {
      const code = outcome === 'won' ? 'RESOLVED_SELLER_FAVOUR' : 'RESOLVED_BUYER_FAVOUR';
      await control.post(`disputes/${disputes.get(channelPaymentNo) ?? ''}/resolve`, { outcome: code });
    },
    eventBody: (id, holdfastId) =>
      JSON.stringify({
        id: `WH-${randomUUID()}`,
        event_type: 'PAYMENT.CAPTURE.COMPLETED',
        resource: {
          id: '42311647XV020574X',
          custom_id: `${holdfastId}|create/1`,
          supplementary_data: { related_ids: { order_id: id } },
        },
      }),
    signEvent: (body, unixSeconds, isForged) => {
      const { webhook_id: webhookId = '' } = paypalAccount(target).credentials;
      const headers = (isForged ? stranger : sandbox).signEvent(body, webhookId, unixSeconds * 1000);
      const own = sandbox.signEvent(body, webhookId, 0)['paypal-cert-url'] ?? '';
      return { body, headers: { ...headers, 'paypal-cert-url': own } };
    },
    missingId: MISSING_ORDER,
    close: async () => {
      wrong.close();
      await stranger.stop();
      await stop();
    },
  };
}

describePaymentContract('the PayPal sandbox', inSandbox);

const clientId = process.env['PAYPAL_CLIENT_ID'] ?? '';
const clientSecret = process.env['PAYPAL_CLIENT_SECRET'] ?? '';

if (clientId !== '' && clientSecret !== '') {
  // Nobody approves an order at PayPal but a person on its page, so only what comes before that runs there.
  describe('PayPal itself (its sandbox)', () => {
    const adapter = createPayPalAdapter(paypalAccount({ apiBase: '', clientId, clientSecret }), '');
    afterAll(() => adapter.close());
    const exchange = { timeoutMs: 25_000 };
    const request = {
      paymentNo: 'PY-contract',
      orderNo: 'ORDER-contract',
      amount: 1_234,
      currency: 'USD',
      expiresAtUnixSeconds: Math.floor(Date.now() / 1000) + 1_800,
    };

    test('an order is made once, read, cancelled by our mark, and not completed then', async () => {
      const holdfastId = `payment/${randomUUID()}/live`;
      const call = (holdfastCall: string) => ({
        idempotencyKey: `${holdfastId}/${holdfastCall}`,
        holdfastId,
        holdfastCall,
      });
      const first = await adapter.createPayment(request, call('create/1'), exchange);
      if (first.answer.kind === 'declined') throw new Error(first.answer.providerCode);
      const { channelPaymentNo: id } = first.answer.snapshot;
      expect(first.customer.nextAction?.type).toBe('redirect');
      expect((await adapter.createPayment(request, call('create/1'), exchange)).answer).toEqual(first.answer);
      expect(await adapter.queryPayment(id, exchange)).toEqual(first.answer.snapshot);
      expect(await adapter.completePayment(id, call('complete/1'), exchange)).toMatchObject({
        code: 'invalid_state',
      });
      await adapter.cancelPayment({ channelPaymentNo: id, currency: 'USD' }, call('cancel/1'), exchange);
      expect(await adapter.queryPayment(id, exchange)).toMatchObject({ status: 'canceled' });
    });

    test('what does not exist is undefined', async () => {
      expect(await adapter.queryPayment(MISSING_ORDER, exchange)).toBeUndefined();
    });
  });
} else {
  // No test is counted for what did not run.
  console.info(
    'Nothing was run against PayPal itself: set PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET of a sandbox app.',
  );
}
