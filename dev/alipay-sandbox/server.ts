/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { showCashier } from './cashier';
import { answerControl, createApp, credentialsOf } from './control';
import { Faults } from './faults';
import { answerGateway } from './gateway';
import type { Outcome, SandboxParts } from './gateway';
import { Notifier } from './notifications';
import { State } from './state';
import { expireIfDue } from './trades';
import type { JsonObject } from './types';

export interface AlipaySandboxOptions {
  /** 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Where the state is kept; empty: in memory. */
  readonly dataDir?: string;
  /** Of the first application, made when there is none. */
  readonly appId?: string;
  /** Its currencies beside CNY. */
  readonly currencies?: readonly string[];
}

export interface AlipaySandboxCredentials {
  readonly app_id: string;
  readonly app_private_key: string;
  readonly alipay_public_key: string;
  readonly seller_id: string;
}

export interface AlipaySandbox {
  /** Base URL, without a slash at the end; the gateway is `/gateway.do` below it. */
  readonly url: string;
  readonly credentials: AlipaySandboxCredentials;
  /** The key its answers and notifications are signed with, PEM. */
  readonly signingKey: string;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 1024 * 1024;
const EXPIRY_SWEEP_MS = 250;

export async function startAlipaySandbox(options: AlipaySandboxOptions = {}): Promise<AlipaySandbox> {
  const { port = 0, host = '127.0.0.1', dataDir = '', appId = '2021000000000000', currencies = [] } = options;
  const state = new State(dataDir);
  if (!state.apps.has(appId))
    state.save('app', createApp({ app_id: appId, seller_id: '2088000000000000', currencies }));
  const parts: SandboxParts = { state, notifier: new Notifier(state), faults: new Faults() };
  const sweep = setInterval(
    () => state.trades.forEach((trade) => expireIfDue(parts, trade)),
    EXPIRY_SWEEP_MS,
  ).unref();
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
  const address = server.address() as AddressInfo;
  return {
    url: `http://${host}:${address.port}`,
    credentials: credentialsOf(parts, appId),
    signingKey: state.privateKey,
    stop: async () => {
      clearInterval(sweep);
      parts.notifier.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      state.close();
    },
  };
}

async function handle(
  parts: SandboxParts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  const url = new URL(request.url ?? '/', 'http://sandbox');
  const method = request.method ?? 'GET';
  if (body === undefined) return sendJson(response, 413, { error: 'the body is too large' });
  if (url.pathname === '/gateway.do' && method === 'POST') {
    const params = Object.fromEntries([...url.searchParams, ...new URLSearchParams(body)]);
    return send(request, response, await answerGateway(parts, params));
  }
  if (url.pathname === '/gateway.do' || url.pathname.startsWith('/_cashier/'))
    return showCashier(parts, method, url, response);
  const input = parseJson(body);
  if (input === undefined) return sendJson(response, 400, { error: 'the body is not a JSON object' });
  const answer = answerControl(method, url.pathname, { parts, query: url.searchParams, input });
  sendJson(response, answer?.status ?? 404, answer?.body ?? { error: 'no such address' });
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

function sendJson(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function send(request: http.IncomingMessage, response: http.ServerResponse, outcome: Outcome): void {
  if (outcome === 'never') return;
  if (outcome === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(outcome.status, { 'content-type': 'text/html;charset=utf-8' }).end(outcome.body);
}
