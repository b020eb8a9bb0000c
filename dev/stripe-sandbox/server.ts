/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerApi } from './api';
import type { Outcome, SandboxParts } from './api';
import { answerControl } from './control-routes';
import { StripeApiError } from './errors';
import { EventSender } from './events';
import { Faults } from './faults';
import { armExpiry } from './payment-intents';
import { armSettlement } from './refunds';
import { createState } from './state';
import { API_VERSION } from './version';
import type { JsonObject } from './types';

export const DEFAULT_SECRET_KEY = 'sk_test_holdfast_sandbox';
export const DEFAULT_WEBHOOK_SECRET = 'whsec_holdfast_sandbox';

export interface StripeSandboxOptions {
  /** 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Where the state is kept; empty: in memory. */
  readonly dataDir?: string;
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

const MAX_BODY_BYTES = 1024 * 1024;

export async function startStripeSandbox(options: StripeSandboxOptions = {}): Promise<StripeSandbox> {
  const { port = 0, host = '127.0.0.1', dataDir = '', secretKey = DEFAULT_SECRET_KEY } = options;
  const { webhookSecret = DEFAULT_WEBHOOK_SECRET } = options;
  const secretKeys = new Set(secretKey.split(',').map((key) => key.trim()));
  const state = createState(dataDir);
  const events = new EventSender(state);
  const parts: SandboxParts = { state, events, faults: new Faults(), secretKeys, keysInUse: new Set() };
  const scene = { state, events, source: { requestId: null, idempotencyKey: null } };
  for (const intent of state.intents.values()) {
    if (intent.status === 'requires_capture') armExpiry(scene, intent);
  }
  for (const refund of state.refunds.values()) armSettlement(scene, refund);
  const server = http.createServer((request, response) => {
    handle(parts, webhookSecret, request, response).catch((error: unknown) => {
      // A caller that went away while it was still sending is its own business.
      if (request.complete) console.error('the sandbox failed', error);
      response.destroy();
    });
  });
  // Longer than clients keep idle connections, so that a reset is always one that was asked for.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    secretKey: [...secretKeys][0] ?? '',
    webhookSecret,
    stop: () => stop(parts, server),
  };
}

async function stop(parts: SandboxParts, server: http.Server): Promise<void> {
  parts.events.stop();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
  parts.state.journal.close();
  // Timers of holds and refunds that end later find nothing and do nothing.
  parts.state.intents.clear();
  parts.state.refunds.clear();
}

async function handle(
  parts: SandboxParts,
  webhookSecret: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const url = new URL(request.url ?? '/', 'http://sandbox');
  if (body === undefined) return sendJson(response, 413, { error: { message: 'The body is too large.' } });
  if (url.pathname.startsWith('/_sandbox/')) {
    const input = parseJson(body);
    if (input === undefined)
      return sendJson(response, 400, { error: { message: 'The body is not a JSON object.' } });
    return sendControl(response, () =>
      answerControl(request.method ?? 'GET', url.pathname, {
        parts,
        webhookSecret,
        query: url.searchParams,
        input,
      }),
    );
  }
  send(request, response, await answerApi(parts, request, url, body));
}

async function readBody(request: http.IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}

function parseJson(body: string): JsonObject | undefined {
  if (body === '') return {};
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function sendControl(response: http.ServerResponse, answer: () => ReturnType<typeof answerControl>): void {
  try {
    const { status, body } = answer() ?? { status: 404, body: { error: { message: 'no such address' } } };
    sendJson(response, status, body);
  } catch (error) {
    if (!(error instanceof StripeApiError)) throw error;
    sendJson(response, error.status, { error: error.body });
  }
}

function sendJson(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function send(request: http.IncomingMessage, response: http.ServerResponse, outcome: Outcome): void {
  if (outcome === 'never') return;
  if (outcome === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  response
    .writeHead(outcome.status, {
      'content-type': 'application/json',
      'request-id': outcome.requestId,
      'stripe-version': API_VERSION,
      ...(outcome.key === undefined ? {} : { 'idempotency-key': outcome.key }),
      ...(outcome.isReplayed ? { 'idempotent-replayed': 'true', 'original-request': outcome.requestId } : {}),
      ...(outcome.status === 401 ? { 'www-authenticate': 'Basic realm="Stripe"' } : {}),
    })
    .end(outcome.body);
}
