/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { API_ROUTES } from './api-routes';
import type { ApiRequest, ApiRoute } from './api-routes';
import { authorize } from './auth';
import { answerControl } from './control-routes';
import { apiError, GreenfieldApiError } from './errors';
import { EventSender } from './events';
import { Faults } from './faults';
import { armExpiry } from './invoices';
import type { Scene } from './invoices';
import { State } from './state';
import type { JsonObject } from './types';

export const DEFAULT_API_KEY = 'btcpay_sandbox_api_key';
export const DEFAULT_STORE_ID = 'HoldfastSandboxStore';
export const DEFAULT_WEBHOOK_SECRET = 'btcpay_sandbox_webhook_secret';
/** What the adapter asks for, and no more. */
const DEFAULT_PERMISSIONS = ['btcpay.store.canmodifyinvoices', 'btcpay.store.canmanagepullpayments'];

export interface BtcpaySandboxOptions {
  /** 0: any free port. */
  readonly port?: number;
  readonly host?: string;
  /** Where the state is kept; empty: in memory. */
  readonly dataDir?: string;
  readonly apiKey?: string;
  readonly storeId?: string;
  readonly webhookSecret?: string;
}

export interface BtcpaySandbox {
  /** Base URL, without a slash at the end. */
  readonly url: string;
  readonly apiKey: string;
  readonly storeId: string;
  readonly webhookSecret: string;
  stop(): Promise<void>;
}

interface Parts {
  readonly scene: Scene;
  readonly faults: Faults;
  readonly defaults: { readonly storeId: string; readonly webhookSecret: string };
  baseUrl: string;
}

const MAX_BODY_BYTES = 1024 * 1024;

export async function startBtcpaySandbox(options: BtcpaySandboxOptions = {}): Promise<BtcpaySandbox> {
  const { port = 0, host = '127.0.0.1', dataDir = '' } = options;
  const {
    apiKey = DEFAULT_API_KEY,
    storeId = DEFAULT_STORE_ID,
    webhookSecret = DEFAULT_WEBHOOK_SECRET,
  } = options;
  const state = new State(dataDir);
  state.save('key', apiKey, { key: apiKey, storeId, permissions: DEFAULT_PERMISSIONS });
  const scene: Scene = { state, events: new EventSender(state) };
  for (const invoice of state.invoices.values()) if (invoice.status === 'New') armExpiry(scene, invoice);
  const parts: Parts = { scene, faults: new Faults(), defaults: { storeId, webhookSecret }, baseUrl: '' };
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
  parts.baseUrl = `http://${host}:${(server.address() as AddressInfo).port}`;
  return { url: parts.baseUrl, apiKey, storeId, webhookSecret, stop: () => stop(parts, server) };
}

async function stop({ scene }: Parts, server: http.Server): Promise<void> {
  scene.events.stop();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
  scene.state.flush();
}

async function handle(
  parts: Parts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const method = request.method ?? 'GET';
  const url = new URL(request.url ?? '/', 'http://sandbox');
  const text = await readBody(request);
  const body = text === undefined ? undefined : parseJson(text);
  if (body === undefined)
    return sendJson(response, 400, { code: 'json', message: 'The body is no JSON object.' });
  try {
    if (url.pathname.startsWith('/_')) {
      const { scene, faults, defaults, baseUrl } = parts;
      const input = { scene, faults, defaults, baseUrl, query: url.searchParams, input: body };
      const answer = answerControl(method, url.pathname, input);
      return sendJson(
        response,
        answer?.status ?? 404,
        answer?.body ?? { code: 'control', message: 'no such address' },
      );
    }
    await answerApi(parts, request, response, { method, url, body });
  } catch (error) {
    if (!(error instanceof GreenfieldApiError)) throw error;
    sendJson(response, error.status, error.body);
  }
}

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly body: JsonObject;
}

async function answerApi(
  parts: Parts,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { method, url, body }: Asked,
): Promise<void> {
  const { scene, baseUrl } = parts;
  const [route, groups] = findRoute(method, url.pathname);
  if (route === undefined) throw apiError(404, 'not-found', 'There is no such address');
  const { store: storeId = '', id = '' } = groups;
  if (route.permission !== null)
    authorize(scene.state, request.headers.authorization ?? '', storeId, route.permission);
  const asked: ApiRequest = { scene, baseUrl, storeId, id, query: url.searchParams, body };
  const rule = parts.faults.take(route.operation, holdfastIdOf(asked));
  const serverError = apiError(500, 'server-error', 'This error was made by the sandbox.');
  if (rule?.fault === 'error_before') throw serverError;
  if (rule?.fault === 'reset_before') return void request.socket.resetAndDestroy();
  if (rule?.fault === 'slow') await new Promise((resolve) => setTimeout(resolve, rule.delayMs));
  const answer = execute(route, asked);
  if (rule?.fault === 'timeout_after') return;
  if (rule?.fault === 'reset_after') return void request.socket.resetAndDestroy();
  if (rule?.fault === 'error_after') throw serverError;
  sendJson(response, 200, answer);
}

/** What was changed is on disk before it is answered. */
function execute(route: ApiRoute, asked: ApiRequest): unknown {
  try {
    return route.answer(asked);
  } finally {
    asked.scene.state.flush();
  }
}

function findRoute(method: string, path: string): [ApiRoute | undefined, Record<string, string>] {
  for (const route of API_ROUTES) {
    const match = route.method === method ? route.path.exec(path) : null;
    if (match !== null) {
      const groups = Object.entries(match.groups ?? {}).map(([name, value]) => [
        name,
        decodeURIComponent(value),
      ]);
      return [route, Object.fromEntries(groups) as Record<string, string>];
    }
  }
  return [undefined, {}];
}

/** Whose request it is, for faults that are aimed at one payment or refund. */
function holdfastIdOf({ scene, id, body }: ApiRequest): string | undefined {
  const fromRefund = /holdfast_id=([^;]+)/.exec(
    typeof body['description'] === 'string' ? body['description'] : '',
  );
  if (fromRefund !== null) return decodeURIComponent(fromRefund[1] ?? '');
  const metadata = (body['metadata'] ?? scene.state.invoices.get(id)?.metadata) as JsonObject | undefined;
  const holdfastId = metadata?.['holdfast_id'];
  return typeof holdfastId === 'string' ? holdfastId : undefined;
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

function parseJson(text: string): JsonObject | undefined {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function sendJson(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
