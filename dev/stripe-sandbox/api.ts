/** One request to the API: who asks, for what, under which key, with which fault; then the answer, stored and booked. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Asked } from '../sandbox/http';
import { findRoute } from './api-routes';
import type { ApiRoute } from './api-routes';
import { authenticateCaller } from './auth';
import type { Caller } from './auth';
import { invalid, SERVER_ERROR, StripeApiError } from './errors';
import type { EventSender } from './events';
import type { StripeFaults } from './faults';
import { decodeForm } from './form';
import { keyInUse, keyOf, storedAnswer } from './idempotency';
import type { KeyedRequest } from './idempotency';
import { makeId } from './state';
import type { State } from './state';
import type { CallRecord, JsonObject } from './types';

export interface SandboxParts {
  readonly state: State;
  readonly events: EventSender;
  readonly faults: StripeFaults;
  readonly secretKeys: ReadonlySet<string>;
  readonly keysInUse: Set<string>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly requestId: string;
  readonly key: string | undefined;
  readonly isReplayed: boolean;
}

/** What becomes of a request: an answer, no answer ever, or a connection that is reset. */
export type Outcome = Answer | 'never' | 'reset';

type FaultRule = ReturnType<StripeFaults['take']>;

interface Work {
  readonly route: ApiRoute;
  readonly id: string;
  readonly caller: Caller;
  readonly raw: JsonObject;
  readonly keyed: KeyedRequest | undefined;
  readonly requestId: string;
  readonly call: CallRecord;
}

export async function answerApi(parts: SandboxParts, asked: Asked, body: string): Promise<Outcome> {
  const requestId = makeId('req', 14);
  const key = headerText(asked.headers['idempotency-key']);
  const failed = (error: unknown): Answer => ({ ...errorAnswer(error), requestId, key, isReplayed: false });
  let work: Work;
  try {
    work = prepare(parts, asked, body, requestId, key);
  } catch (error) {
    return failed(error);
  }
  let outcome: Outcome;
  try {
    outcome = await perform(parts, work);
  } catch (error) {
    outcome = failed(error);
  }
  work.call.status = typeof outcome === 'string' ? 0 : outcome.status;
  parts.state.saveCall(work.call);
  parts.state.journal.flush();
  return outcome;
}

function prepare(
  parts: SandboxParts,
  { method, url, headers }: Asked,
  body: string,
  requestId: string,
  key: string | undefined,
): Work {
  const at = Date.now();
  const caller = authenticateCaller(headers, parts.secretKeys);
  const { route, id } = findRoute(method, url.pathname);
  if (caller.isBrowser && route.isOpenToBrowsers !== true) {
    throw invalid(
      'secret_key_required',
      'This API call cannot be made with a publishable API key.',
      undefined,
      403,
    );
  }
  const type = headers['content-type'] ?? '';
  if (method === 'POST' && body !== '' && !type.startsWith('application/x-www-form-urlencoded')) {
    throw invalid(
      undefined,
      'Invalid request (check that your POST content type is application/x-www-form-urlencoded).',
    );
  }
  const raw = decodeForm(method === 'POST' ? body : url.search.slice(1));
  const metadata = (raw['metadata'] ?? {}) as Record<string, string | undefined>;
  const isIntent = url.pathname.startsWith('/v1/payment_intents/') && id !== '';
  const known = parts.state.intents.get(id)?.metadata;
  const named = raw['payment_intent'];
  const call: CallRecord = {
    operation: route.operation,
    idempotency_key: key ?? null,
    payment_intent: isIntent ? id : typeof named === 'string' ? named : null,
    holdfast_id: metadata['holdfast_id'] ?? known?.['holdfast_id'] ?? null,
    holdfast_call: metadata['holdfast_call'] ?? metadata['holdfast_capture'] ?? null,
    executed: false,
    replayed: false,
    status: 0,
    at,
  };
  const keyed = keyOf(caller.account, key, method, url.pathname, raw);
  return { route, id, caller, raw, keyed, requestId, call };
}

