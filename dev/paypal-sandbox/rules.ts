/** The state machine of orders: what a payer, a merchant's call or the passing of time may do, and what is refused. */
import { failure, missing, refuse } from './errors';
import type { EventSender } from './events';
import {
  refundedOf,
  renderAuthorization,
  renderCapture,
  renderOrder,
  renderRefund,
  approvalAddress,
  withOrder,
} from './render';
import { makeId } from './state';
import type { State } from './state';
import type { Authorization, Capture, Order, Refund } from './types';

export interface Scene {
  readonly state: State;
  readonly events: EventSender;
  /** Where the sandbox is, for links. */
  readonly base: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** For the payer to approve, and then for the merchant to capture or authorize. */
const ORDER_LIFE_MS = 3 * HOUR_MS;
const AUTHORIZATION_LIFE_MS = 29 * DAY_MS;
const HONOR_MS = 3 * DAY_MS;
const MAX_ATTEMPTS = 10;

const save = ({ state }: Scene, order: Order) => state.saveOrder(order);

/** False once PayPal has forgotten it: nobody did the next step in time. */
export function isKnown({ state }: Scene, order: Order): boolean {
  return order.status === 'COMPLETED' || state.now() < (order.approvedMs ?? order.createdMs) + ORDER_LIFE_MS;
}

/** The payer approves on PayPal's page; `isMeansBad`: with a means that will be declined. */
export function approve(scene: Scene, order: Order, isMeansBad: boolean): void {
  if (!isKnown(scene, order)) throw missing();
  if (order.status !== 'CREATED' && order.status !== 'PAYER_ACTION_REQUIRED')
    throw refuse('ORDER_ALREADY_COMPLETED');
  order.status = 'APPROVED';
  order.approvedMs = scene.state.now();
  order.isMeansBad = isMeansBad;
  save(scene, order);
  scene.events.emit(
    order.client,
    'CHECKOUT.ORDER.APPROVED',
    'checkout-order',
    renderOrder(scene.base, order),
  );
}

function mustBeReady(scene: Scene, order: Order, intent: Order['intent']): void {
  if (order.intent !== intent) throw refuse('ACTION_DOES_NOT_MATCH_INTENT');
  if (order.status === 'COMPLETED') {
    throw refuse(intent === 'CAPTURE' ? 'ORDER_ALREADY_CAPTURED' : 'ORDER_ALREADY_AUTHORIZED');
  }
  if (order.status !== 'APPROVED') throw refuse('ORDER_NOT_APPROVED');
  order.attempts++;
  if (order.attempts > MAX_ATTEMPTS) throw refuse('MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED');
  if (!order.isMeansBad) return;
  // The payer goes back to the same page and takes another means.
  order.status = 'PAYER_ACTION_REQUIRED';
  save(scene, order);
  const href = approvalAddress(scene.base, order);
  throw refuse('INSTRUMENT_DECLINED', { links: [{ href, rel: 'redirect', method: 'GET' }] });
}

export function captureOrder(scene: Scene, order: Order): Capture {
  mustBeReady(scene, order, 'CAPTURE');
  mustBeNewInvoice(scene, order.client, order.invoiceId);
  order.status = 'COMPLETED';
  const capture = addCapture(scene, order, null, order.amount, order.invoiceId, true);
  scene.events.emit(
    order.client,
    'CHECKOUT.ORDER.COMPLETED',
    'checkout-order',
    renderOrder(scene.base, order),
  );
  return capture;
}

export function authorizeOrder(scene: Scene, order: Order): void {
  mustBeReady(scene, order, 'AUTHORIZE');
  order.status = 'COMPLETED';
  const expiresMs = scene.state.now() + AUTHORIZATION_LIFE_MS;
  addAuthorization(scene, order, order.amount, expiresMs, null);
}

function addAuthorization(
  scene: Scene,
  order: Order,
  amount: number,
  expiresMs: number,
  renews: string | null,
): Authorization {
  const now = scene.state.now();
  const made: Authorization = {
    id: makeId(),
    status: 'CREATED',
    amount,
    createdMs: now,
    updatedMs: now,
    expiresMs,
    renews,
  };
  order.authorizations.push(made);
  save(scene, order);
  emitAuthorization(scene, order, made, 'PAYMENT.AUTHORIZATION.CREATED');
  return made;
}

function emitAuthorization(scene: Scene, order: Order, one: Authorization, type: string): void {
  const resource = withOrder(order, renderAuthorization(scene.base, order, one));
  scene.events.emit(order.client, type, 'authorization', resource);
}

function mustBeNewInvoice({ state }: Scene, client: string, invoiceId: string | null): void {
  if (invoiceId === null || !state.config.blocksDuplicateInvoices) return;
  for (const order of state.orders.values()) {
    if (order.client !== client) continue;
    if (order.captures.some((capture) => capture.invoiceId === invoiceId))
      throw refuse('DUPLICATE_INVOICE_ID');
  }
}

function addCapture(
  scene: Scene,
  order: Order,
  authorization: string | null,
  amount: number,
  invoiceId: string | null,
  isFinal: boolean,
): Capture {
  const status = scene.state.config.pendingCaptures ? 'PENDING' : 'COMPLETED';
  const createdMs = scene.state.now();
  const capture: Capture = { id: makeId(), authorization, status, amount, invoiceId, isFinal, createdMs };
  order.captures.push(capture);
  save(scene, order);
  emitCapture(scene, order, capture);
  return capture;
}

function emitCapture(scene: Scene, order: Order, capture: Capture): void {
  const word = capture.status === 'DECLINED' ? 'DENIED' : capture.status;
  const resource = withOrder(order, renderCapture(scene.base, order, capture));
  scene.events.emit(order.client, `PAYMENT.CAPTURE.${word}`, 'capture', resource);
}

/** PayPal ends its review of a pending capture. */
export function settleCapture(scene: Scene, order: Order, capture: Capture, isGood: boolean): void {
  capture.status = isGood ? 'COMPLETED' : 'DECLINED';
  save(scene, order);
  emitCapture(scene, order, capture);
}

export interface CaptureInput {
  readonly amount: number | undefined;
  readonly currency: string | undefined;
  readonly invoiceId: string | null;
  readonly isFinal: boolean;
}

const capturedOf = (order: Order) =>
  order.captures
    .filter(({ status }) => status !== 'DECLINED')
    .reduce((total, { amount }) => total + amount, 0);

/** Authorizations end by themselves; PayPal then calls them voided. */
export function expire(scene: Scene, order: Order): void {
  for (const one of order.authorizations) {
    const isOver =
      scene.state.now() >= one.expiresMs && (one.status === 'CREATED' || one.status === 'PARTIALLY_CAPTURED');
    if (!isOver) continue;
    one.status = 'VOIDED';
    one.updatedMs = one.expiresMs;
    save(scene, order);
    emitAuthorization(scene, order, one, 'PAYMENT.AUTHORIZATION.VOIDED');
  }
}

export function captureAuthorization(
  scene: Scene,
  order: Order,
  one: Authorization,
  input: CaptureInput,
): Capture {
  if (one.status === 'VOIDED') {
    throw refuse(one.updatedMs >= one.expiresMs ? 'AUTHORIZATION_EXPIRED' : 'AUTHORIZATION_VOIDED');
  }
  if (one.status === 'CAPTURED') throw refuse('AUTHORIZATION_ALREADY_CAPTURED');
  // PayPal says that captures are made on the renewal, and promises nothing after the honor period: here neither works.
  if (order.authorizations.some(({ renews }) => renews === one.id)) throw refuse('AUTHORIZATION_VOIDED');
  const { multipleCaptures, reauthorizations } = scene.state.config;
  const mustRenew = reauthorizations === 'granted' || reauthorizations === 'declined';
  if (mustRenew && scene.state.now() >= one.createdMs + HONOR_MS) throw refuse('TRANSACTION_REFUSED');
  const mayRepeat = multipleCaptures.includes(order.client) || multipleCaptures.includes('*');
  if (order.captures.length > 0 && !mayRepeat) throw refuse('MAX_CAPTURE_COUNT_EXCEEDED');
  if (input.currency !== undefined && input.currency !== order.currency)
    throw refuse('AUTH_CAPTURE_CURRENCY_MISMATCH');
  const left = order.amount - capturedOf(order);
  const amount = input.amount ?? left;
  // As inside the PSD2 countries: nothing above what the payer has agreed to.
  if (amount > left) throw refuse('MAX_CAPTURE_AMOUNT_EXCEEDED');
  mustBeNewInvoice(scene, order.client, input.invoiceId);
  const isOver = input.isFinal || amount === left;
  for (const each of order.authorizations) each.status = isOver ? 'CAPTURED' : 'PARTIALLY_CAPTURED';
  one.updatedMs = scene.state.now();
  return addCapture(scene, order, one.id, amount, input.invoiceId, input.isFinal);
}

export function voidAuthorization(scene: Scene, order: Order, one: Authorization): void {
  if (one.renews !== null) throw refuse('CANNOT_BE_VOIDED');
  if (one.status === 'VOIDED') throw refuse('PREVIOUSLY_VOIDED');
  if (one.status === 'CAPTURED') throw refuse('PREVIOUSLY_CAPTURED');
  for (const each of order.authorizations) {
    each.status = 'VOIDED';
    each.updatedMs = scene.state.now();
  }
  save(scene, order);
  emitAuthorization(scene, order, one, 'PAYMENT.AUTHORIZATION.VOIDED');
}

export function reauthorize(scene: Scene, order: Order, one: Authorization, amount: number): Authorization {
  if (one.renews !== null) throw refuse('REAUTHORIZATION_NOT_SUPPORTED');
  if (one.status === 'VOIDED') throw refuse('AUTHORIZATION_VOIDED');
  if (one.status === 'CAPTURED') throw refuse('AUTHORIZATION_ALREADY_CAPTURED');
  const isSecond = order.authorizations.some(({ renews }) => renews === one.id);
  const { reauthorizations } = scene.state.config;
  if (reauthorizations === 'forbidden') throw failure(403, 'PERMISSION_DENIED');
  if (isSecond || scene.state.now() < one.createdMs + HONOR_MS) throw refuse('REAUTHORIZATION_TOO_SOON');
  if (amount > order.amount - capturedOf(order)) throw refuse('AUTHORIZATION_AMOUNT_EXCEEDED');
  if (reauthorizations === 'declined') throw refuse('REAUTHORIZATION_DECLINED_BY_PROCESSOR');
  if (reauthorizations === 'unsupported') throw refuse('REAUTHORIZATION_NOT_SUPPORTED_FOR_PAYMENT_SOURCE');
  // A new honor period, and the same last day.
  return addAuthorization(scene, order, amount, one.expiresMs, one.id);
}

export interface RefundInput {
  readonly amount: number | undefined;
  readonly currency: string | undefined;
  readonly customId: string | null;
  readonly invoiceId: string | null;
  readonly note: string | null;
}

export function refundCapture(scene: Scene, order: Order, capture: Capture, input: RefundInput): Refund {
  if (capture.status === 'PENDING') throw refuse('PENDING_CAPTURE');
  if (capture.status === 'DECLINED') throw refuse('REFUND_NOT_ALLOWED');
  if (input.currency !== undefined && input.currency !== order.currency)
    throw refuse('REFUND_CAPTURE_CURRENCY_MISMATCH');
  const left = capture.amount - refundedOf(order, capture);
  if (left === 0) throw refuse('CAPTURE_FULLY_REFUNDED');
  const amount = input.amount ?? left;
  if (amount > left) throw refuse('REFUND_AMOUNT_EXCEEDED');
  const isDisputed = [...scene.state.disputes.values()].some(
    (one) => one.capture === capture.id && one.outcome === null,
  );
  if (isDisputed && amount < capture.amount) throw refuse('TRANSACTION_DISPUTED');
  const isUsed = [...scene.state.orders.values()].some(
    ({ client, refunds }) =>
      client === order.client &&
      refunds.some(({ invoiceId }) => invoiceId !== null && invoiceId === input.invoiceId),
  );
  if (isUsed) throw refuse('DUPLICATE_INVOICE_ID');
  const refund: Refund = {
    id: makeId(),
    capture: capture.id,
    status: scene.state.config.pendingRefunds ? 'PENDING' : 'COMPLETED',
    amount,
    customId: input.customId,
    invoiceId: input.invoiceId,
    note: input.note,
    createdMs: scene.state.now(),
  };
  order.refunds.push(refund);
  save(scene, order);
  emitRefund(scene, order, refund);
  return refund;
}

function emitRefund(scene: Scene, order: Order, refund: Refund): void {
  const type = refund.status === 'COMPLETED' ? 'PAYMENT.CAPTURE.REFUNDED' : `PAYMENT.REFUND.${refund.status}`;
  scene.events.emit(order.client, type, 'refund', renderRefund(scene.base, order, refund));
}

/** The bank ends a pending refund. */
export function settleRefund(scene: Scene, order: Order, refund: Refund, isGood: boolean): void {
  refund.status = isGood ? 'COMPLETED' : 'FAILED';
  save(scene, order);
  emitRefund(scene, order, refund);
}
