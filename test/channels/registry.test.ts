import {
  capabilitiesOf,
  checkHoldAmount,
  createChannelRegistry,
  supportsPreAuth,
} from '../../src/channels/registry';
import { CHANNELS } from '../../src/domain/channel';
import type { ChannelAccount } from '../../src/domain/channel';
import { HoldfastError } from '../../src/domain/errors';

const account = (fields: Partial<ChannelAccount> = {}): ChannelAccount => ({
  id: 'account-1',
  channel: 'stripe',
  world: 'test',
  merchantId: null,
  credentials: { secret_key: 'sk_test_a', webhook_secret: 'whsec_a' },
  contract: {},
  ...fields,
});
const registry = () => createChannelRegistry({ stripeApiBase: 'http://127.0.0.1:9' });

test('only Stripe holds money so far, and the capabilities say so', () => {
  expect(CHANNELS.filter(supportsPreAuth)).toEqual(['stripe']);
  expect(capabilitiesOf('stripe')).toMatchObject({ partialCapture: true, multipleCaptures: false });
  expect(capabilitiesOf('stripe').idempotencyHorizonSeconds).toBeLessThan(24 * 3600);
  expect(capabilitiesOf('paypal').currencies.size).toBe(0);
});

test('an amount is checked by the rules of its channel', () => {
  expect(checkHoldAmount('stripe', { amount: 50_000, currency: 'USD' })).toBeUndefined();
  expect(checkHoldAmount('stripe', { amount: 5_124, currency: 'BHD' })?.code).toBe('AMOUNT_NOT_SUPPORTED');
  expect(checkHoldAmount('alipay', { amount: 100, currency: 'CNY' })?.code).toBe('PRE_AUTH_NOT_SUPPORTED');
});

test('an account has one adapter, until its credentials or its contract change', () => {
  const known = registry();
  const adapterFor = (of: ChannelAccount) => known.adapterFor(of);
  const first = adapterFor(account());
  expect(adapterFor(account())).toBe(first);
  expect(adapterFor(account({ id: 'account-2' }))).not.toBe(first);
  expect(adapterFor(account({ contract: { multipleCaptures: true } }))).not.toBe(first);
  expect(adapterFor(account({ credentials: { secret_key: 'sk_test_b' } }))).not.toBe(first);
});

test.each(['paypal', 'alipay', 'crypto'] as const)(
  '%s answers every verb of a hold with one refusal',
  async (channel) => {
    const adapter = registry().adapterFor(account({ channel }));
    const call = { idempotencyKey: 'k', holdfastId: 'h', holdfastCall: 'create/1' };
    const exchange = { timeoutMs: 100 };
    const money = {
      amount: 100,
      currency: 'USD',
      channelPreAuthNo: 'x',
      preAuthNo: 'p',
      orderNo: 'o',
      final: true,
    };
    const verbs = [
      () => adapter.createPreAuth(money, call, exchange),
      () => adapter.capturePreAuth(money, call, exchange),
      () => adapter.cancelPreAuth(money, call, exchange),
      () => adapter.queryPreAuth('x', exchange),
      () => adapter.findPreAuths(call, { fromUnixSeconds: 0, toUnixSeconds: 1 }, exchange),
    ];
    for (const verb of verbs) {
      const error: unknown = await verb().catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(HoldfastError);
      expect(error).toMatchObject({ code: 'PRE_AUTH_NOT_SUPPORTED' });
    }
    expect(() => adapter.parseInboundEvent(Buffer.from('{}'), {})).toThrow();
  },
);