async function perform(parts: SandboxParts, work: Work): Promise<Outcome> {
  const { keyed } = work;
  const { state, keysInUse } = parts;
  if (keyed === undefined) return execute(parts, work);
  if (keysInUse.has(keyed.scope)) throw keyInUse(keyed.key);
  const stored = storedAnswer(state, keyed);
  if (stored !== undefined) {
    const fault = takeFault(parts, work, true);
    await pause(state, fault);
    work.call.replayed = true;
    work.call.payment_intent ??= (JSON.parse(stored.body) as { id?: string }).id ?? null;
    const { status, body, requestId } = stored;
    return lostOnTheWire(fault) ?? { status, body, requestId, key: keyed.key, isReplayed: true };
  }
  keysInUse.add(keyed.scope);
  try {
    return await execute(parts, work);
  } finally {
    keysInUse.delete(keyed.scope);
  }
}

function takeFault(parts: SandboxParts, work: Work, isReplay: boolean): FaultRule {
  if (parts.faults.rules.length === 0) return undefined;
  const known = parts.state.intents.get(work.id)?.metadata ?? {};
  const sent = (work.raw['metadata'] ?? {}) as Record<string, string>;
  const metadata = { ...sent, ...known };
  const paymentIntent = work.call.payment_intent ?? work.id;
  return parts.faults.take({ operation: work.route.operation, paymentIntent, metadata, isReplay });
}

async function pause(state: State, fault: FaultRule): Promise<void> {
  const pauseMs = state.config.latencyMs + (fault?.fault === 'slow' ? fault.delayMs : 0);
  if (pauseMs > 0) await sleep(pauseMs, undefined, { ref: false });
}

function lostOnTheWire(fault: FaultRule): 'never' | 'reset' | undefined {
  if (fault?.fault === 'timeout_after') return 'never';
  return fault?.fault === 'reset_after' || fault?.fault === 'reset_before' ? 'reset' : undefined;
}

async function execute(parts: SandboxParts, work: Work): Promise<Outcome> {
  const { requestId, keyed } = work;
  const fault = takeFault(parts, work, false);
  await pause(parts.state, fault);
  const answer = (status: number, body: string): Answer => ({
    status,
    body,
    requestId,
    key: keyed?.key,
    isReplayed: false,
  });
  const serverError = answer(500, JSON.stringify({ error: SERVER_ERROR }, null, 2));
  if (fault?.fault === 'error_before') return serverError;
  if (fault?.fault === 'reset_before') return 'reset';
  if (fault?.fault === 'error_stored_not_executed') {
    store(parts.state, work, serverError);
    return serverError;
  }
  const { status, body, isStored } = run(parts, work);
  const given = fault?.fault === 'error_after' ? serverError : answer(status, body);
  if (isStored) store(parts.state, work, given);
  return lostOnTheWire(fault) ?? given;
}

/** The state machine itself: from here on nothing waits, so that two requests never mix. */
function run(parts: SandboxParts, work: Work): { status: number; body: string; isStored: boolean } {
  const { route, call, id, caller, raw, requestId, keyed } = work;
  const source = { requestId, idempotencyKey: keyed?.key ?? null };
  const scene = { state: parts.state, events: parts.events, source };
  try {
    const { body, created } = route.handle({ scene, caller, id, raw });
    call.executed = route.method === 'POST';
    call.payment_intent ??= created ?? null;
    return { status: 200, body: JSON.stringify(body, null, 2), isStored: true };
  } catch (error) {
    const { status, body } = errorAnswer(error);
    const isStored = error instanceof StripeApiError && error.isStored;
    call.executed = isStored;
    return { status, body, isStored };
  }
}

function store(state: State, { keyed, requestId }: Work, { status, body }: Answer): void {
  if (keyed === undefined) return;
  const { scope, method, path, fingerprint } = keyed;
  state.saveAnswer({ scope, method, path, fingerprint, requestId, status, body, atMs: Date.now() });
}

function errorAnswer(error: unknown): { status: number; body: string } {
  // Anything else is a mistake in the sandbox: better a loud test failure than a 500 that looks like a fault.
  if (!(error instanceof StripeApiError)) throw error;
  return { status: error.status, body: JSON.stringify({ error: error.body }, null, 2) };
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
