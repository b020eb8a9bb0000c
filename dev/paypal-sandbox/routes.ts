/** The calls of the API: what each makes or shows. */
import { failure, missing } from './errors';
import { readAmount } from './money';
import {
  renderAuthorization,
  renderCapture,
  renderDispute,
  renderDisputeDetails,
  renderOrder,
  renderRefund,
  withOrder,
} from './render';
import { CAPTURE, NOTHING, ORDER, PATCH, read, REAUTHORIZE, REFUND } from './requests';
import {
  authorizeOrder,
  captureAuthorization,
  captureOrder,
  expire,
  isKnown,
  reauthorize,
  refundCapture,
  voidAuthorization,
} from './rules';
import type { Scene } from './rules';
import { makeId } from './state';
import type { JsonObject, KeyRecord, Order } from './types';

export interface Ask {
  readonly scene: Scene;
  readonly client: string;
  readonly id: string;
  readonly body: unknown;
  readonly query: URLSearchParams;
  readonly hasRequestId: boolean;
}

/** What a POST has made: answered, and answered again to a repeat, as it is at that time. */
export type Made = Pick<KeyRecord, 'thing' | 'id'>;

type Shown = { readonly show: JsonObject };
/** 204, no body. */
type Silent = { readonly silent: true };

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: RegExp;
  readonly operation: string;
  /** How long a request id of this call is kept. */
  readonly keptMs: number;
  readonly handle: (ask: Ask) => Made | Shown | Silent;
}

const HOUR_MS = 3_600_000;
const ORDERS_KEPT_MS = 6 * HOUR_MS;
const PAYMENTS_KEPT_MS = 45 * 24 * HOUR_MS;

const route = (
  method: Route['method'],
  path: RegExp,
  operation: string,
  keptMs: number,
  handle: Route['handle'],
): Route => ({ method, path, operation, keptMs, handle });

const ORDERS = '^/v2/checkout/orders';
const PAYMENTS = '^/v2/payments';
const at = (text: string) => new RegExp(`${text}$`);

export const ROUTES: readonly Route[] = [
  route('POST', at(ORDERS), 'create_order', ORDERS_KEPT_MS, createOrder),
  route('GET', at(`${ORDERS}/(\\w+)`), 'get_order', 0, (ask) => ({ show: show(ask.scene, { thing: 'order', id: orderOf(ask).id }) })),
  route('PATCH', at(`${ORDERS}/(\\w+)`), 'patch_order', 0, patchOrder),
  route('POST', at(`${ORDERS}/(\\w+)/capture`), 'capture_order', ORDERS_KEPT_MS, (ask) => {
    const order = orderOf(ask);
    read(NOTHING, ask.body);
    captureOrder(ask.scene, order);
    return { thing: 'order', id: order.id };
  }),
  route('POST', at(`${ORDERS}/(\\w+)/authorize`), 'authorize_order', ORDERS_KEPT_MS, (ask) => {
    const order = orderOf(ask);
    read(NOTHING, ask.body);
    authorizeOrder(ask.scene, order);
    return { thing: 'order', id: order.id };
  }),
  route('GET', at(`${PAYMENTS}/authorizations/(\\w+)`), 'get_authorization', 0, (ask) => ({ show: show(ask.scene, { thing: 'authorization', id: authorizationOf(ask).thing.id }) })),
  route('POST', at(`${PAYMENTS}/authorizations/(\\w+)/capture`), 'capture_authorization', PAYMENTS_KEPT_MS, capture),
  route('POST', at(`${PAYMENTS}/authorizations/(\\w+)/void`), 'void_authorization', PAYMENTS_KEPT_MS, (ask) => {
    const { order, thing } = authorizationOf(ask);
    voidAuthorization(ask.scene, order, thing);
    return { thing: 'authorization', id: thing.id };
  }),
  route('POST', at(`${PAYMENTS}/authorizations/(\\w+)/reauthorize`), 'reauthorize', PAYMENTS_KEPT_MS, renew),
  route('GET', at(`${PAYMENTS}/captures/(\\w+)`), 'get_capture', 0, (ask) => ({ show: show(ask.scene, { thing: 'capture', id: owned(ask, ask.scene.state.findCapture(ask.id)).thing.id }) })),
  route('POST', at(`${PAYMENTS}/captures/(\\w+)/refund`), 'refund_capture', PAYMENTS_KEPT_MS, refund),
  route('GET', at(`${PAYMENTS}/refunds/(\\w+)`), 'get_refund', 0, (ask) => ({ show: show(ask.scene, { thing: 'refund', id: owned(ask, ask.scene.state.findRefund(ask.id)).thing.id }) })),
  route('GET', at('^/v1/customer/disputes'), 'list_disputes', 0, listDisputes),
  route('GET', at('^/v1/customer/disputes/([\\w-]+)'), 'get_dispute', 0, getDispute),
]; // prettier-ignore

export const OPERATIONS: readonly string[] = ['token', ...ROUTES.map(({ operation }) => operation)];

