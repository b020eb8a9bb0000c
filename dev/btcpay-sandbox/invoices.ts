/** The life of an invoice, as BTCPay's watcher leads it. */
import type { EventSender } from './events';
import { apiError, validation } from './errors';
import { DECIMAL, RATES, toSats } from './money';
import { canMarkInvalid, paidSats, renderPayment } from './render';
import { makeId, nowSeconds } from './state';
import type { State } from './state';
import type { Invoice, JsonObject, MethodId, Payment } from './types';

export interface Scene {
  readonly state: State;
  readonly events: EventSender;
}

const BODY_FIELDS = new Set([
  'amount',
  'currency',
  'metadata',
  'checkout',
  'receipt',
  'additionalSearchTerms',
]);
const CHECKOUT_FIELDS = new Set([
  'speedPolicy',
  'paymentMethods',
  'defaultPaymentMethod',
  'lazyPaymentMethods',
  'expirationMinutes',
  'monitoringMinutes',
  'paymentTolerance',
  'redirectURL',
  'redirectAutomatically',
  'defaultLanguage',
]);
const DEFAULT_EXPIRATION_MINUTES = 15;

/** @throws GreenfieldApiError; stricter than BTCPay in one thing: a field nobody knows is refused, not passed over */
export function createInvoice(scene: Scene, storeId: string, body: JsonObject): Invoice {
  const { amount, currency, metadata = {}, checkout = {} } = body;
  const options = checkout as JsonObject;
  const unknown = [
    ...Object.keys(body).filter((field) => !BODY_FIELDS.has(field)),
    ...Object.keys(options)
      .filter((field) => !CHECKOUT_FIELDS.has(field))
      .map((field) => `checkout.${field}`),
  ];
  if (unknown.length > 0) throw validation(...unknown.map((field) => [field, 'Unknown field'] as const));
  if (typeof amount !== 'string' || !DECIMAL.test(amount))
    throw validation(['Amount', 'The amount should be 0 or more.']);
  const minutes = options['expirationMinutes'] ?? DEFAULT_EXPIRATION_MINUTES;
  if (!Number.isInteger(minutes) || Number(minutes) < 1) {
    throw validation(['Checkout.Expiration', 'Expiration time must be at least 30 seconds']);
  }
  const rate = typeof currency === 'string' && Object.hasOwn(RATES, currency) ? RATES[currency] : undefined;
  if (rate === undefined)
    throw apiError(400, 'generic-error', 'No payment method available for this store: no rate');
  const invoice: Invoice = {
    id: makeId(),
    storeId,
    amount,
    currency: String(currency),
    rate: String(rate),
    dueSats: toSats(amount, String(rate)),
    createdTime: nowSeconds(),
    expirationTime: nowSeconds() + Number(minutes) * 60,
    status: 'New',
    additionalStatus: 'None',
    metadata: metadata as JsonObject,
    redirectURL: typeof options['redirectURL'] === 'string' ? options['redirectURL'] : null,
    payments: [],
  };
  save(scene, invoice);
  emit(scene, invoice, 'InvoiceCreated');
  armExpiry(scene, invoice);
  return invoice;
}

function save({ state }: Scene, invoice: Invoice): void {
  state.save('invoice', invoice.id, invoice);
}

