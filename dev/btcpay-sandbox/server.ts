/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseObject, serve } from '../sandbox/http';
import type { Asked, Fate, ServerOptions } from '../sandbox/http';
import { API_ROUTES } from './api-routes';
import type { ApiRequest, ApiRoute } from './api-routes';
import { authorize } from './auth';
import { answerControl } from './control-routes';
import { apiError, GreenfieldApiError } from './errors';
import { EventSender } from './events';
import { createFaults } from './faults';
import type { BtcpayFaults } from './faults';
import { armExpiry } from './invoices';
import type { Scene } from './invoices';
import { State } from './state';
import type { JsonObject } from './types';

export const DEFAULT_API_KEY = 'btcpay_sandbox_api_key';
export const DEFAULT_STORE_ID = 'HoldfastSandboxStore';
export const DEFAULT_WEBHOOK_SECRET = 'btcpay_sandbox_webhook_secret';
/** What the adapter asks for, and no more. */
const DEFAULT_PERMISSIONS = ['btcpay.store.canmodifyinvoices', 'btcpay.store.canmanagepullpayments'];

export interface BtcpaySandboxOptions extends ServerOptions {
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
  readonly faults: BtcpayFaults;
  readonly defaults: { readonly storeId: string; readonly webhookSecret: string };
  baseUrl: string;
}

export async function startBtcpaySandbox(options: BtcpaySandboxOptions = {}): Promise<BtcpaySandbox> {
  const {
    dataDir = '',
    apiKey = DEFAULT_API_KEY,
    storeId = DEFAULT_STORE_ID,
    webhookSecret = DEFAULT_WEBHOOK_SECRET,
  } = options;
  const state = new State(dataDir);
  state.save('key', apiKey, { key: apiKey, storeId, permissions: DEFAULT_PERMISSIONS });
  const events = new EventSender(state);
  const scene: Scene = { state, events };
  for (const invoice of state.invoices.values()) if (invoice.status === 'New') armExpiry(scene, invoice);
  const defaults = { storeId, webhookSecret };
  const parts: Parts = { scene, faults: createFaults(), defaults, baseUrl: '' };
  const server = await serve(options, (asked) => answer(parts, asked));
  parts.baseUrl = server.url;
  return {
    url: server.url,
    apiKey,
    storeId,
    webhookSecret,
    async stop() {
      await events.deliveries.stop();
      await server.close();
      state.close();
    },
  };
}

async function answer(parts: Parts, asked: Asked): Promise<Fate> {
  const { method, url, text } = asked;
  const input = text === undefined ? undefined : parseObject(text);
  if (input === undefined)
    return { status: 400, body: { code: 'json', message: 'The body is no JSON object.' } };
  try {
    if (!url.pathname.startsWith('/_')) return await answerApi(parts, asked, input);
    const answered = answerControl(method, url.pathname, { ...parts, query: url.searchParams, input });
    return answered ?? { status: 404, body: { code: 'control', message: 'no such address' } };
  } catch (error) {
    if (!(error instanceof GreenfieldApiError)) throw error;
    return { status: error.status, body: error.body };
  }
}

async function answerApi(parts: Parts, { method, url, headers }: Asked, body: JsonObject): Promise<Fate> {
  const { scene, baseUrl } = parts;
  const [route, groups] = findRoute(method, url.pathname);
  if (route === undefined) throw apiError(404, 'not-found', 'There is no such address');
  const { store: storeId = '', id = '' } = groups;
  if (route.permission !== null)
    authorize(scene.state, headers.authorization ?? '', storeId, route.permission);
  const asked: ApiRequest = { scene, baseUrl, storeId, id, query: url.searchParams, body };
  const rule = parts.faults.take({ operation: route.operation, holdfastId: holdfastIdOf(asked) });
  const serverError = apiError(500, 'server-error', 'This error was made by the sandbox.');
  if (rule?.fault === 'error_before') throw serverError;
  if (rule?.fault === 'reset_before') return 'reset';
  if (rule?.fault === 'slow') await sleep(rule.delayMs);
  const answer = execute(route, asked);
  if (rule?.fault === 'timeout_after') return 'never';
  if (rule?.fault === 'reset_after') return 'reset';
  if (rule?.fault === 'error_after') throw serverError;
  return { status: 200, body: answer };
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