/** A thing as it is now. @throws PayPalError when it is gone */
export function show(scene: Scene, { thing, id }: Made): JsonObject {
  const { state, base } = scene;
  if (thing === 'order') {
    const order = state.orders.get(id);
    if (order === undefined || !isKnown(scene, order)) throw missing();
    return renderOrder(base, order);
  }
  if (thing === 'capture') {
    const found = state.findCapture(id);
    if (found !== undefined) return withOrder(found.order, renderCapture(base, found.order, found.thing));
  } else if (thing === 'refund') {
    const found = state.findRefund(id);
    if (found !== undefined) return renderRefund(base, found.order, found.thing);
  } else {
    const found = state.findAuthorization(id);
    if (found !== undefined)
      return withOrder(found.order, renderAuthorization(base, found.order, found.thing));
  }
  throw missing();
}

function orderOf({ scene, client, id }: Ask): Order {
  const order = scene.state.orders.get(id);
  if (order === undefined || order.client !== client || !isKnown(scene, order)) throw missing();
  expire(scene, order);
  return order;
}

function owned<T>(
  { scene, client }: Ask,
  found: { order: Order; thing: T } | undefined,
): { order: Order; thing: T } {
  if (found === undefined || found.order.client !== client) throw missing();
  expire(scene, found.order);
  return found;
}

const authorizationOf = (ask: Ask) => owned(ask, ask.scene.state.findAuthorization(ask.id));

function createOrder({ scene, client, body, hasRequestId }: Ask): Made {
  const input = read(ORDER, body);
  const [unit] = input.purchase_units;
  if (unit === undefined) throw failure(400, 'INVALID_PARAMETER_SYNTAX', {}, '/purchase_units');
  const amount = readAmount(unit.amount);
  if (input.payment_source !== undefined && !hasRequestId) throw failure(400, 'PAYPAL_REQUEST_ID_REQUIRED');
  const source = input.payment_source?.paypal;
  const order: Order = {
    id: makeId(),
    client,
    intent: input.intent,
    status: source === undefined ? 'CREATED' : 'PAYER_ACTION_REQUIRED',
    currency: unit.amount.currency_code,
    amount,
    customId: unit.custom_id ?? null,
    invoiceId: unit.invoice_id ?? null,
    description: unit.description ?? null,
    email: source?.email_address ?? null,
    returnUrl: source?.experience_context?.return_url ?? null,
    cancelUrl: source?.experience_context?.cancel_url ?? null,
    hasSource: source !== undefined,
    createdMs: scene.state.now(),
    approvedMs: null,
    isMeansBad: false,
    attempts: 0,
    authorizations: [],
    captures: [],
    refunds: [],
  };
  scene.state.saveOrder(order);
  return { thing: 'order', id: order.id };
}

function patchOrder(ask: Ask): Silent {
  const order = orderOf(ask);
  const changes = read(PATCH, ask.body);
  if (order.status === 'COMPLETED') throw failure(422, 'ORDER_ALREADY_COMPLETED');
  for (const { value } of changes) order.customId = value;
  ask.scene.state.saveOrder(order);
  return { silent: true };
}

function capture(ask: Ask): Made {
  const { order, thing } = authorizationOf(ask);
  const input = read(CAPTURE, ask.body);
  const made = captureAuthorization(ask.scene, order, thing, {
    amount: input.amount === undefined ? undefined : readAmount(input.amount),
    currency: input.amount?.currency_code,
    invoiceId: input.invoice_id ?? null,
    isFinal: input.final_capture ?? false,
  });
  return { thing: 'capture', id: made.id };
}

function renew(ask: Ask): Made {
  const { order, thing } = authorizationOf(ask);
  const { amount } = read(REAUTHORIZE, ask.body);
  if (amount.currency_code !== order.currency) throw failure(422, 'AUTH_CURRENCY_MISMATCH');
  return { thing: 'authorization', id: reauthorize(ask.scene, order, thing, readAmount(amount)).id };
}

function refund(ask: Ask): Made {
  const { order, thing } = owned(ask, ask.scene.state.findCapture(ask.id));
  const input = read(REFUND, ask.body);
  const made = refundCapture(ask.scene, order, thing, {
    amount: input.amount === undefined ? undefined : readAmount(input.amount),
    currency: input.amount?.currency_code,
    customId: input.custom_id ?? null,
    invoiceId: input.invoice_id ?? null,
    note: input.note_to_payer ?? null,
  });
  return { thing: 'refund', id: made.id };
}

function listDisputes({ scene, client, query }: Ask): Shown {
  const transaction = query.get('disputed_transaction_id');
  const items = [...scene.state.disputes.values()]
    .filter(
      (dispute) => dispute.client === client && (transaction === null || dispute.capture === transaction),
    )
    .map((dispute) => renderDispute(scene.base, dispute));
  return { show: { items, links: [] } };
}

function getDispute({ scene, client, id }: Ask): Shown {
  const dispute = scene.state.disputes.get(id);
  if (dispute === undefined || dispute.client !== client) throw missing();
  return { show: renderDisputeDetails(scene.base, dispute) };
}