function emit({ events }: Scene, invoice: Invoice, type: string, fields: JsonObject = {}): void {
  events.emit(invoice.storeId, type, { invoiceId: invoice.id, metadata: invoice.metadata, ...fields });
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** The watcher wakes at the invoice's end; whoever reads it before that moment sees it open. */
export function armExpiry(scene: Scene, invoice: Invoice): void {
  const leftMs = invoice.expirationTime * 1000 - Date.now();
  setTimeout(() => tick(scene, invoice), Math.min(Math.max(leftMs, 0), MAX_TIMER_MS)).unref();
}

export function tick(scene: Scene, invoice: Invoice): void {
  if (invoice.status !== 'New' || Date.now() < invoice.expirationTime * 1000) return;
  if (scene.state.invoices.get(invoice.id) !== invoice) return;
  expire(scene, invoice);
  scene.state.flush();
}

export function expire(scene: Scene, invoice: Invoice): void {
  if (invoice.status !== 'New') throw apiError(400, 'invalid-state', 'Only a new invoice expires');
  invoice.status = 'Expired';
  invoice.expirationTime = Math.min(invoice.expirationTime, nowSeconds());
  save(scene, invoice);
  const partiallyPaid = invoice.additionalStatus === 'PaidPartial';
  emit(scene, invoice, 'InvoiceExpired', { partiallyPaid });
  if (partiallyPaid) emit(scene, invoice, 'InvoiceExpiredPaidPartial', { afterExpiration: true });
}

/** A payment arrives, at any time and of any size: nobody can refuse it. */
export function receive(scene: Scene, invoice: Invoice, sats: number, methodId: MethodId): Payment {
  const payment: Payment = { id: makeId(), methodId, sats, receivedDate: nowSeconds(), status: 'Processing' };
  invoice.payments.push(payment);
  const { status } = invoice;
  paymentEvent(scene, invoice, payment, 'InvoiceReceivedPayment');
  const paid = paidSats(invoice);
  if (status === 'New') {
    if (paid < invoice.dueSats) invoice.additionalStatus = 'PaidPartial';
    else {
      invoice.status = 'Processing';
      invoice.additionalStatus = paid > invoice.dueSats ? 'PaidOver' : 'None';
      emit(scene, invoice, 'InvoiceProcessing', { overPaid: invoice.additionalStatus === 'PaidOver' });
    }
  } else if (status === 'Processing' && paid > invoice.dueSats) invoice.additionalStatus = 'PaidOver';
  else if (status === 'Expired') {
    invoice.additionalStatus = paid < invoice.dueSats ? 'PaidPartial' : 'PaidLate';
    if (paid >= invoice.dueSats)
      emit(scene, invoice, 'InvoicePaidAfterExpiration', { afterExpiration: true });
  }
  save(scene, invoice);
  // Lightning is final at once.
  if (methodId === 'BTC-LN') confirm(scene, invoice, [payment]);
  return payment;
}

/** Blocks are found: these payments (all, unless named) are final. */
export function confirm(
  scene: Scene,
  invoice: Invoice,
  payments: readonly Payment[] = invoice.payments,
): void {
  for (const payment of payments.filter(({ status }) => status === 'Processing')) {
    payment.status = 'Settled';
    paymentEvent(scene, invoice, payment, 'InvoicePaymentSettled');
  }
  const settled = invoice.payments
    .filter(({ status }) => status === 'Settled')
    .reduce((sum, { sats }) => sum + sats, 0);
  if (invoice.status === 'Processing' && settled >= invoice.dueSats) {
    invoice.status = 'Settled';
    emit(scene, invoice, 'InvoiceSettled', {
      manuallyMarked: false,
      overPaid: invoice.additionalStatus === 'PaidOver',
    });
  }
  save(scene, invoice);
}

/** What was seen is double spent. */
export function dropPayments(scene: Scene, invoice: Invoice): void {
  for (const payment of invoice.payments) if (payment.status === 'Processing') payment.status = 'Invalid';
  if (invoice.status === 'Processing') {
    invoice.status = 'Invalid';
    invoice.additionalStatus = 'None';
    emit(scene, invoice, 'InvoiceInvalid', { manuallyMarked: false });
  }
  save(scene, invoice);
}

function paymentEvent(scene: Scene, invoice: Invoice, payment: Payment, type: string): void {
  emit(scene, invoice, type, {
    afterExpiration: invoice.status === 'Expired' || invoice.status === 'Invalid',
    paymentMethodId: payment.methodId,
    payment: renderPayment(payment),
  });
}

/** @throws GreenfieldApiError 422 when this invoice cannot be marked so */
export function mark(scene: Scene, invoice: Invoice, status: unknown): void {
  const canMark =
    status === 'Invalid' ? canMarkInvalid(invoice) : status === 'Settled' && invoice.status !== 'Settled';
  if (!canMark) {
    throw validation([
      'Status',
      'Status can only be marked to invalid or settled within certain conditions.',
    ]);
  }
  invoice.status = status === 'Invalid' ? 'Invalid' : 'Settled';
  invoice.additionalStatus = 'Marked';
  save(scene, invoice);
  emit(scene, invoice, `Invoice${invoice.status}`, { manuallyMarked: true });
}
