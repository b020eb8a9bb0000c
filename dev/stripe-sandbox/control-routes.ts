/** `/_sandbox/*`: what a test or the demo may do that no merchant can. JSON in, JSON out, no authentication. */
import { answerRoute, ok, switchRoutes } from '../sandbox/control';
import type { Route } from '../sandbox/control';
import type { Reply } from '../sandbox/http';
import type { SandboxParts } from './api';
import { readBooks } from './books';
import { authenticate, settleProcessing } from './confirmation';
import { closeDispute, openDispute } from './disputes';
import { cancel, capture } from './payment-intents';
import { refund, settleRefund } from './refunds';
import { renderIntent, renderRefund } from './render';
import type { Scene } from './scene';
import { makeId } from './state';
import type { Intent, JsonObject, SandboxConfig } from './types';

interface Asking {
  readonly parts: SandboxParts;
  readonly webhookSecret: string;
  readonly query: URLSearchParams;
  readonly input: JsonObject;
}

type ControlRequest = Asking & { readonly id: string };
type Handler = (request: ControlRequest) => Reply;

const refusedWith = (message: string): Reply => ({ status: 400, body: { error: { message } } });
const missing = (what: string): Reply => ({ status: 404, body: { error: { message: `no such ${what}` } } });
const switchesOf = ({ parts }: Asking) => ({ faults: parts.faults, deliveries: parts.events.deliveries });

const ROUTES: readonly Route<Asking>[] = [
  ...switchRoutes('_sandbox', switchesOf, refusedWith),
  ['GET', /^\/_sandbox\/books$/, ({ parts, query }) => ok(readBooks(parts.state, query.get('holdfast_id') ?? undefined))],
  ['POST', /^\/_sandbox\/reset$/, reset],
  ['GET', /^\/_sandbox\/config$/, ({ parts }) => ok(parts.state.config)],
  ['POST', /^\/_sandbox\/config$/, configure],
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
export function answerControl(method: string, path: string, request: Asking): Reply | undefined {
  const answer = answerRoute(ROUTES, method, path, request);
  request.parts.state.journal.flush();
  return answer;
}

function reset({ parts, input }: ControlRequest): Reply {
  parts.faults.clear();
  parts.events.deliveries.clear();
  parts.state.clear(input['keep_endpoints'] === true);
  return ok({ status: 'ok' });
}

const NUMBERS = ['latencyMs', 'searchLagMs', 'shortHoldSeconds', 'expiryLagMs', 'refundSettleMs'] as const;

function configure({ parts, input }: ControlRequest): Reply {
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

/** The same url for the same account again replaces the endpoint: a restart may register as often as it likes. */
function addEndpoint({ parts, webhookSecret, input }: ControlRequest): Reply {
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

function removeEndpoint({ parts, input, query }: ControlRequest): Reply {
  const url = input['url'] ?? query.get('url');
  const gone = [...parts.state.endpoints.values()].filter((endpoint) => endpoint.url === url);
  for (const endpoint of gone) parts.state.removeEndpoint(endpoint.id);
  return ok({ removed: gone.length });
}

/** An action on one PaymentIntent, whoever's it is. */
function act(action: (scene: Scene, intent: Intent, input: JsonObject) => void): Handler {
  return ({ parts, id, input }) => {
    const intent = parts.state.intents.get(id);
    if (intent === undefined) return missing(`payment_intent: ${id}`);
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
function settleRefundByBank({ parts, id, input }: ControlRequest): Reply {
  const made = parts.state.refunds.get(id);
  if (made === undefined) return missing(`refund: ${id}`);
  const source = { requestId: null, idempotencyKey: null };
  const scene = { state: parts.state, events: parts.events, source };
  settleRefund(scene, made, input['outcome'] === 'failed' ? 'failed' : 'succeeded');
  return ok(renderRefund(made, ''));
}
