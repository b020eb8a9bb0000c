/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerApi } from './api';
import type { Answer, Outcome, Parts } from './api';
import { checkoutPage } from './checkout';
import { answerControl } from './control';
import { PayPalError } from './errors';
import { EventSender } from './events';
import { Faults } from './faults';
import { State } from './state';
import type { JsonObject } from './types';

export const DEFAULT_CLIENTS = 'holdfast-client:holdfast-secret';
export const DEFAULT_WEBHOOK_ID = '8PT597110X687430LKGECATA';

export interface PayPalSandboxOptions {
  /** 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Where the state is kept; empty: in memory. */
  readonly dataDir?: string;
  /** `client_id:client_secret`, comma separated; each is an account of its own. */
  readonly clients?: string;
}

export interface PayPalSandbox {
  /** Base URL, without a slash at the end. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The headers PayPal would send with this body to this webhook. */
  signEvent(body: string, webhookId: string, timeMs: number): Record<string, string>;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;

export async function startPayPalSandbox(options: PayPalSandboxOptions = {}): Promise<PayPalSandbox> {
  const { port = 0, host = '127.0.0.1', dataDir = '', clients = DEFAULT_CLIENTS } = options;
  const pairs = clients.split(',').map((pair) => pair.trim().split(':') as [string, string]);
  const state = new State(dataDir);
  let base = '';
  const events = new EventSender(state, () => base);
  const parts: Parts = {
    state,
    events,
    get base() {
      return base;
    },
    faults: new Faults(),
    clients: new Map(pairs),
    tokens: new Map(),
    inUse: new Set(),
  };
  const server = http.createServer((request, response) => {
    handle(parts, request, response).catch((error: unknown) => {
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
  base = `http://${host}:${(server.address() as AddressInfo).port}`;
  events.resume();
  const [clientId = '', clientSecret = ''] = pairs[0] ?? [];
  return {
    url: base,
    clientId,
    clientSecret,
    signEvent: (body, webhookId, timeMs) => events.headers(body, webhookId, timeMs),
    stop: () => stop(parts, server),
  };
}

async function stop(parts: Parts, server: http.Server): Promise<void> {
  parts.events.stop();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
  parts.state.close();
}

async function handle(
  parts: Parts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const text = await readBody(request);
  if (text === undefined)
    return sendJson(response, { status: 413, body: { message: 'The body is too large.' } });
  const url = new URL(request.url ?? '/', parts.base);
  const method = request.method ?? 'GET';
  if (url.pathname.startsWith('/_')) return sendJson(response, control(parts, method, url, text));
  const certificate = /^\/v1\/notifications\/certs\/(.+)$/.exec(url.pathname);
  if (certificate !== null) return sendCertificate(parts, response, certificate[1] ?? '');
  if (url.pathname === '/checkoutnow') return sendPage(parts, response, method, url, text);
  const outcome = await answerApi(parts, { method, url, headers: request.headers, text });
  send(request, response, outcome);
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

function control(parts: Parts, method: string, url: URL, text: string): Answer {
  try {
    const input: unknown = text === '' ? {} : JSON.parse(text);
    if (typeof input !== 'object' || input === null) throw new SyntaxError('no object');
    const request = { parts, query: url.searchParams, input: input as JsonObject };
    const answer = answerControl(method, url.pathname, request);
    return answer ?? { status: 404, body: { message: 'no such address' } };
  } catch (error) {
    if (error instanceof PayPalError) return { status: error.status, body: error.body };
    if (error instanceof SyntaxError)
      return { status: 400, body: { message: 'The body is not a JSON object.' } };
    throw error;
  }
}

function sendCertificate({ state }: Parts, response: http.ServerResponse, name: string): void {
  if (name !== state.signing.name) return void response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'application/x-pem-file' }).end(state.signing.certificate);
}

function sendPage(parts: Parts, response: http.ServerResponse, method: string, url: URL, text: string): void {
  try {
    const page = checkoutPage(parts, method, url.searchParams, new URLSearchParams(text));
    const location = page.location === undefined ? {} : { location: page.location };
    response
      .writeHead(page.status, { 'content-type': 'text/html; charset=utf-8', ...location })
      .end(page.html);
  } catch (error) {
    if (!(error instanceof PayPalError)) throw error;
    sendJson(response, { status: error.status, body: error.body });
  }
}

function sendJson(response: http.ServerResponse, { status, body }: Answer): void {
  if (body === undefined) return void response.writeHead(status).end();
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function send(request: http.IncomingMessage, response: http.ServerResponse, outcome: Outcome): void {
  if (outcome === 'never') return;
  if (outcome === 'reset') request.socket.resetAndDestroy();
  else sendJson(response, outcome);
}
