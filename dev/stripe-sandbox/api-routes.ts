/** The endpoints of Stripe's API that the sandbox has, as data. */
import { chooseCard, confirm } from './confirmation';
import { invalid, missing, StripeApiError } from './errors';
import { checkChargeAmount } from './money-rules';
import { checkExpand, checkParams, oneOf } from './params';
import type { Params, ParamSpec } from './params';
import { cancel, capture, expireIfDue } from './payment-intents';
import { REFUND_ROUTES } from './refund-routes';
import { renderCharge, renderIntent } from './render';
import { listIntents, searchIntents } from './lists';
import { announce } from './scene';
import type { Scene } from './scene';
import { makeId } from './state';
import type { Caller } from './auth';
import type { Intent, JsonObject } from './types';

export interface ApiRequest {
  readonly scene: Scene;
  readonly caller: Caller;
  /** What the path names, e.g. the PaymentIntent's id. */
  readonly id: string;
  readonly raw: JsonObject;
}

export interface ApiRoute {
  readonly method: 'GET' | 'POST';
  readonly path: RegExp;
  /** Name in the books and for faults. */
  readonly operation: string;
  readonly isOpenToBrowsers?: true;
  /** Answers or throws StripeApiError. `created` tells the books the id of a new object. */
  handle(request: ApiRequest): { body: JsonObject; created?: string };
}

const ID = '([A-Za-z0-9_]+)';
const pi = (rest: string) => new RegExp(`^/v1/payment_intents${rest}$`);

export const API_ROUTES: readonly ApiRoute[] = [
  { method: 'POST', path: pi(''), operation: 'create', handle: create },
  { method: 'GET', path: pi(''), operation: 'list', handle: (request) => ({ body: listIntents(request) }) },
  {
    method: 'GET',
    path: pi('/search'),
    operation: 'search',
    handle: (request) => ({ body: searchIntents(request) }),
  },
  { method: 'GET', path: pi(`/${ID}`), operation: 'retrieve', isOpenToBrowsers: true, handle: retrieve },
  {
    method: 'POST',
    path: pi(`/${ID}/confirm`),
    operation: 'confirm',
    isOpenToBrowsers: true,
    handle: confirmRoute,
  },
  { method: 'POST', path: pi(`/${ID}/capture`), operation: 'capture', handle: captureRoute },
  { method: 'POST', path: pi(`/${ID}/cancel`), operation: 'cancel', handle: cancelRoute },
  {
    method: 'GET',
    path: new RegExp(`^/v1/charges/${ID}$`),
    operation: 'retrieve_charge',
    handle: retrieveCharge,
  },
  {
    method: 'GET',
    path: new RegExp(`^/v1/events/${ID}$`),
    operation: 'retrieve_event',
    handle: retrieveEvent,
  },
  ...REFUND_ROUTES,
];

const CREATE: ParamSpec = {
  amount: 'integer',
  currency: 'string',
  allowed_payment_method_types: 'strings',
  automatic_payment_methods: 'object',
  capture_method: 'string',
  confirm: 'boolean',
  confirmation_method: 'string',
  customer: 'string',
  description: 'string',
  expand: 'strings',
  metadata: 'metadata',
  off_session: 'boolean',
  payment_method: 'string',
  payment_method_options: 'object',
  receipt_email: 'string',
  return_url: 'string',
  statement_descriptor_suffix: 'string',
  transfer_group: 'string',
};
const CONFIRM: ParamSpec = {
  client_secret: 'string',
  expand: 'strings',
  off_session: 'boolean',
  payment_method: 'string',
  receipt_email: 'string',
  return_url: 'string',
  use_stripe_sdk: 'boolean',
};
const CAPTURE: ParamSpec = {
  amount_to_capture: 'integer',
  expand: 'strings',
  final_capture: 'boolean',
  metadata: 'metadata',
  statement_descriptor_suffix: 'string',
};
const CAPTURE_METHODS = ['automatic', 'automatic_async', 'manual'];
const CANCEL_REASONS = ['abandoned', 'duplicate', 'fraudulent', 'requested_by_customer'];
const EXPANDABLE = ['latest_charge'];

function create({ scene, caller, raw }: ApiRequest) {
  const params = checkParams(raw, CREATE, ['amount', 'currency']);
  const expand = checkExpand(params, EXPANDABLE);
  const currency = params.text('currency') ?? '';
  const amount = params.integer('amount') ?? 0;
  checkChargeAmount(amount, currency);
  const captureMethod = oneOf(params, 'capture_method', CAPTURE_METHODS) ?? 'automatic_async';
  const email = params.text('receipt_email');
  if (email !== undefined && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) {
    throw invalid('email_invalid', `Invalid email address: ${email}`, 'receipt_email');
  }
  const isConfirming = params.flag('confirm') === true;
  for (const name of ['return_url', 'off_session']) {
    if (params.has(name) && !isConfirming) {
      throw invalid(undefined, `The parameter \`${name}\` can only be used with \`confirm=true\`.`, name);
    }
  }
  const intent = newIntent(caller.account, params, { amount, currency, captureMethod });
  if (isConfirming) chooseCard(intent, undefined, params.text('return_url'));
  announce(scene, intent, 'payment_intent.created');
  if (isConfirming) confirm(scene, intent, undefined, params.text('return_url'));
  return { body: renderIntent(intent, expand.has('latest_charge')), created: intent.id };
}

