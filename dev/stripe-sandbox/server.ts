/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import { parseObject, serve } from '../sandbox/http';
import type { Asked, Fate, Reply, ServerOptions } from '../sandbox/http';
import { answerApi } from './api';
import type { Outcome, SandboxParts } from './api';
import { answerControl } from './control-routes';
import { StripeApiError } from './errors';
import { EventSender } from './events';
import { createFaults } from './faults';
import { armExpiry } from './payment-intents';
import { armSettlement } from './refunds';
import { createState } from './state';
import { API_VERSION } from './version';

export const DEFAULT_SECRET_KEY = 'sk_test_holdfast_sandbox';
export const DEFAULT_WEBHOOK_SECRET = 'whsec_holdfast_sandbox';

export interface StripeSandboxOptions extends ServerOptions {
  /** Comma separated; each is an account of its own. */
  readonly secretKey?: string;
  readonly webhookSecret?: string;
}

export interface StripeSandbox {
  /** Base URL, without a slash at the end. */
  readonly url: string;
  readonly secretKey: string;
  readonly webhookSecret: string;
  stop(): Promise<void>;
}

export async function startStripeSandbox(options: StripeSandboxOptions = {}): Promise<StripeSandbox> {
  const { dataDir = '', secretKey = DEFAULT_SECRET_KEY, webhookSecret = DEFAULT_WEBHOOK_SECRET } = options;
  const secretKeys = new Set(secretKey.split(',').map((key) => key.trim()));
  const state = createState(dataDir);
  const events = new EventSender(state);
  const parts: SandboxParts = { state, events, faults: createFaults(), secretKeys, keysInUse: new Set() };
  const scene = { state, events, source: { requestId: null, idempotencyKey: null } };
  for (const intent of state.intents.values()) {
    if (intent.status === 'requires_capture') armExpiry(scene, intent);
  }
  for (const refund of state.refunds.values()) armSettlement(scene, refund);
  const server = await serve(options, (asked) => answer(parts, webhookSecret, asked));
  return {
    url: server.url,
    secretKey: [...secretKeys][0] ?? '',
    webhookSecret,
    async stop() {
      await events.deliveries.stop();
      await server.close();
      state.journal.close();
      // Timers of holds and refunds that end later find nothing and do nothing.
      state.intents.clear();
      state.refunds.clear();
    },
  };
}

const errorReply = (status: number, error: object): Reply => ({ status, body: { error } });

async function answer(parts: SandboxParts, webhookSecret: string, asked: Asked): Promise<Fate> {
  const { method, url, text } = asked;
  if (text === undefined) return errorReply(413, { message: 'The body is too large.' });
  if (!url.pathname.startsWith('/_sandbox/')) return inForm(await answerApi(parts, asked, text));
  const input = parseObject(text);
  if (input === undefined) return errorReply(400, { message: 'The body is not a JSON object.' });
  try {
    const request = { parts, webhookSecret, query: url.searchParams, input };
    return answerControl(method, url.pathname, request) ?? errorReply(404, { message: 'no such address' });
  } catch (error) {
    if (!(error instanceof StripeApiError)) throw error;
    return errorReply(error.status, error.body);
  }
}

function inForm(outcome: Outcome): Fate {
  if (typeof outcome === 'string') return outcome;
  const { status, body, requestId, key, isReplayed } = outcome;
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'request-id': requestId,
      'stripe-version': API_VERSION,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(isReplayed ? { 'idempotent-replayed': 'true', 'original-request': requestId } : {}),
      ...(status === 401 ? { 'www-authenticate': 'Basic realm="Stripe"' } : {}),
    },
    text: body,
  };
}
