/**
 * Holds at PayPal: orders with intent AUTHORIZE. The number of a hold is the number of its order and stays it; which
 * authorization is current (a reauthorization has a new id) is read from the order. When and why one is renewed:
 * docs/decisions/0008-paypal-reauthorize.md.
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
import { findOrder, isDecline, mustMatch, notExpressible, orderFor, orderPath, refused, send } from './calls';
import type { Scene } from './calls';
import { captureInvoiceId, renewalOf } from './identity';
import { toHoldAnswer, toHoldSnapshot } from './mapping';
import { completeOrder, createOrder, markCancelled } from './orders';
import { authorizationsOf, capturesOf, currentAuthorization, withAuthorization, withCapture } from './order';
import { readAuthorization, readCapture, readOrder } from './wire';
import type { PayPalAuthorization, PayPalOrder } from './wire';

/** PayPal keeps the money for an authorization so long; after that it may refuse a capture, until day 29. */
const HONOR_MS = 3 * 24 * 3_600_000;

/** What is refused for the payer's sake. Every other decline of a renewal says nothing against the capture itself. */
const PAYER_REFUSED: ReadonlySet<Decline['code']> = new Set([
  'card_declined',
  'insufficient_funds',
  'expired_card',
  'authentication_required',
  'fraud_suspected',
]);

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

/** Captures the current authorization, and renews it before that when PayPal does not honor it any more. */
export async function capturePreAuth(
  scene: Scene,
  request: CapturePreAuthRequest,
  call: CallIdentity,
): Promise<HoldAnswer> {
  const amount = toPayPalAmount(request);
  if ('refusal' in amount) return notExpressible(request);
  const path = orderPath(request.channelPreAuthNo);
  const found = await send(scene, { path, read: (body, atMs) => ({ order: readOrder(body), atMs }) });
  if (isDecline(found)) return found;
  const invoice = captureInvoiceId(call);
  // Executed already, perhaps on an authorization that a reauthorization has replaced since: never ask again.
  const known = capturesOf(found.order).find((capture) => capture.invoice_id === invoice);
  const order = known === undefined ? await honored(scene, found.order, found.atMs, call) : found.order;
  if (isDecline(order)) return order;
  const current = currentAuthorization(order);
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

/**
 * The order with an authorization that PayPal honors. What is not renewed for another reason than the payer (not yet, not
 * again, not for this account, a reason we do not know) is captured as it is: the capture's own answer counts then, under its
 * own key. A renewal that is declined is a declined capture, `ofPreparation`: an earlier send of the capture may have worked.
 * No renewal moves money, so a fault here leaves a capture that was not sent this time; asked again, the order shows the
 * renewal, or PayPal answers it again under its key.
 * @throws ChannelFault
 */
async function honored(
  scene: Scene,
  order: PayPalOrder,
  nowMs: number,
  capture: CallIdentity,
): Promise<PayPalOrder | Decline> {
  const { status, amountCapturable, currency } = toHoldSnapshot(order);
  const [original] = authorizationsOf(order);
  const current = currentAuthorization(order);
  const endMs = Date.parse(current?.create_time ?? '') + HONOR_MS;
  const isDue = status === 'requires_capture' && nowMs >= endMs;
  if (original === undefined || !isDue) return order;
  // All that is left: a renewal is granted once, and a capture that is declined may be followed by a larger one.
  const left = { amount: amountCapturable, currency };
  const amount = toPayPalAmount(left);
  if ('refusal' in amount) return order;
  const renewed = await send(scene, {
    method: 'POST',
    path: authorizationPath(original.id, 'reauthorize'),
    body: { amount: amount.amount },
    identity: renewalOf(capture),
    read: readAuthorization,
  });
  if (isDecline(renewed))
    return PAYER_REFUSED.has(renewed.code) ? { ...renewed, ofPreparation: true } : order;
  // Answered again under its key it is the current one already; any other that we know is not what was asked for.
  const isFit = ({ id }: PayPalAuthorization) => id !== renewed.id || id === current?.id;
  mustMatch(left, authorizationsOf(order).every(isFit), renewed.amount);
  return renewed.status === 'DENIED'
    ? { ...refused('card_declined', 'REAUTHORIZATION_DENIED'), ofPreparation: true }
    : withAuthorization(order, renewed);
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
