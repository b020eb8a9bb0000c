/**
 * Invoices: one invoice is one payment.
 *
 * BTCPay knows no idempotency keys, so a create first looks for an invoice with its orderId, which derives from the
 * call's identity, and creates only when there is none. That is safe to repeat as long as no two creators of one call
 * run at once. Our open call row and serialised attempts exclude them, but for one case: an attempt that was given up at
 * its exchange's time-out may still be at work inside BTCPay when the next one looks and finds nothing. So after creating
 * the look-up is made again, and if there are two the earliest stays and the others are marked invalid. What is left is
 * a given-up attempt whose invoice appears after that second look: it began before its time-out, which comes before the
 * repeat, so BTCPay must have held it longer than the repeat took. Nobody was ever given that invoice's link, it takes
 * no money, and it expires at the payment's own time.
 */
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, CustomerStep, Decline, Exchange } from '../../domain/channel';
import type { CreatePaymentRequest, PaymentAnswer, PaymentSnapshot } from '../../domain/channel-payment';
import { parseDecimal, toCryptoAmount, toMinorUnits, ZERO } from './amounts';
import type { GreenfieldClient, Send } from './client';
import { afterMoney, attempt, beforeMoney, isDecline, read } from './errors';
import { orderIdOf } from './identity';
import { arrivedOf, decline, mapStatus, toAnswer, toCustomerStep, toSnapshot } from './mapping';
import { readRefunds } from './refunds';
import type { CreateInvoiceBody, Store } from './store';
import type { Invoice, PaymentMethods } from './wire';

type Made = { answer: PaymentAnswer; customer: CustomerStep };

export async function createPayment(
  client: GreenfieldClient,
  store: Store,
  request: CreatePaymentRequest,
  call: CallIdentity,
  exchange: Exchange,
): Promise<Made> {
  const amount = toCryptoAmount(request);
  if ('refusal' in amount) {
    const isCurrency = amount.refusal.code === 'CURRENCY_NOT_SUPPORTED';
    return refused(decline(isCurrency ? 'invalid_currency' : 'invalid_amount', 'not-expressible'));
  }
  const send = client.begin(exchange);
  const known = await beforeMoney(() => lookUp(store, send, call));
  if (isDecline(known)) return refused(known);
  const [earliest] = known;
  if (earliest !== undefined) {
    checkSame(earliest, request);
    return afterMoney(async () => {
      await keepEarliest(store, send, known);
      return toMade(store, send, earliest);
    });
  }
  const created = await attempt(() => store.createInvoice(send, toBody(amount.amount, request, call)));
  if (isDecline(created)) return refused(created);
  return secondLook(store, send, call, created);
}

function refused(answer: Decline): Made {
  return { answer, customer: {} };
}

function toBody(amount: string, request: CreatePaymentRequest, call: CallIdentity): CreateInvoiceBody {
  const leftSeconds = request.expiresAtUnixSeconds - Date.now() / 1000;
  return {
    amount,
    currency: request.currency,
    metadata: {
      orderId: orderIdOf(call),
      holdfast_id: call.holdfastId,
      holdfast_call: call.holdfastCall,
      payment_no: request.paymentNo,
      order_no: request.orderNo,
      ...(request.customerEmail === undefined ? {} : { buyerEmail: request.customerEmail }),
      ...(request.description === undefined ? {} : { itemDesc: request.description }),
    },
    checkout: {
      // Whole minutes, at least one. Rounded up: the payment's own expiry closes the invoice in time.
      expirationMinutes: Math.max(Math.ceil(leftSeconds / 60), 1),
      // Whatever the store tolerates: less than asked for is a partial payment, which the merchant is told.
      paymentTolerance: 0,
      ...(request.returnUrl === undefined ? {} : { redirectURL: request.returnUrl }),
    },
  };
}

/** Our invoices under this identity, the earliest first. */
async function lookUp(store: Store, send: Send, call: CallIdentity): Promise<readonly Invoice[]> {
  const orderId = orderIdOf(call);
  const invoices = await store.listInvoices(send, orderId);
  // An unknown filter would be passed over by the server, and then everything would look like ours.
  const ours = invoices.filter(({ metadata }) => metadata?.['orderId'] === orderId);
  return [...ours].sort((a, b) => a.createdTime - b.createdTime || (a.id < b.id ? -1 : 1));
}

/** The earliest is the payment; the others are closed where nothing was paid. What was paid stays, to be found. */
async function keepEarliest(
  store: Store,
  send: Send,
  invoices: readonly Invoice[],
): Promise<Invoice | undefined> {
  const [earliest, ...others] = invoices;
  for (const other of others) {
    if (other.status === 'New' && (other.additionalStatus ?? 'None') === 'None') {
      // A refusal means that its state has moved on meanwhile; it is not the payment in any case.
      await attempt(() => store.markInvalid(send, other.id));
    }
  }
  return earliest;
}

