/** The endpoints of refunds and disputes, as data: part of API_ROUTES. */
import type { ApiRequest, ApiRoute } from './api-routes';
import { invalid, missing } from './errors';
import { listPage } from './lists';
import { checkExpand, checkParams, oneOf } from './params';
import type { Params } from './params';
import { refund } from './refunds';
import { renderDispute, renderRefund } from './render';
import type { Intent, JsonObject, Refund } from './types';

const ID = '([A-Za-z0-9_]+)';

export const REFUND_ROUTES: readonly ApiRoute[] = [
  { method: 'POST', path: /^\/v1\/refunds$/, operation: 'refund', handle: create },
  { method: 'GET', path: /^\/v1\/refunds$/, operation: 'list_refunds', handle: listRefunds },
  {
    method: 'GET',
    path: new RegExp(`^/v1/refunds/${ID}$`),
    operation: 'retrieve_refund',
    handle: retrieve,
  },
  { method: 'GET', path: /^\/v1\/disputes$/, operation: 'list_disputes', handle: listDisputes },
];

const CREATE = {
  amount: 'integer',
  charge: 'string',
  expand: 'strings',
  instructions_email: 'string',
  metadata: 'metadata',
  payment_intent: 'string',
  reason: 'string',
} as const;
const REASONS = ['duplicate', 'fraudulent', 'requested_by_customer'];

function create(request: ApiRequest) {
  const { scene, raw } = request;
  const params = checkParams(raw, CREATE);
  checkExpand(params, []);
  const reason = oneOf(params, 'reason', REASONS) ?? null;
  const intent = refundedIntent(request, params);
  const made = refund(scene, intent, {
    amount: params.integer('amount'),
    reason,
    metadata: params.metadata(),
  });
  return { body: show(request, made), created: made.id };
}

/** By payment_intent or by charge: one of the caller's own. */
function refundedIntent({ scene, caller }: ApiRequest, params: Params): Intent {
  const [id, charge] = [params.text('payment_intent'), params.text('charge')];
  if ((id === undefined) === (charge === undefined)) {
    throw invalid(
      id === undefined ? 'parameter_missing' : 'parameters_exclusive',
      'One of the following params should be provided for this request: payment_intent or charge.',
    );
  }
  const intent = scene.state.intents.get(id ?? scene.state.charges.get(charge ?? '') ?? '');
  if (intent === undefined || intent.account !== caller.account) {
    throw id === undefined
      ? missing('charge', charge ?? '', 'charge')
      : missing('payment_intent', id, 'payment_intent');
  }
  return intent;
}

function show({ scene }: ApiRequest, made: Refund): JsonObject {
  return renderRefund(made, scene.state.intents.get(made.intent)?.charge?.card ?? '');
}

function retrieve(request: ApiRequest) {
  const { scene, caller, id, raw } = request;
  checkExpand(checkParams(raw, { expand: 'strings' }), []);
  const made = scene.state.refunds.get(id);
  if (made === undefined || made.account !== caller.account) throw missing('refund', id, 'id');
  return { body: show(request, made) };
}

const LIST = {
  charge: 'string',
  created: 'any',
  ending_before: 'string',
  expand: 'strings',
  limit: 'integer',
  payment_intent: 'string',
  starting_after: 'string',
} as const;

function listRefunds(request: ApiRequest) {
  const { scene, raw } = request;
  const params = checkParams(raw, LIST);
  const all = ownOf(request, params, [...scene.state.refunds.values()]);
  const render = (made: Refund) => show(request, made);
  return { body: listPage(params, raw, { kind: 'refund', url: '/v1/refunds', all, render }) };
}

function listDisputes(request: ApiRequest) {
  const { scene, raw } = request;
  const params = checkParams(raw, LIST);
  const all = ownOf(request, params, [...scene.state.disputes.values()]);
  return {
    body: listPage(params, raw, { kind: 'dispute', url: '/v1/disputes', all, render: renderDispute }),
  };
}

/** The caller's own, of the PaymentIntent or charge it names; one that does not exist is refused, not empty. */
function ownOf<T extends { readonly account: string; readonly intent: string; readonly charge: string }>(
  { scene, caller }: ApiRequest,
  params: Params,
  all: readonly T[],
): readonly T[] {
  checkExpand(params, []);
  const [id, charge] = [params.text('payment_intent'), params.text('charge')];
  if (id !== undefined && scene.state.intents.get(id)?.account !== caller.account) {
    throw missing('payment_intent', id, 'payment_intent');
  }
  return all.filter(
    (item) =>
      item.account === caller.account &&
      (id === undefined || item.intent === id) &&
      (charge === undefined || item.charge === charge),
  );
}
