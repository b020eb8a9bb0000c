/** The sandbox as an HTTP server: reads, dispatches, writes. Used by main.ts and, in the same process, by tests. */
import { parseObject, serve } from '../sandbox/http';
import type { Asked, Fate, Reply, ServerOptions } from '../sandbox/http';
import { showCashier } from './cashier';
import { answerControl, createApp, credentialsOf } from './control';
import { createFaults } from './faults';
import { answerGateway } from './gateway';
import type { SandboxParts } from './gateway';
import { Notifier } from './notifications';
import { State } from './state';
import { expireIfDue } from './trades';

export interface AlipaySandboxOptions extends ServerOptions {
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

const EXPIRY_SWEEP_MS = 250;

export async function startAlipaySandbox(options: AlipaySandboxOptions = {}): Promise<AlipaySandbox> {
  const { dataDir = '', appId = '2021000000000000', currencies = [] } = options;
  const state = new State(dataDir);
  if (!state.apps.has(appId))
    state.save('app', createApp({ app_id: appId, seller_id: '2088000000000000', currencies }));
  const parts: SandboxParts = { state, notifier: new Notifier(state), faults: createFaults() };
  const sweep = setInterval(
    () => state.trades.forEach((trade) => expireIfDue(parts, trade)),
    EXPIRY_SWEEP_MS,
  ).unref();
  const server = await serve(options, (asked) => answer(parts, asked));
  return {
    url: server.url,
    credentials: credentialsOf(parts, appId),
    signingKey: state.privateKey,
    stop: async () => {
      clearInterval(sweep);
      await parts.notifier.deliveries.stop();
      await server.close();
      state.close();
    },
  };
}

const failed = (status: number, error: string): Reply => ({ status, body: { error } });

async function answer(parts: SandboxParts, { method, url, text }: Asked): Promise<Fate> {
  if (text === undefined) return failed(413, 'the body is too large');
  if (url.pathname === '/gateway.do' && method === 'POST') {
    const params = Object.fromEntries([...url.searchParams, ...new URLSearchParams(text)]);
    const outcome = await answerGateway(parts, params);
    if (typeof outcome === 'string') return outcome;
    const headers = { 'content-type': 'text/html;charset=utf-8' };
    return { status: outcome.status, headers, text: outcome.body };
  }
  if (url.pathname === '/gateway.do' || url.pathname.startsWith('/_cashier/'))
    return showCashier(parts, method, url);
  const input = parseObject(text);
  if (input === undefined) return failed(400, 'the body is not a JSON object');
  const request = { parts, query: url.searchParams, input };
  return answerControl(method, url.pathname, request) ?? failed(404, 'no such address');
}