function checkSame(invoice: Invoice, request: CreatePaymentRequest): void {
  const currency = invoice.currency.toUpperCase();
  const amount = toMinorUnits(parseDecimal(invoice.amount) ?? ZERO, currency, 'exact');
  if (currency === request.currency && amount === request.amount) return;
  throw new ChannelFault('maybe_executed', 'identity_reused');
}

/** The invoice exists, whatever becomes of this look: a fault here must not lose the answer. */
async function secondLook(store: Store, send: Send, call: CallIdentity, created: Invoice): Promise<Made> {
  const fresh: Made = { answer: toAnswer(toSnapshot(created, [], [])), customer: toCustomerStep(created) };
  try {
    const invoices = await lookUp(store, send, call);
    const earliest = await keepEarliest(store, send, invoices);
    return earliest === undefined || earliest.id === created.id ? fresh : await toMade(store, send, earliest);
  } catch {
    return fresh;
  }
}

async function toMade(store: Store, send: Send, invoice: Invoice): Promise<Made> {
  const { snapshot } = await readState(store, send, invoice);
  return { answer: toAnswer(snapshot), customer: toCustomerStep(invoice) };
}

interface State {
  readonly snapshot: PaymentSnapshot;
  readonly methods: PaymentMethods;
}

/** The payment with what arrived and, where something did, what was given back. */
async function readState(store: Store, send: Send, invoice: Invoice): Promise<State> {
  const methods = await store.getPaymentMethods(send, invoice.id);
  const snapshot = toSnapshot(invoice, methods, []);
  if (snapshot.amountPaid === 0) return { snapshot, methods };
  const { channelPaymentNo: invoiceId, currency, amountPaid: ceiling } = snapshot;
  const refunds = await readRefunds(store, send, { invoiceId, currency, ceiling, methods });
  return { snapshot: toSnapshot(invoice, methods, refunds), methods };
}

export async function queryPayment(
  client: GreenfieldClient,
  store: Store,
  invoiceId: string,
  exchange: Exchange,
): Promise<PaymentSnapshot | undefined> {
  const send = client.begin(exchange);
  const state = await read(async () => readState(store, send, await store.getInvoice(send, invoiceId)));
  return state?.snapshot;
}

/** The orderId is exact and the list consistent: the times of creation need not be looked at. */
export async function findPayments(
  client: GreenfieldClient,
  store: Store,
  call: CallIdentity,
  exchange: Exchange,
): Promise<readonly { snapshot: PaymentSnapshot; customer: CustomerStep }[]> {
  const send = client.begin(exchange);
  const found = await read(async () => {
    const invoices = await lookUp(store, send, call);
    const states = invoices.map(async (invoice) => ({
      snapshot: (await readState(store, send, invoice)).snapshot,
      customer: toCustomerStep(invoice),
    }));
    return Promise.all(states);
  });
  // A duplicate that was closed unpaid never was the payment.
  return (found ?? []).filter(
    ({ snapshot }, at) => at === 0 || snapshot.status !== 'canceled' || snapshot.amountPaid > 0,
  );
}

/**
 * Marks an open invoice invalid, if nothing was seen on it. BTCPay would also mark one that is being paid, so it is read
 * first; a payment that comes in between is seen by the read afterwards, as money on a closed invoice.
 */
export async function cancelPayment(
  client: GreenfieldClient,
  store: Store,
  invoiceId: string,
  exchange: Exchange,
): Promise<PaymentAnswer> {
  const send = client.begin(exchange);
  const before = await beforeMoney(async () => {
    const invoice = await store.getInvoice(send, invoiceId);
    return judgeCancel(invoice, await readState(store, send, invoice));
  });
  if (before.kind !== 'open') return before;
  const marked = await attempt(() => store.markInvalid(send, invoiceId));
  if (isDecline(marked) && marked.code !== 'invalid_state') return marked;
  const after = await afterMoney(async () => {
    const invoice = isDecline(marked) ? await store.getInvoice(send, invoiceId) : marked;
    return judgeCancel(invoice, await readState(store, send, invoice));
  });
  return after.kind === 'open' ? decline('invalid_state', `invoice-${before.kind}`) : after;
}

function judgeCancel(
  invoice: Invoice,
  { snapshot, methods }: State,
): PaymentAnswer | { readonly kind: 'open' } {
  const { status } = mapStatus(invoice.status, invoice.additionalStatus);
  if (status === 'canceled' || status === 'failed') return toAnswer(snapshot);
  const isUntouched = status === 'requires_action' && !arrivedOf(methods, snapshot.currency).isTouched;
  return isUntouched ? { kind: 'open' } : decline('invalid_state', `invoice-${invoice.status.slice(0, 40)}`);
}
