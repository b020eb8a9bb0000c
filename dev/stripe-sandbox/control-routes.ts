/** `/_sandbox/*`: what a test or the demo may do that no merchant can. JSON in, JSON out, no authentication. */
import type { SandboxParts } from './api';
import { readBooks } from './books';
import { authenticate, settleProcessing } from './confirmation';
import { closeDispute, openDispute } from './disputes';
import { NORMAL_MODE } from './events';
import { cancel, capture } from './payment-intents';
import { refund, settleRefund } from './refunds';
import { renderIntent, renderRefund } from './render';
import type { Scene } from './scene';
import { makeId } from './state';
import type { Intent, JsonObject, SandboxConfig } from './types';

export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

interface ControlRequest {
  readonly parts: SandboxParts;
  readonly webhookSecret: string;
  readonly query: URLSearchParams;
  readonly input: JsonObject;
  readonly id: string;
}

type Handler = (request: ControlRequest) => ControlAnswer;

const ok = (body: unknown): ControlAnswer => ({ status: 200, body });
const refusedWith = (message: string): ControlAnswer => ({ status: 400, body: { error: { message } } });

const ROUTES: readonly (readonly [method: string, path: RegExp, handler: Handler])[] = [
  ['GET', /^\/_sandbox\/health$/, () => ok({ status: 'ok' })],
  ['GET', /^\/_sandbox\/books$/, ({ parts, query }) => ok(readBooks(parts.state, query.get('holdfast_id') ?? undefined))],
  ['POST', /^\/_sandbox\/reset$/, reset],
  ['GET', /^\/_sandbox\/config$/, ({ parts }) => ok(parts.state.config)],
  ['POST', /^\/_sandbox\/config$/, configure],
  ['GET', /^\/_sandbox\/faults$/, ({ parts }) => ok({ faults: parts.faults.rules })],
  ['POST', /^\/_sandbox\/faults$/, addFault],
  ['DELETE', /^\/_sandbox\/faults$/, clearFaults],
  ['GET', /^\/_sandbox\/events-mode$/, ({ parts }) => ok(parts.events.mode)],
  ['POST', /^\/_sandbox\/events-mode$/, setEventsMode],
  ['GET', /^\/_sandbox\/webhook-endpoint$/, ({ parts }) => ok({ endpoints: [...parts.state.endpoints.values()] })],
  ['POST', /^\/_sandbox\/webhook-endpoint$/, addEndpoint],
  ['DELETE', /^\/_sandbox\/webhook-endpoint$/, removeEndpoint],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/authenticate$/, act((scene, intent, input) => authenticate(scene, intent, input['succeed'] !== false))],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/cancel-by-dashboard$/, act(cancelByDashboard)],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/capture-by-dashboard$/, act(captureByDashboard)],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/refund-by-dashboard$/, act(refundByDashboard)],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/settle$/, act((scene, intent, input) => settleProcessing(scene, intent, input['succeed'] !== false))],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/dispute$/, act((scene, intent, input) => openDispute(scene, intent, disputeOf(input)))],
  ['POST', /^\/_sandbox\/payment_intents\/(\w+)\/close-dispute$/, act((scene, intent, input) => closeDispute(scene, intent, input['outcome'] === 'won' ? 'won' : 'lost'))],
  ['POST', /^\/_sandbox\/refunds\/(\w+)\/settle$/, settleRefundByBank],
]; // prettier-ignore

/** undefined: no such address. @throws StripeApiError when the state machine refuses a dashboard's action */
export function answerControl(
  method: string,
  path: string,
  request: Omit<ControlRequest, 'id'>,
): ControlAnswer | undefined {
  for (const [routeMethod, routePath, handler] of ROUTES) {
    const match = routeMethod === method ? routePath.exec(path) : null;
    if (match !== null) {
      const answer = handler({ ...request, id: match[1] ?? '' });
      request.parts.state.journal.flush();
      return answer;
    }
  }
  return undefined;
}

function reset({ parts, input }: ControlRequest): ControlAnswer {
  parts.faults.clear();
  parts.events.clear();
  parts.state.clear(input['keep_endpoints'] === true);
  return ok({ status: 'ok' });
}

const NUMBERS = ['latencyMs', 'searchLagMs', 'shortHoldSeconds', 'expiryLagMs', 'refundSettleMs'] as const;