function newIntent(
  account: string,
  params: Params,
  charge: { amount: number; currency: string; captureMethod: string },
): Intent {
  const id = makeId('pi');
  const createdMs = Date.now();
  const types = params.strings('allowed_payment_method_types') ?? null;
  return {
    id,
    account,
    ...charge,
    clientSecret: `${id}_${makeId('secret', 25)}`,
    created: Math.floor(createdMs / 1000),
    createdMs,
    amountCapturable: 0,
    amountReceived: 0,
    amountReleased: 0,
    status: params.has('payment_method') ? 'requires_confirmation' : 'requires_payment_method',
    confirmationMethod: params.text('confirmation_method') ?? 'automatic',
    allowedTypes: types,
    automaticMethods: automaticMethods(params) ?? (types === null ? { enabled: true } : null),
    methodOptions: params.object('payment_method_options') ?? {},
    metadata: { ...params.metadata() },
    description: params.text('description') ?? null,
    receiptEmail: params.text('receipt_email') ?? null,
    customer: params.text('customer') ?? null,
    returnUrl: null,
    paymentMethod: params.text('payment_method') ?? null,
    nextAction: null,
    lastPaymentError: null,
    canceledAt: null,
    cancellationReason: null,
    charge: null,
  };
}

function automaticMethods(params: Params): JsonObject | undefined {
  const given = params.object('automatic_payment_methods');
  if (given === undefined) return undefined;
  const name = 'automatic_payment_methods';
  const nested = checkParams(given, { enabled: 'boolean', allow_redirects: 'string' }, ['enabled']);
  const redirects = oneOf(nested, 'allow_redirects', ['always', 'never']);
  if (nested.flag('enabled') === true && params.has('allowed_payment_method_types')) {
    throw invalid(
      'parameters_exclusive',
      `You may only specify one of these parameters: ${name}, allowed_payment_method_types.`,
      name,
    );
  }
  return {
    ...(redirects === undefined ? {} : { allow_redirects: redirects }),
    enabled: nested.flag('enabled'),
  };
}

/** The caller's own PaymentIntent; somebody else's does not exist. A browser must know its client_secret. */
function ownIntent({ scene, caller, id, raw }: ApiRequest): Intent {
  const intent = scene.state.intents.get(id);
  if (intent === undefined || intent.account !== caller.account) throw missing('payment_intent', id);
  if (caller.isBrowser && raw['client_secret'] !== intent.clientSecret) {
    throw missing('payment_intent', id, 'client_secret');
  }
  expireIfDue(scene, intent);
  return intent;
}

function retrieve(request: ApiRequest) {
  const params = checkParams(request.raw, { client_secret: 'string', expand: 'strings' });
  const expand = checkExpand(params, EXPANDABLE);
  return { body: renderIntent(ownIntent(request), expand.has('latest_charge')) };
}

function confirmRoute(request: ApiRequest) {
  const params = checkParams(request.raw, CONFIRM);
  const expand = checkExpand(params, EXPANDABLE);
  const intent = ownIntent(request);
  confirm(request.scene, intent, params.text('payment_method'), params.text('return_url'));
  return { body: renderIntent(intent, expand.has('latest_charge')) };
}

function captureRoute(request: ApiRequest) {
  const params = checkParams(request.raw, CAPTURE);
  const expand = checkExpand(params, EXPANDABLE);
  const amount = params.integer('amount_to_capture');
  if (amount !== undefined && amount < 1) {
    throw invalid(
      'parameter_invalid_integer',
      'This value must be greater than or equal to 1.',
      'amount_to_capture',
    );
  }
  const intent = ownIntent(request);
  capture(request.scene, intent, {
    amount,
    final: params.flag('final_capture'),
    metadata: params.metadata(),
  });
  return { body: renderIntent(intent, expand.has('latest_charge')) };
}

function cancelRoute(request: ApiRequest) {
  const params = checkParams(request.raw, { cancellation_reason: 'string', expand: 'strings' });
  const expand = checkExpand(params, EXPANDABLE);
  const reason = oneOf(params, 'cancellation_reason', CANCEL_REASONS) ?? null;
  const intent = ownIntent(request);
  cancel(request.scene, intent, reason);
  return { body: renderIntent(intent, expand.has('latest_charge')) };
}

function retrieveCharge({ scene, caller, id, raw }: ApiRequest) {
  checkParams(raw, { expand: 'strings' });
  const intent = scene.state.intents.get(scene.state.charges.get(id) ?? '');
  if (intent?.charge?.id !== id || intent.account !== caller.account) throw missing('charge', id, 'id');
  return { body: renderCharge(intent, intent.charge) };
}

function retrieveEvent({ scene, caller, id, raw }: ApiRequest) {
  checkParams(raw, { expand: 'strings' });
  const event = scene.state.events.get(id);
  if (event === undefined || event.account !== caller.account) throw missing('event', id, 'id');
  return { body: JSON.parse(event.body) as JsonObject };
}

/** The route for a request line. @throws StripeApiError 404 in Stripe's words */
export function findRoute(method: string, path: string): { route: ApiRoute; id: string } {
  for (const route of API_ROUTES) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (match !== null) return { route, id: match[1] ?? '' };
  }
  throw new StripeApiError(
    404,
    { type: 'invalid_request_error', message: `Unrecognized request URL (${method}: ${path}).` },
    false,
  );
}
