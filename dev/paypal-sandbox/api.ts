/** One call to the API: who asks, for what, under which request id, with which fault; then the answer, kept and booked. */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { failure, missing, PayPalError } from './errors';
import type { PayPalFaults } from './faults';
import { minimal } from './render';
import { ROUTES, show } from './routes';
import type { Ask, Made, Route } from './routes';
import type { Scene } from './rules';
import type { CallRecord, JsonObject } from './types';

export interface Parts extends Scene {
  readonly faults: PayPalFaults;
  /** Client id -> secret. */
  readonly clients: ReadonlyMap<string, string>;
  /** Access token -> whose, and until when. In memory only: a restart makes every token worthless. */
  readonly tokens: Map<string, { readonly client: string; readonly untilMs: number }>;
  readonly inUse: Set<string>;
}

export interface Answer {
  readonly status: number;
  /** undefined: no body. */
  readonly body: JsonObject | undefined;
}

/** What becomes of a request: an answer, no answer ever, or a connection that is reset. */
export type Outcome = Answer | 'never' | 'reset';

export interface Incoming {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const MAX_REQUEST_ID_LENGTH = 108;

export async function answerApi(parts: Parts, incoming: Incoming): Promise<Outcome> {
  const call: CallRecord = {
    operation: 'unknown',
    request_id: headerOf(incoming, 'paypal-request-id') ?? null,
    order: null,
    custom_id: null,
    executed: false,
    replayed: false,
    status: 0,
    at: Date.now(),
  };
  let outcome: Outcome;
  try {
    outcome = await perform(parts, incoming, call);
  } catch (error) {
    // Anything else is a mistake in the sandbox: better a loud failure than a 500 that looks like a fault.
    if (!(error instanceof PayPalError)) throw error;
    outcome = { status: error.status, body: error.body };
  }
  call.status = typeof outcome === 'string' ? 0 : outcome.status;
  parts.state.saveCall(call);
  return outcome;
}

async function perform(parts: Parts, incoming: Incoming, call: CallRecord): Promise<Outcome> {
  if (incoming.url.pathname === '/v1/oauth2/token') return token(parts, incoming, call);
  const client = clientOf(parts, incoming);
  if (client === undefined) {
    const description =
      'The access token provided is expired, revoked, malformed or invalid for other reasons.';
    return { status: 401, body: { error: 'invalid_token', error_description: description } };
  }
  const { route, id } = findRoute(incoming);
  call.operation = route.operation;
  const ask: Ask = {
    scene: parts,
    client,
    id,
    body: bodyOf(incoming),
    query: incoming.url.searchParams,
    hasRequestId: call.request_id !== null,
  };
  identify(parts, ask, call);
  const scope = `${client}\n${route.operation}\n${call.request_id ?? ''}`;
  const isKeyed = route.method === 'POST' && call.request_id !== null;
  if (!isKeyed) return execute(parts, route, ask, incoming, call, undefined);
  if (call.request_id === '' || (call.request_id?.length ?? 0) > MAX_REQUEST_ID_LENGTH) {
    throw failure(400, 'INVALID_PARAMETER_SYNTAX', {}, 'PayPal-Request-Id');
  }
  if (parts.inUse.has(scope)) throw failure(409, 'PREVIOUS_REQUEST_IN_PROGRESS');
  parts.inUse.add(scope);
  try {
    return await execute(parts, route, ask, incoming, call, scope);
  } finally {
    parts.inUse.delete(scope);
  }
}

/**
 * PayPal compares nothing: the same request id for the same kind of call is the first one again, whatever the body says now
 * and whichever object the address names, answered with the present state of what it made. Errors are not kept.
 */
async function execute(
  parts: Parts,
  route: Route,
  ask: Ask,
  incoming: Incoming,
  call: CallRecord,
  scope: string | undefined,
): Promise<Outcome> {
  const fault = takeFault(parts, call);
  const delayMs = parts.state.config.latencyMs + (fault?.fault === 'slow' ? fault.delayMs : 0);
  if (delayMs > 0) await sleep(delayMs, undefined, { ref: false });
  if (fault?.fault === 'rate_limit') throw failure(429);
  if (fault?.fault === 'error_before') throw failure(500);
  if (fault?.fault === 'reset_before') return 'reset';
  const known = scope === undefined ? undefined : parts.state.findKey(scope);
  let answer: Answer;
  if (known !== undefined) {
    call.replayed = true;
    answer = { status: 200, body: show(parts, known) };
  } else {
    answer = run(parts, route, ask, call, scope);
  }
  if (fault?.fault === 'error_after') throw failure(500);
  if (fault?.fault === 'timeout_after') return 'never';
  if (fault?.fault === 'reset_after') return 'reset';
  return inForm(route, incoming, answer);
}

function run(parts: Parts, route: Route, ask: Ask, call: CallRecord, scope: string | undefined): Answer {
  const result = route.handle(ask);
  if ('show' in result) return { status: 200, body: result.show };
  call.executed = true;
  if ('silent' in result) return { status: 204, body: undefined };
  call.order ??= orderOf(parts, result);
  if (scope !== undefined) {
    const now = parts.state.now();
    parts.state.saveKey({ scope, ...result, atMs: now, untilMs: now + route.keptMs });
  }
  const isVoid = route.operation === 'void_authorization';
  return { status: isVoid ? 200 : 201, body: show(parts, result) };
}

function orderOf({ state }: Parts, { thing, id }: Made): string | null {
  if (thing === 'order') return id;
  const found = state.findCapture(id) ?? state.findRefund(id) ?? state.findAuthorization(id);
  return found?.order.id ?? null;
}

function inForm(route: Route, { headers }: Incoming, answer: Answer): Answer {
  if (route.method !== 'POST' || headers['prefer'] === 'return=representation') return answer;
  if (route.operation === 'void_authorization') return { status: 204, body: undefined };
  return { ...answer, body: minimal(answer.body ?? {}) };
}

/** Which order a call is about, and what it or the order carries as custom_id: for faults and for the books. */
function identify({ state }: Parts, ask: Ask, call: CallRecord): void {
  const { id, body } = ask;
  const order =
    state.orders.get(id) ??
    (state.findAuthorization(id) ?? state.findCapture(id) ?? state.findRefund(id))?.order;
  call.order = order?.id ?? null;
  const input = (body ?? {}) as { custom_id?: string; purchase_units?: { custom_id?: string }[] };
  call.custom_id = input.custom_id ?? input.purchase_units?.[0]?.custom_id ?? order?.customId ?? null;
}

function takeFault(
  parts: Parts,
  { operation, order, custom_id: customId }: CallRecord,
): ReturnType<PayPalFaults['take']> {
  return parts.faults.take({ operation, order, customId });
}

/** OAuth 2 client credentials. */
async function token(parts: Parts, incoming: Incoming, call: CallRecord): Promise<Outcome> {
  call.operation = 'token';
  const fault = takeFault(parts, call);
  if (fault?.fault === 'slow') await sleep(fault.delayMs, undefined, { ref: false });
  if (fault?.fault === 'rate_limit') throw failure(429);
  if (fault?.fault.startsWith('error') === true) throw failure(500);
  if (fault?.fault.startsWith('reset') === true) return 'reset';
  if (fault?.fault === 'timeout_after') return 'never';
  const [scheme = '', value = ''] = (incoming.headers.authorization ?? '').split(' ');
  const [client = '', secret = ''] = Buffer.from(value, 'base64').toString('utf8').split(':');
  if (incoming.method !== 'POST' || scheme !== 'Basic' || parts.clients.get(client) !== secret) {
    return {
      status: 401,
      body: { error: 'invalid_client', error_description: 'Client Authentication failed' },
    };
  }
  if (new URLSearchParams(incoming.text).get('grant_type') !== 'client_credentials') {
    return {
      status: 400,
      body: { error: 'unsupported_grant_type', error_description: 'Grant Type is NULL' },
    };
  }
  const made = `A21AA${randomBytes(30).toString('base64url')}`;
  const { tokenSeconds } = parts.state.config;
  parts.tokens.set(made, { client, untilMs: Date.now() + tokenSeconds * 1000 });
  call.executed = true;
  return {
    status: 200,
    body: {
      scope: '',
      access_token: made,
      token_type: 'Bearer',
      app_id: 'APP-80W284485P519543T',
      expires_in: tokenSeconds,
    },
  };
}

function clientOf(parts: Parts, { headers }: Incoming): string | undefined {
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(' ');
  const known = scheme === 'Bearer' ? parts.tokens.get(value) : undefined;
  return known !== undefined && Date.now() < known.untilMs ? known.client : undefined;
}

function findRoute({ method, url }: Incoming): { route: Route; id: string } {
  for (const route of ROUTES) {
    const match = route.method === method ? route.path.exec(url.pathname) : null;
    if (match !== null) return { route, id: match[1] ?? '' };
  }
  throw missing();
}

function bodyOf(incoming: Incoming): unknown {
  if (incoming.method === 'GET') return undefined;
  if (incoming.headers['content-type']?.startsWith('application/json') !== true) throw failure(415);
  if (incoming.text === '') return undefined;
  try {
    return JSON.parse(incoming.text);
  } catch {
    throw failure(400, 'INVALID_PARAMETER_SYNTAX', {}, '/');
  }
}

function headerOf({ headers }: Incoming, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