function configure({ parts, input }: ControlRequest): ControlAnswer {
  const change: { -readonly [K in keyof SandboxConfig]?: SandboxConfig[K] } = {};
  for (const [name, value] of Object.entries(input)) {
    const number = NUMBERS.find((known) => known === name);
    if (number !== undefined && typeof value === 'number' && value >= 0) change[number] = value;
    else if (name === 'multicapture' && typeof value === 'boolean') {
      const account = typeof input['secret_key'] === 'string' ? input['secret_key'] : '*';
      const others = parts.state.config.multicapture.filter((known) => known !== account);
      change.multicapture = value ? [...others, account] : account === '*' ? [] : others;
    } else if (name !== 'secret_key') return refusedWith(`unknown or wrong setting: ${name}`);
  }
  parts.state.saveConfig(change);
  return ok(parts.state.config);
}

function setEventsMode({ parts, input }: ControlRequest): ControlAnswer {
  const normal: JsonObject = { ...NORMAL_MODE };
  const wrong = Object.keys(input).find((name) => typeof input[name] !== typeof normal[name]);
  return wrong === undefined ? ok(parts.events.setMode(input)) : refusedWith(`unknown or wrong: ${wrong}`);
}

function addFault({ parts, input }: ControlRequest): ControlAnswer {
  const rule = parts.faults.add(input);
  return typeof rule === 'string' ? refusedWith(rule) : ok(rule);
}

function clearFaults({ parts }: ControlRequest): ControlAnswer {
  parts.faults.clear();
  return ok({ faults: [] });
}

/** The same url for the same account again replaces the endpoint: a restart may register as often as it likes. */
function addEndpoint({ parts, webhookSecret, input }: ControlRequest): ControlAnswer {
  const { url, secret, secret_key: account, enabled_events: types } = input;
  if (typeof url !== 'string' || !URL.canParse(url)) return refusedWith('url must be an address');
  const owner = typeof account === 'string' ? account : null;
  const known = [...parts.state.endpoints.values()].find(
    (other) => other.url === url && other.account === owner,
  );
  const endpoint = {
    id: known?.id ?? makeId('we'),
    url,
    secret: typeof secret === 'string' ? secret : webhookSecret,
    account: owner,
    enabled_events: Array.isArray(types) ? types.map(String) : null,
  };
  parts.state.saveEndpoint(endpoint);
  return ok(endpoint);
}

function removeEndpoint({ parts, input, query }: ControlRequest): ControlAnswer {
  const url = input['url'] ?? query.get('url');
  const gone = [...parts.state.endpoints.values()].filter((endpoint) => endpoint.url === url);
  for (const endpoint of gone) parts.state.removeEndpoint(endpoint.id);
  return ok({ removed: gone.length });
}

/** An action on one PaymentIntent, whoever's it is. */
function act(action: (scene: Scene, intent: Intent, input: JsonObject) => void): Handler {
  return ({ parts, id, input }) => {
    const intent = parts.state.intents.get(id);
    if (intent === undefined)
      return { status: 404, body: { error: { message: `no such payment_intent: ${id}` } } };
    const source = { requestId: null, idempotencyKey: null };
    action({ state: parts.state, events: parts.events, source }, intent, input);
    return ok(renderIntent(intent, true));
  };
}

/** `reason` as the dashboard's form has it; by default none, which is what a click on "cancel" leaves. */
function cancelByDashboard(scene: Scene, intent: Intent, input: JsonObject): void {
  cancel(scene, intent, typeof input['reason'] === 'string' ? input['reason'] : null);
}

function captureByDashboard(scene: Scene, intent: Intent, input: JsonObject): void {
  const amount = typeof input['amount'] === 'number' ? input['amount'] : undefined;
  capture(scene, intent, { amount, final: undefined, metadata: {} });
}

function refundByDashboard(scene: Scene, intent: Intent, input: JsonObject): void {
  const amount = typeof input['amount'] === 'number' ? input['amount'] : undefined;
  refund(scene, intent, { amount, reason: 'requested_by_customer', metadata: {} });
}

function disputeOf({ amount, reason }: JsonObject): { amount?: number; reason?: string } {
  return {
    ...(typeof amount === 'number' ? { amount } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}

/** `outcome`: succeeded (by default) or failed. */
function settleRefundByBank({ parts, id, input }: ControlRequest): ControlAnswer {
  const made = parts.state.refunds.get(id);
  if (made === undefined) return { status: 404, body: { error: { message: `no such refund: ${id}` } } };
  const source = { requestId: null, idempotencyKey: null };
  const scene = { state: parts.state, events: parts.events, source };
  settleRefund(scene, made, input['outcome'] === 'failed' ? 'failed' : 'succeeded');
  return ok(renderRefund(made, ''));
}
