/** `/_control/*` and `/_books`: what a test or the demo may do that no merchant can. JSON in, JSON out, no authentication. */
import { randomBytes } from 'node:crypto';
import { answerRoute, ok, switchRoutes } from '../sandbox/control';
import type { Route } from '../sandbox/control';
import type { Reply } from '../sandbox/http';
import type { Parts } from './api';
import { readBooks } from './books';
import { missing } from './errors';
import { renderDisputeDetails, renderOrder } from './render';
import { approve, refundCapture, settleCapture, settleRefund, voidAuthorization } from './rules';
import { makeId } from './state';
import { REAUTHORIZATIONS } from './types';
import type { Capture, Config, Dispute, JsonObject, Order } from './types';

interface Asking {
  readonly parts: Parts;
  readonly query: URLSearchParams;
  readonly input: JsonObject;
}

type ControlRequest = Asking & { readonly id: string };
type Handler = (request: ControlRequest) => Reply;

const wrong = (message: string): Reply => ({ status: 400, body: { message } });
const switchesOf = ({ parts }: Asking) => ({ faults: parts.faults, deliveries: parts.events.deliveries });

const ROUTES: readonly Route<Asking>[] = [
  ...switchRoutes('_control', switchesOf, wrong),
  ['GET', /^\/_books$/, ({ parts, query }) => ok(readBooks(parts.state, query.get('holdfast_id') ?? undefined))],
  ['POST', /^\/_control\/reset$/, reset],
  ['GET', /^\/_control\/config$/, ({ parts }) => ok(parts.state.config)],
  ['POST', /^\/_control\/config$/, configure],
  ['POST', /^\/_control\/webhook-endpoint$/, addEndpoint],
  ['DELETE', /^\/_control\/webhook-endpoint$/, removeEndpoint],
  ['POST', /^\/_control\/revoke-tokens$/, revokeTokens],
  ['POST', /^\/_control\/orders\/(\w+)\/approve$/, onOrder((parts, order, input) => approve(parts, order, input['means'] === 'declined'))],
  ['POST', /^\/_control\/orders\/(\w+)\/void-by-dashboard$/, onOrder(voidByDashboard)],
  ['POST', /^\/_control\/captures\/(\w+)\/settle$/, onCapture((parts, order, capture, input) => settleCapture(parts, order, capture, input['succeed'] !== false))],
  ['POST', /^\/_control\/captures\/(\w+)\/refund-by-dashboard$/, onCapture(refundByDashboard)],
  ['POST', /^\/_control\/captures\/(\w+)\/dispute$/, onCapture(openDispute)],
  ['POST', /^\/_control\/refunds\/(\w+)\/settle$/, settle],
  ['POST', /^\/_control\/disputes\/([\w-]+)\/resolve$/, resolve],
]; // prettier-ignore

/** undefined: no such address. @throws PayPalError when the state machine refuses what the payer or the dashboard does */
export function answerControl(method: string, path: string, request: Asking): Reply | undefined {
  return answerRoute(ROUTES, method, path, request);
}

function reset({ parts, input }: ControlRequest): Reply {
  parts.faults.clear();
  parts.events.deliveries.clear();
  parts.state.clear(input['keep_endpoints'] === true);
  return ok({ status: 'ok' });
}

const SAME_TYPE: Readonly<Record<keyof Config, (value: unknown) => boolean>> = {
  latencyMs: isCount,
  tokenSeconds: isCount,
  clockOffsetMs: isCount,
  multipleCaptures: (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
  pendingCaptures: isFlag,
  pendingRefunds: isFlag,
  reauthorizations: (value) => REAUTHORIZATIONS.some((name) => name === value),
  blocksDuplicateInvoices: isFlag,
};

function isCount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0;
}

function isFlag(value: unknown): boolean {
  return typeof value === 'boolean';
}

function configure({ parts, input }: ControlRequest): Reply {
  for (const [name, value] of Object.entries(input)) {
    const isRight = Object.hasOwn(SAME_TYPE, name) && SAME_TYPE[name as keyof Config](value);
    if (!isRight) return wrong(`unknown or wrong setting: ${name}`);
  }
  parts.state.saveConfig(input);
  return ok(parts.state.config);
}

