/** What the contract of payments needs of a BTCPay Server: the sandbox, or a real one on regtest driven by hand. */
import { randomUUID } from 'node:crypto';
import { createCryptoAdapter } from '../../src/channels/crypto/adapter';
import type { CryptoAdapter } from '../../src/channels/crypto/adapter';
import { signatureOf } from '../../src/channels/crypto/events';
import type { ChannelAccount } from '../../src/domain/channel';
import type { BtcpaySandbox } from '../../dev/btcpay-sandbox/server';
import type { Books } from '../../dev/btcpay-sandbox/books';
import { PLAIN } from './channel-payment.contract';
import type { PaymentHarness } from './channel-payment.contract';

export interface CryptoTarget {
  readonly url: string;
  readonly apiKey: string;
  readonly storeId: string;
  readonly webhookSecret: string;
}

export function cryptoAccount({ url, apiKey, storeId, webhookSecret }: CryptoTarget): ChannelAccount {
  return {
    id: randomUUID(),
    channel: 'crypto',
    world: 'test',
    merchantId: null,
    credentials: { base_url: url, api_key: apiKey, store_id: storeId, webhook_secret: webhookSecret },
    contract: {},
  };
}

export function openCrypto(target: CryptoTarget): CryptoAdapter {
  return createCryptoAdapter(cryptoAccount(target), '');
}

export interface BtcpayControl {
  post(path: string, body?: object): Promise<Record<string, unknown>>;
  books(holdfastId?: string): Promise<Books>;
  fault(operation: string, fault: string, more?: object): Promise<unknown>;
}

export function btcpayControl(url: string): BtcpayControl {
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

/** One coin's worth, for the decimal strings of the control addresses. */
function decimalOf(amount: number, exponent: number): string {
  return (amount / 10 ** exponent).toFixed(exponent);
}

/** Events as a server with this store and secret makes them. */
function signed(target: CryptoTarget): Pick<PaymentHarness, 'eventBody' | 'signEvent'> {
  return {
    eventBody: (invoiceId, holdfastId) => {
      const id = randomUUID();
      return JSON.stringify({
        deliveryId: id,
        webhookId: 'webhook',
        originalDeliveryId: id,
        isRedelivery: false,
        type: 'InvoiceSettled',
        timestamp: Math.floor(Date.now() / 1000),
        storeId: target.storeId,
        invoiceId,
        metadata: { holdfast_id: holdfastId },
        manuallyMarked: false,
        overPaid: false,
      });
    },
    signEvent: (body, _at, isForged) => ({
      body,
      headers: {
        'btcpay-sig': signatureOf(isForged ? 'somebody else' : target.webhookSecret, Buffer.from(body)),
      },
    }),
  };
}

export function makeCryptoHarness(sandbox: BtcpaySandbox): PaymentHarness {
  const control = btcpayControl(sandbox.url);
  const adapter = openCrypto(sandbox);
  const withBadCredentials = openCrypto({ ...sandbox, apiKey: 'nobody' });
  return {
    adapter,
    withBadCredentials,
    timeoutMs: 5_000,
    money: { amount: 50_000, currency: 'USD' },
    otherMoney: [
      { amount: 5_000, currency: 'JPY' },
      { amount: 15_531, currency: 'BTC' },
      { amount: 123_457, currency: 'INR' },
    ],
    refusedMoney: [
      { amount: 1_000, currency: 'KWD' },
      { amount: 1_000, currency: 'XYZ' },
    ],
    restrictions: { ...PLAIN, claimLinks: true, eventsCarryTime: false },
    pay: async (id) => {
      // A chain takes every payment: it is the checkout page that stops offering one.
      const status = (await adapter.queryPayment(id, { timeoutMs: 5_000 }))?.status;
      if (status !== 'requires_action') throw new Error(`the checkout page is closed: ${String(status)}`);
      await control.post(`invoices/${id}/pay`, { confirmed: true });
    },
    settleRefund: async (id, outcome) => {
      if (outcome === 'failed') return void (await control.post(`pull-payments/${id}/archive`));
      await control.post(`pull-payments/${id}/claim`);
      await control.post(`pull-payments/${id}/complete`);
    },
    makeDashboardRefund: async ({ channelPaymentNo }, { amount, currency }) => {
      await control.post(`invoices/${channelPaymentNo}/refund-by-hand`, {
        amount: decimalOf(amount, 2),
        currency,
      });
    },
    ...signed(sandbox),
    missingId: 'NoSuchInvoiceAtAllAnywhere',
    close: () => {
      adapter.close();
      withBadCredentials.close();
    },
  };
}

export interface LiveTarget extends CryptoTarget {
  /** Where claimed refunds go to: an address of the server's own chain. */
  readonly payoutAddress: string;
}

/** A BTCPay Server on regtest or testnet. Nobody pays there: invoices are marked settled, which counts as paid in full. */
export function makeLiveHarness(target: LiveTarget): PaymentHarness {
  const adapter = openCrypto(target);
  const withBadCredentials = openCrypto({ ...target, apiKey: 'nobody' });
  const store = `stores/${target.storeId}`;
  const api = async (method: string, path: string, body?: object) => {
    const response = await fetch(new URL(`api/v1/${path}`, `${target.url.replace(/\/$/, '')}/`), {
      method,
      headers: { authorization: `token ${target.apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  };
  return {
    adapter,
    withBadCredentials,
    timeoutMs: 25_000,
    money: { amount: 50_000, currency: 'USD' },
    otherMoney: [{ amount: 15_531, currency: 'BTC' }],
    refusedMoney: [{ amount: 1_000, currency: 'KWD' }],
    restrictions: { ...PLAIN, claimLinks: true, eventsCarryTime: false },
    pay: async (id) => {
      const status = (await adapter.queryPayment(id, { timeoutMs: 25_000 }))?.status;
      if (status !== 'requires_action') throw new Error(`the checkout page is closed: ${String(status)}`);
      await api('POST', `${store}/invoices/${id}/status`, { status: 'Settled' });
    },
    settleRefund: async (id, outcome) => {
      if (outcome === 'failed') return void (await api('DELETE', `${store}/pull-payments/${id}`));
      const claim = { destination: target.payoutAddress, payoutMethodId: 'BTC-CHAIN' };
      const payout = await api('POST', `pull-payments/${id}/payouts`, claim);
      const path = `${store}/payouts/${String(payout['id'])}`;
      if (payout['state'] === 'AwaitingApproval') await api('POST', path, { revision: payout['revision'] });
      await api('POST', `${path}/mark`, { state: 'Completed' });
    },
    makeDashboardRefund: async ({ channelPaymentNo }, { amount, currency }) => {
      const refund = {
        refundVariant: 'Custom',
        customAmount: decimalOf(amount, 2),
        customCurrency: currency,
      };
      await api('POST', `${store}/invoices/${channelPaymentNo}/refund`, refund);
    },
    ...signed(target),
    missingId: 'NoSuchInvoiceAtAllAnywhere',
    close: () => {
      adapter.close();
      withBadCredentials.close();
    },
  };
}
