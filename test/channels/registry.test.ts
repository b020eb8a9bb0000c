import {
  capabilitiesOf,
  checkHoldAmount,
  checkPaymentAmount,
  createChannelRegistry,
  paymentCapabilitiesOf,
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
const NOWHERE = 'http://127.0.0.1:9';
const registry = () =>
  createChannelRegistry({
    stripeApiBase: NOWHERE,
    paypalApiBase: NOWHERE,
    alipayGateway: NOWHERE,
    btcpayApiBase: NOWHERE,
  });

test('who holds money, and what an account can do, is told by channel and contract', () => {
  expect(CHANNELS.filter((channel) => supportsPreAuth(channel))).toEqual(['stripe', 'paypal']);
  expect(CHANNELS.filter((channel) => supportsPreAuth(channel, { preAuth: true }))).toEqual([
    'stripe',
    'paypal',
    'alipay',
  ]);
  for (const channel of CHANNELS) expect(paymentCapabilitiesOf(channel).refunds).toBe(true);
  expect(paymentCapabilitiesOf('alipay', { currencies: ['USD'] }).currencies).toEqual(
    new Set(['CNY', 'USD']),
  );
  expect(capabilitiesOf('stripe')).toMatchObject({ partialCapture: true, multipleCaptures: false });
  expect(capabilitiesOf('stripe').idempotencyHorizonSeconds).toBeLessThan(24 * 3600);
  expect(capabilitiesOf('crypto').currencies.size).toBe(0);
});

test('an amount is checked by the rules of its channel', () => {
  expect(checkHoldAmount('stripe', { amount: 50_000, currency: 'USD' })).toBeUndefined();
  expect(checkHoldAmount('stripe', { amount: 5_124, currency: 'BHD' })?.code).toBe('AMOUNT_NOT_SUPPORTED');
  const cny = { amount: 100, currency: 'CNY' };
  expect(checkHoldAmount('alipay', cny)?.code).toBe('PRE_AUTH_NOT_SUPPORTED');
  expect(checkHoldAmount('alipay', cny, { preAuth: true })).toBeUndefined();
  expect(checkPaymentAmount('alipay', cny)).toBeUndefined();
  const usd = { amount: 100, currency: 'USD' };
  expect(checkPaymentAmount('alipay', usd)?.code).toBe('CURRENCY_NOT_SUPPORTED');
  expect(checkPaymentAmount('alipay', usd, { currencies: ['USD'] })).toBeUndefined();
  expect(checkPaymentAmount('paypal', { amount: 101, currency: 'HUF' })?.code).toBe('AMOUNT_NOT_SUPPORTED');
  expect(checkPaymentAmount('crypto', cny)?.code).toBe(undefined);
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

test('a channel without holds answers every verb of a hold with one refusal', async () => {
  const adapter = registry().adapterFor(account({ channel: 'crypto' }));
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
});