/** The same url and client again replaces the endpoint: a restart may register as often as it likes. */
function addEndpoint({ parts, input }: ControlRequest): Reply {
  const { url, webhook_id: given, client_id: client } = input;
  if (typeof url !== 'string' || !URL.canParse(url)) return wrong('url must be an address');
  const owner = typeof client === 'string' ? client : null;
  const known = [...parts.state.endpoints.values()].find(
    (other) => other.url === url && other.client === owner,
  );
  const webhookId = typeof given === 'string' ? given : (known?.webhookId ?? makeId());
  parts.state.saveEndpoint({ id: known?.id ?? makeId(), webhookId, url, client: owner });
  return ok({ webhook_id: webhookId, url, client_id: owner });
}

function removeEndpoint({ parts, input }: ControlRequest): Reply {
  const gone = [...parts.state.endpoints.values()].filter(({ url }) => url === input['url']);
  for (const { id } of gone) parts.state.removeEndpoint(id);
  return ok({ removed: gone.length });
}

function revokeTokens({ parts }: ControlRequest): Reply {
  parts.tokens.clear();
  return ok({ status: 'ok' });
}

function onOrder(action: (parts: Parts, order: Order, input: JsonObject) => void): Handler {
  return ({ parts, id, input }) => {
    const order = parts.state.orders.get(id);
    if (order === undefined) throw missing();
    action(parts, order, input);
    return ok(renderOrder(parts.base, order));
  };
}

function onCapture(
  action: (parts: Parts, order: Order, capture: Capture, input: JsonObject) => object | void,
): Handler {
  return ({ parts, id, input }) => {
    const found = parts.state.findCapture(id);
    if (found === undefined) throw missing();
    return ok(action(parts, found.order, found.thing, input) ?? renderOrder(parts.base, found.order));
  };
}

function voidByDashboard(parts: Parts, order: Order): void {
  const [original] = order.authorizations;
  if (original === undefined) throw missing();
  voidAuthorization(parts, order, original);
}

/** `amount` in ISO minor units; absent: all that is left. */
function refundByDashboard(parts: Parts, order: Order, capture: Capture, input: JsonObject): void {
  const amount = typeof input['amount'] === 'number' ? input['amount'] : undefined;
  refundCapture(parts, order, capture, {
    amount,
    currency: undefined,
    customId: null,
    invoiceId: null,
    note: null,
  });
}

function settle({ parts, id, input }: ControlRequest): Reply {
  const found = parts.state.findRefund(id);
  if (found === undefined) throw missing();
  settleRefund(parts, found.order, found.thing, input['succeed'] !== false);
  return ok(renderOrder(parts.base, found.order));
}

function openDispute(parts: Parts, order: Order, capture: Capture, input: JsonObject): object {
  const dispute: Dispute = {
    id: `PP-D-${randomBytes(3).readUIntBE(0, 3)}`,
    client: order.client,
    order: order.id,
    capture: capture.id,
    currency: order.currency,
    amount: typeof input['amount'] === 'number' ? input['amount'] : capture.amount,
    reason: typeof input['reason'] === 'string' ? input['reason'] : 'MERCHANDISE_OR_SERVICE_NOT_RECEIVED',
    status: 'OPEN',
    outcome: null,
    createdMs: parts.state.now(),
  };
  parts.state.saveDispute(dispute);
  return tell(parts, dispute, 'CUSTOMER.DISPUTE.CREATED');
}

/** `outcome`: PayPal's outcome_code, e.g. RESOLVED_BUYER_FAVOUR. */
function resolve({ parts, id, input }: ControlRequest): Reply {
  const dispute = parts.state.disputes.get(id);
  if (dispute === undefined) throw missing();
  if (typeof input['outcome'] !== 'string') return wrong('outcome must be an outcome_code of PayPal');
  dispute.status = 'RESOLVED';
  dispute.outcome = input['outcome'];
  parts.state.saveDispute(dispute);
  return ok(tell(parts, dispute, 'CUSTOMER.DISPUTE.RESOLVED'));
}

function tell(parts: Parts, dispute: Dispute, type: string): JsonObject {
  const rendered = renderDisputeDetails(parts.base, dispute);
  parts.events.emit(dispute.client, type, 'dispute', rendered);
  return rendered;
}
