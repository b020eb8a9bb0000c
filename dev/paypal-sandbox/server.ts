/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import { parseObject, serve } from '../sandbox/http';
import type { Asked, Fate, RawReply, Reply, ServerOptions } from '../sandbox/http';
import { answerApi } from './api';
import type { Answer, Parts } from './api';
import { checkoutPage } from './checkout';
import { answerControl } from './control';
import { PayPalError } from './errors';
import { EventSender } from './events';
import { createFaults } from './faults';
import { State } from './state';

export const DEFAULT_CLIENTS = 'holdfast-client:holdfast-secret';
export const DEFAULT_WEBHOOK_ID = '8PT597110X687430LKGECATA';

export interface PayPalSandboxOptions extends ServerOptions {
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

export async function startPayPalSandbox(options: PayPalSandboxOptions = {}): Promise<PayPalSandbox> {
  const { dataDir = '', clients = DEFAULT_CLIENTS } = options;
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
    faults: createFaults(),
    clients: new Map(pairs),
    tokens: new Map(),
    inUse: new Set(),
  };
  const server = await serve(options, (asked) => answer(parts, asked));
  base = server.url;
  events.resume();
  const [clientId = '', clientSecret = ''] = pairs[0] ?? [];
  return {
    url: base,
    clientId,
    clientSecret,
    signEvent: (body, webhookId, timeMs) => events.headers(body, webhookId, timeMs),
    async stop() {
      await events.deliveries.stop();
      await server.close();
      state.close();
    },
  };
}

const failed = (status: number, message: string): Reply => ({ status, body: { message } });

async function answer(parts: Parts, { method, url, headers, text }: Asked): Promise<Fate> {
  if (text === undefined) return failed(413, 'The body is too large.');
  const certificate = /^\/v1\/notifications\/certs\/(.+)$/.exec(url.pathname);
  if (certificate !== null) return certificateReply(parts, certificate[1] ?? '');
  try {
    if (url.pathname.startsWith('/_')) return control(parts, method, url, text);
    if (url.pathname === '/checkoutnow') return page(parts, method, url, text);
  } catch (error) {
    if (!(error instanceof PayPalError)) throw error;
    return { status: error.status, body: error.body };
  }
  const outcome = await answerApi(parts, { method, url, headers, text });
  return typeof outcome === 'string' ? outcome : dated(parts, outcome);
}

/** PayPal tells its time with every answer; here that is the sandbox's. */
function dated({ state }: Parts, { status, body }: Answer): RawReply {
  const date = new Date(state.now()).toUTCString();
  if (body === undefined) return { status, headers: { date }, text: undefined };
  return { status, headers: { date, 'content-type': 'application/json' }, text: JSON.stringify(body) };
}

function control(parts: Parts, method: string, url: URL, text: string): Reply {
  const input = parseObject(text);
  if (input === undefined) return failed(400, 'The body is not a JSON object.');
  const request = { parts, query: url.searchParams, input };
  return answerControl(method, url.pathname, request) ?? failed(404, 'no such address');
}

function certificateReply({ state }: Parts, name: string): Fate {
  if (name !== state.signing.name) return { status: 404, body: undefined };
  const headers = { 'content-type': 'application/x-pem-file' };
  return { status: 200, headers, text: state.signing.certificate };
}

function page(parts: Parts, method: string, url: URL, text: string): RawReply {
  const { status, location, html } = checkoutPage(parts, method, url.searchParams, new URLSearchParams(text));
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    ...(location === undefined ? {} : { location }),
  };
  return { status, headers, text: html };
}
