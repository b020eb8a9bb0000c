/** What the API shows of an object, in BTCPay 2's field names. */
import { formatSats } from './money';
import type { Invoice, MethodId, Payment, Payout, PullPayment, JsonObject } from './types';

export function paidSats(invoice: Invoice): number {
  return invoice.payments
    .filter(({ status }) => status !== 'Invalid')
    .reduce((sum, { sats }) => sum + sats, 0);
}

export function renderInvoice(invoice: Invoice, baseUrl: string): JsonObject {
  const { status, additionalStatus } = invoice;
  const markable = [
    ...(status !== 'Settled' ? ['Settled'] : []),
    ...(canMarkInvalid(invoice) ? ['Invalid'] : []),
  ];
  return {
    id: invoice.id,
    storeId: invoice.storeId,
    amount: invoice.amount,
    currency: invoice.currency,
    type: 'Standard',
    checkoutLink: `${baseUrl}/i/${invoice.id}`,
    createdTime: invoice.createdTime,
    expirationTime: invoice.expirationTime,
    monitoringExpiration: invoice.expirationTime + 86_400,
    status,
    additionalStatus,
    availableStatusesForManualMarking: markable,
    archived: false,
    metadata: invoice.metadata,
    checkout: {
      speedPolicy: 'MediumSpeed',
      paymentMethods: METHODS,
      expirationMinutes: Math.round((invoice.expirationTime - invoice.createdTime) / 60),
      monitoringMinutes: 1440,
      paymentTolerance: 0,
      redirectURL: invoice.redirectURL,
    },
    receipt: { enabled: null, showQR: null, showPayments: null },
  };
}

export function canMarkInvalid({ status, additionalStatus }: Invoice): boolean {
  return (
    status === 'New' ||
    status === 'Processing' ||
    status === 'Expired' ||
    (status === 'Settled' && additionalStatus === 'Marked')
  );
}

const METHODS: readonly MethodId[] = ['BTC-CHAIN', 'BTC-LN'];

export function renderPaymentMethods(invoice: Invoice): JsonObject[] {
  const total = paidSats(invoice);
  return METHODS.map((methodId) => {
    const payments = invoice.payments.filter(
      (payment) => payment.methodId === methodId && payment.status !== 'Invalid',
    );
    return {
      activated: true,
      paymentMethodId: methodId,
      currency: 'BTC',
      destination: `sandbox-${invoice.id}`,
      paymentLink: `bitcoin:sandbox-${invoice.id}`,
      rate: invoice.rate,
      paymentMethodPaid: formatSats(payments.reduce((sum, { sats }) => sum + sats, 0)),
      totalPaid: formatSats(total),
      due: formatSats(invoice.dueSats - total),
      amount: formatSats(invoice.dueSats),
      paymentMethodFee: '0.0',
      payments: payments.map(renderPayment),
      additionalData: null,
    };
  });
}

export function renderPayment({ id, receivedDate, sats, status }: Payment): JsonObject {
  return { id, receivedDate, value: formatSats(sats), fee: '0.0', status, destination: `sandbox-${id}` };
}

export function renderPullPayment(pull: PullPayment, baseUrl: string): JsonObject {
  const { id, name, description, amount, currency, archived, autoApproveClaims, startsAt } = pull;
  return {
    id,
    name,
    description,
    amount,
    currency,
    archived,
    autoApproveClaims,
    startsAt,
    expiresAt: null,
    BOLT11Expiration: 30,
    viewLink: `${baseUrl}/pull-payments/${id}`,
  };
}

export function renderPayout(payout: Payout): JsonObject {
  const { id, pullPaymentId, date, originalAmount, originalCurrency, state } = payout;
  return {
    id,
    revision: 0,
    pullPaymentId,
    date,
    destination: 'sandbox-destination',
    originalCurrency,
    originalAmount,
    payoutCurrency: 'BTC',
    payoutAmount: null,
    payoutMethodId: 'BTC-CHAIN',
    state,
    paymentProof: null,
    metadata: {},
  };
}
