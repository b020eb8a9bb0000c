/**
 * The wire to PayPal: JSON over undici. The official SDK knows two base addresses only and cannot say whether anything
 * was sent. One call of `send` is one exchange: token, request, and one repeat after a 401, all within its time.
 */
import { Agent } from 'undici';
import { ChannelFault } from '../../domain/channel';
import type { Exchange, World } from '../../domain/channel';
import { exchangeOnce, parseJson } from './http';
import type { Wire, WireRequest } from './http';
import { createTokens } from './tokens';
import type { PayPalCredentials } from './tokens';

export interface PayPalRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** `PayPal-Request-Id`: without it a repeated POST is executed again, so every POST of ours has one. */
  readonly requestId?: string;
}

export interface PayPalReply {
  readonly status: number;
  /** undefined: no body, or one that is no JSON (a proxy's error page). */
  readonly body: unknown;
  /** When PayPal answered, by its own clock (ours where it does not tell), Unix milliseconds. */
  readonly atMs: number;
}

export interface PayPalClient {
  /** @throws ChannelFault when no complete answer came, or no token could be had (then nothing was sent) */
  send(request: PayPalRequest, exchange: Exchange): Promise<PayPalReply>;
  /** A text from an absolute address, without credentials. @throws ChannelFault */
  fetchText(url: URL, limit: { timeoutMs: number; maxBytes: number }): Promise<string>;
  readonly base: URL;
  close(): void;
}

const LIVE_BASE = 'https://api-m.paypal.com';
const TEST_BASE = 'https://api-m.sandbox.paypal.com';
/** Short, so that a host that does not answer is known as "not sent" before the exchange ends. */
const CONNECT_TIMEOUT_MS = 2_500;
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;

/** @param apiBase e.g. `http://127.0.0.1:12112`; empty: PayPal itself, live or its sandbox by the world */
export function createPayPalClient(
  credentials: PayPalCredentials,
  world: World,
  apiBase: string,
): PayPalClient {
  const base = new URL(apiBase === '' ? (world === 'live' ? LIVE_BASE : TEST_BASE) : apiBase);
  const agent = new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } });
  const wire: Wire = (request, limit) => exchangeOnce(agent, request, limit);
  const tokens = createTokens(wire, base, credentials);

  async function send(request: PayPalRequest, exchange: Exchange): Promise<PayPalReply> {
    const limit = {
      deadlineMs: Date.now() + exchange.timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
      signal: exchange.signal,
    };
    for (let tries = 1; ; tries++) {
      const token = await tokens.get(limit);
      if ('refused' in token) return { ...token.refused, atMs: Date.now() };
      const reply = await wire(toWire(base, request, token.token), limit);
      if (reply.status === 401) tokens.drop(token.token);
      // PayPal checks the token before anything else, so a request answered 401 was not executed.
      if (reply.status !== 401 || tries > 1) {
        return { status: reply.status, body: parseJson(reply.text), atMs: reply.dateMs ?? Date.now() };
      }
    }
  }

  return {
    base,
    send,
    async fetchText(url, { timeoutMs, maxBytes }) {
      const limit = { deadlineMs: Date.now() + timeoutMs, maxBytes };
      const reply = await wire({ method: 'GET', url, headers: {} }, limit);
      if (reply.status !== 200) throw new ChannelFault('not_sent', `http_${reply.status}`);
      return reply.text;
    },
    close: () => void agent.destroy(),
  };
}

function toWire(base: URL, { method, path, body, requestId }: PayPalRequest, token: string): WireRequest {
  return {
    method,
    url: new URL(path, base),
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/json',
      // PayPal answers 415 to a POST without it, a body or not.
      ...(method === 'GET' ? {} : { 'content-type': 'application/json', prefer: 'return=representation' }),
      ...(requestId === undefined ? {} : { 'paypal-request-id': requestId }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}
