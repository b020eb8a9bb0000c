/** What the contract needs of the Alipay sandbox; the customer is driven through its control addresses. */
import { randomUUID } from 'node:crypto';
import { signNotification } from '../../dev/alipay-sandbox/signing';
import { newKeyPair } from '../../dev/alipay-sandbox/state';
import type { Books } from '../../dev/alipay-sandbox/books';
import type { AlipaySandbox, AlipaySandboxCredentials } from '../../dev/alipay-sandbox/server';
import { createAlipayAdapter } from '../../src/channels/alipay/adapter';
import type { AlipayAdapter, AlipayOptions } from '../../src/channels/alipay/adapter';
import { numberOf, readNumber } from '../../src/channels/alipay/numbers';
import type { CallIdentity, ChannelAccount, ChannelContract, CustomerStep } from '../../src/domain/channel';
import type { KnownRefund } from '../../src/domain/channel-payment';
import { PLAIN } from './channel-payment.contract';
import type { PaymentHarness } from './channel-payment.contract';

export function alipayAccount(
  credentials: AlipaySandboxCredentials,
  contract: ChannelContract = { preAuth: true, currencies: ['USD'] },
): ChannelAccount {
  const own = { ...credentials };
  return { id: randomUUID(), channel: 'alipay', world: 'test', merchantId: null, credentials: own, contract };
}

export interface AlipayControl {
  post(path: string, body?: object): Promise<Record<string, unknown>>;
  books(holdfastId?: string): Promise<Books>;
  fault(operation: string, fault: string, more?: object): Promise<unknown>;
}

export function alipayControl(url: string): AlipayControl {
  const post = async (path: string, body: object = {}) => {
    const response = await fetch(`${url}/_control/${path}`, { method: 'POST', body: JSON.stringify(body) });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  return {
    post,
    books: async (holdfastId) => {
      const query = holdfastId === undefined ? '' : `?holdfast_id=${encodeURIComponent(holdfastId)}`;
      return (await (await fetch(`${url}/_books${query}`)).json()) as Books;
    },
    fault: (operation, fault, more = {}) => post('faults', { match: { operation }, fault, ...more }),
  };
}

/** What the customer has in hand, as the control addresses take it. */
export function tradeInHand(customer: CustomerStep): object {
  const action = customer.nextAction;
  if (action?.type === 'redirect') return { url: action.url };
  if (action?.type === 'qr_code') return { qr_code: action.content };
  throw new Error(`nothing to pay with: ${JSON.stringify(action)}`);
}

/** The identities of one new object's calls. */
export function newIdentity(kind = 'payment'): (name: string) => CallIdentity {
  const holdfastId = `${kind}/test/${randomUUID()}`;
  return (name) => ({ idempotencyKey: `${holdfastId}/${name}`, holdfastId, holdfastCall: name });
}

/** Refunds as the stores know them, told to listRefunds, because Alipay itself lists none. */
function withKnownRefunds(adapter: AlipayAdapter): AlipayAdapter {
  const known = new Map<string, KnownRefund[]>();
  return {
    ...adapter,
    createRefund: (request, call, exchange) => {
      const refunds = known.get(request.target.channelNo) ?? [];
      known.set(request.target.channelNo, refunds);
      const { refundNo } = request;
      const isNew = refunds.every((refund) => !('refundNo' in refund) || refund.refundNo !== refundNo);
      const { holdfastId, holdfastCall } = call;
      if (isNew) refunds.push({ refundNo, holdfastId, holdfastCall });
      return adapter.createRefund(request, call, exchange);
    },
    listRefunds: (target, exchange) =>
      adapter.listRefunds(target, exchange, known.get(target.channelNo) ?? []),
  };
}

/** The customer scans every code at once: a trade that nobody has opened has no state to be tested. */
function withOpenedTrades(adapter: AlipayAdapter, control: AlipayControl): AlipayAdapter {
  return {
    ...adapter,
    createPayment: async (request, call, exchange) => {
      const created = await adapter.createPayment(request, call, exchange);
      if (created.customer.nextAction !== undefined)
        await control.post('open', tradeInHand(created.customer));
      return created;
    },
  };
}

export function openAlipay(
  sandbox: AlipaySandbox,
  contract?: ChannelContract,
  options?: AlipayOptions,
): AlipayAdapter {
  return createAlipayAdapter(alipayAccount(sandbox.credentials, contract), sandbox.url, options);
}

export const MISSING = numberOf('P', { holdfastId: 'payment/none', holdfastCall: 'create/1' });

/** @param sandboxKey the sandbox's own private key, to sign events as it does */
export function makeAlipayHarness(sandbox: AlipaySandbox, sandboxKey: string): PaymentHarness {
  const control = alipayControl(sandbox.url);
  const plain = openAlipay(sandbox);
  const wrong = newKeyPair();
  const bad = createAlipayAdapter(
    alipayAccount({ ...sandbox.credentials, app_private_key: wrong.privateKey }),
    sandbox.url,
  );
  const { app_id: appId, seller_id: sellerId } = sandbox.credentials;
  return {
    adapter: withOpenedTrades(withKnownRefunds(plain), control),
    withBadCredentials: {
      ...bad,
      listRefunds: (target, exchange) => bad.listRefunds(target, exchange, [{ channelRefundNo: 'HFR1' }]),
    },
    timeoutMs: 5_000,
    money: { amount: 40_000, currency: 'CNY' },
    otherMoney: [{ amount: 12_345, currency: 'USD' }],
    refusedMoney: [
      { amount: 100, currency: 'EUR' },
      { amount: 100, currency: 'JPY' },
      { amount: 10_000_000_001, currency: 'CNY' },
    ],
    // Trades are opened here as soon as they are made, so they can be found. Identities come back in events and from paid
    // trades, not from what was just created; reads do not say how much was refunded; events carry no time that is theirs.
    restrictions: {
      ...PLAIN,
      keepsIdentity: false,
      showsRefunded: false,
      eventsCarryTime: false,
    },
    pay: async (number) => {
      await control.post('pay', { out_trade_no: readNumber(number).outNo });
    },
    eventBody: (number, holdfastId) =>
      new URLSearchParams({
        notify_id: randomUUID(),
        notify_type: 'trade_status_sync',
        app_id: appId,
        seller_id: sellerId,
        out_trade_no: number,
        trade_status: 'TRADE_SUCCESS',
        total_amount: '400.00',
        passback_params: encodeURIComponent(`holdfast_id=${encodeURIComponent(holdfastId)}`),
      }).toString(),
    signEvent: (body, _unixSeconds, isForged) => {
      const params = Object.fromEntries(new URLSearchParams(body));
      const signed = signNotification(params, isForged ? wrong.privateKey : sandboxKey);
      return { body: new URLSearchParams(signed).toString(), headers: {} };
    },
    missingId: MISSING,
    close: async () => {
      plain.close();
      bad.close();
      await sandbox.stop();
    },
  };
}
