/**
 * Holds at PayPal: orders with intent AUTHORIZE. The number of a hold is the number of its order and stays it; which
 * authorization is current (a reauthorization has a new id) is read from the order.
 */
import { ChannelFault } from '../../domain/channel';
import type {
  CallIdentity,
  CancelPreAuthRequest,
  CapturePreAuthRequest,
  CreatePreAuthRequest,
  Decline,
  HoldAnswer,
  HoldSnapshot,
} from '../../domain/channel';
import { toPayPalAmount } from './amounts';
import { findOrder, isDecline, orderFor, mustMatch, notExpressible, refused, send } from './calls';
import type { Scene } from './calls';
import { captureInvoiceId } from './identity';
import { toHoldAnswer, toHoldSnapshot } from './mapping';
import { completeOrder, createOrder, markCancelled } from './orders';
import { authorizationsOf, capturesOf, unitOf, withAuthorization, withCapture } from './order';
import { readAuthorization, readCapture } from './wire';
import type { PayPalOrder } from './wire';

const authorizationPath = (id: string, action: 'capture' | 'void' | 'reauthorize') =>
  `/v2/payments/authorizations/${encodeURIComponent(id)}/${action}`;

export async function createPreAuth(scene: Scene, request: CreatePreAuthRequest, call: CallIdentity) {
  const created = await createOrder(scene, 'AUTHORIZE', request, call);
  if (isDecline(created)) return { answer: created, customer: {} };
  return { answer: toHoldAnswer(toHoldSnapshot(created.order)), customer: created.customer };
}

export async function queryPreAuth(scene: Scene, id: string): Promise<HoldSnapshot | undefined> {
  const order = await findOrder(scene, id);
  return order === undefined ? undefined : toHoldSnapshot(order);
}

/** Authorizes an order that the payer has approved: from then on money is held. */
export async function completePreAuth(scene: Scene, id: string, call: CallIdentity): Promise<HoldAnswer> {
  const order = await orderFor(scene, id);
  if (isDecline(order)) return order;
  const before = toHoldSnapshot(order);
  if (authorizationsOf(order).length > 0) return toHoldAnswer(before);
  if (before.status !== 'requires_confirmation' && before.status !== 'unknown') {
    return refused(
      'invalid_state',
      before.status === 'requires_action' ? 'ORDER_NOT_APPROVED' : before.status,
    );
  }
  const done = await completeOrder(scene, order, 'authorize', call);
  return isDecline(done) ? done : toHoldAnswer(toHoldSnapshot(done));
}

export async function capturePreAuth(
  scene: Scene,
  request: CapturePreAuthRequest,
  call: CallIdentity,
): Promise<HoldAnswer> {
  const amount = toPayPalAmount(request);
  if ('refusal' in amount) return notExpressible(request);
  const order = await orderFor(scene, request.channelPreAuthNo);
  if (isDecline(order)) return order;
  const invoice = captureInvoiceId(call);
  // Executed already, perhaps on an authorization that a reauthorization has replaced since: never ask again.
  const known = capturesOf(order).find((capture) => capture.invoice_id === invoice);
  const current = authorizationsOf(order).at(-1);
  if (known === undefined && current === undefined) return refused('invalid_state', 'ORDER_NOT_AUTHORIZED');
  const capture =
    known ??
    (await send(scene, {
      method: 'POST',
      path: authorizationPath(current?.id ?? '', 'capture'),
      body: { amount: amount.amount, invoice_id: invoice, final_capture: request.final },
      identity: call,
      read: readCapture,
    }));
  if (isDecline(capture)) return capture;
  mustMatch(request, capture.invoice_id === invoice, capture.amount);
  if (capture.status === 'DECLINED' || capture.status === 'FAILED') {
    return refused('card_declined', capture.status_details?.reason ?? capture.status);
  }
  return toHoldAnswer(toHoldSnapshot(withCapture(order, capture)));
}

/** Voids the original authorization (a reauthorization cannot be voided); before there is one, marks the order. */
export async function cancelPreAuth(
  scene: Scene,
  { channelPreAuthNo: id }: CancelPreAuthRequest,
  call: CallIdentity,
): Promise<HoldAnswer> {
  const order = await orderFor(scene, id);
  if (isDecline(order)) return order;
  const before = toHoldSnapshot(order);
  if (before.status === 'canceled') return released(before);
  const [original] = authorizationsOf(order);
  if (original === undefined) {
    const after = toHoldSnapshot(await markCancelled(scene, order));
    return after.status === 'canceled'
      ? released(after)
      : refused('invalid_state', 'ORDER_ALREADY_AUTHORIZED');
  }
  const answer = await send(scene, {
    method: 'POST',
    path: authorizationPath(original.id, 'void'),
    identity: call,
    // 204 without a body is PayPal's short form of the same.
    read: (body) => (body === undefined ? { ...original, status: 'VOIDED' } : readAuthorization(body)),
  });
  if (isDecline(answer)) return voidRefused(scene, id, answer);
  if (answer.id !== original.id) throw new ChannelFault('maybe_executed', 'answer_of_another_request');
  return released(toHoldSnapshot(withAuthorization(order, answer)));
}

/** "Voided before" is what was asked for, whoever did it. */
async function voidRefused(scene: Scene, id: string, decline: Decline): Promise<HoldAnswer> {
  if (decline.providerCode !== 'PREVIOUSLY_VOIDED') return decline;
  const now = await queryPreAuth(scene, id);
  return now?.status === 'canceled' ? released(now) : decline;
}

function released(snapshot: HoldSnapshot): HoldAnswer {
  const isOurs = snapshot.status === 'canceled' && snapshot.releaseCause !== 'deadline';
  return toHoldAnswer(isOurs ? { ...snapshot, releaseCause: 'requested' } : snapshot);
}

/**
 * Renews the days in which PayPal honors the hold: a new authorization for what is left, allowed once, from day 4 to day
 * 29; earlier PayPal refuses with REAUTHORIZATION_TOO_SOON, which is an `invalid_state` and harms nothing.
 */
export async function extendPreAuth(scene: Scene, id: string, call: CallIdentity): Promise<HoldAnswer> {
  const order = await orderFor(scene, id);
  if (isDecline(order)) return order;
  const before = toHoldSnapshot(order);
  const [original] = authorizationsOf(order);
  if (original === undefined || before.status !== 'requires_capture') {
    return refused('invalid_state', 'ORDER_NOT_AUTHORIZED');
  }
  const asked = { amount: before.amountCapturable, currency: before.currency };
  const amount = toPayPalAmount(asked);
  if ('refusal' in amount) return notExpressible(asked);
  const renewed = await send(scene, {
    method: 'POST',
    path: authorizationPath(original.id, 'reauthorize'),
    body: { amount: amount.amount },
    identity: call,
    read: readAuthorization,
  });
  if (isDecline(renewed)) return renewed;
  mustMatch(asked, isNewHere(order, renewed.id) || isCurrent(order, renewed.id), renewed.amount);
  return toHoldAnswer(toHoldSnapshot(withAuthorization(order, renewed)));
}

const isNewHere = (order: PayPalOrder, id: string) =>
  unitOf(order).payments?.authorizations?.every((known) => known.id !== id) === true;
const isCurrent = (order: PayPalOrder, id: string) => authorizationsOf(order).at(-1)?.id === id;
