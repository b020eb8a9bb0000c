/**
 * The wire to Stripe: the official SDK over an HTTP client of ours, because the SDK's own bounds each of its tries
 * instead of the whole exchange, takes no abort signal, and does not say whether anything was sent.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import Stripe from 'stripe';
import type { Exchange } from '../../domain/channel';

/** State of one exchange, shared by the SDK's tries (it repeats once on a closed connection). */
interface ExchangeState {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  /** True once a connection stood: from then on bytes may have arrived, whatever happened after. */
  sent: boolean;
}

/** The SDK waits this long before it repeats; a repeat that could only start after the deadline is not begun. */
const SDK_REPEAT_PAUSE_MS = 600;
const REPEATED_BY_SDK: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** What went wrong in an exchange, with the knowledge whether bytes may have left. */
export class ExchangeFailure extends Error {
  override readonly name = 'ExchangeFailure';
  constructor(
    readonly error: unknown,
    readonly sent: boolean,
  ) {
    super('the exchange with Stripe failed', { cause: error });
  }
}

export interface StripeClient {
  readonly stripe: Stripe;
  /**
   * Runs SDK calls as one exchange that ends, all pages and repeats included, within `exchange.timeoutMs`.
   * @throws ExchangeFailure
   */
  exchange<T>(exchange: Exchange, calls: () => Promise<T>): Promise<T>;
  /** Closes idle connections. */
  close(): void;
}

/** @param apiBase e.g. `http://127.0.0.1:12111`; empty: Stripe itself */
export function createStripeClient(secretKey: string, apiBase: string): StripeClient {
  const base = new URL(apiBase === '' ? 'https://api.stripe.com' : apiBase);
  const isPlain = base.protocol === 'http:';
  const agent = isPlain ? new http.Agent({ keepAlive: true }) : new https.Agent({ keepAlive: true });
  const current = new AsyncLocalStorage<ExchangeState>();
  const stripe = new Stripe(secretKey, {
    host: base.hostname,
    port: base.port === '' ? (isPlain ? 80 : 443) : Number(base.port),
    protocol: isPlain ? 'http' : 'https',
    maxNetworkRetries: 0,
    telemetry: false,
    httpClient: {
      getClientName: () => 'holdfast',
      makeRequest: (host, port, path, method, headers, body) => {
        const options = { host, port, path, method, headers: headers as http.OutgoingHttpHeaders, agent };
        return makeRequest(
          isPlain ? http.request(options) : https.request(options),
          body,
          current.getStore(),
        );
      },
    },
  });
  return {
    stripe,
    async exchange(exchange, calls) {
      const state = { deadlineMs: Date.now() + exchange.timeoutMs, signal: exchange.signal, sent: false };
      try {
        return await current.run(state, calls);
      } catch (error) {
        throw new ExchangeFailure(error, state.sent);
      }
    },
    close: () => agent.destroy(),
  };
}

function wireError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function makeRequest(request: http.ClientRequest, body: string, state: ExchangeState | undefined) {
  return new Promise<SdkResponse>((resolve, reject) => {
    if (state === undefined) {
      request.destroy();
      reject(new Error('a Stripe call was made outside of an exchange'));
      return;
    }
    const leftMs = state.deadlineMs - Date.now();
    const timer = setTimeout(() => request.destroy(wireError('ETIMEDOUT')), Math.max(leftMs, 0));
    const abort = () => request.destroy(wireError('ABORTED'));
    const done = () => {
      clearTimeout(timer);
      state.signal?.removeEventListener('abort', abort);
    };
    const failed = (error: NodeJS.ErrnoException) => {
      done();
      const isTooLateToRepeat =
        REPEATED_BY_SDK.has(error.code ?? '') && state.deadlineMs - Date.now() < SDK_REPEAT_PAUSE_MS;
      reject(isTooLateToRepeat ? wireError('CONNECTION_CLOSED') : error);
    };
    request.on('error', failed);
    request.on('socket', (socket) => markSent(socket, state));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', failed);
      response.on('end', () => {
        done();
        resolve(sdkResponse(response, Buffer.concat(chunks).toString('utf8')));
      });
    });
    if (leftMs <= 0) return void request.destroy(wireError('ETIMEDOUT'));
    if (state.signal?.aborted === true) return void abort();
    state.signal?.addEventListener('abort', abort, { once: true });
    request.end(body);
  });
}

/** Nothing can have been sent before the connection (with TLS: the handshake) stands; a reused one stands already. */
function markSent(socket: Socket, state: ExchangeState): void {
  const mark = () => {
    state.sent = true;
  };
  if (!socket.connecting) mark();
  else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', mark);
}

interface SdkResponse {
  getStatusCode(): number;
  getHeaders(): Record<string, string>;
  getRawResponse(): unknown;
  toStream(): never;
  toJSON(): Promise<unknown>;
}

/** The whole body is read before the SDK sees the response, so that a connection lost half-way is one more wire error. */
function sdkResponse(response: http.IncomingMessage, body: string): SdkResponse {
  return {
    getStatusCode: () => response.statusCode ?? 0,
    getHeaders: () => response.headers as Record<string, string>,
    getRawResponse: () => response,
    toStream: () => {
      throw new Error('no streaming call is used');
    },
    // A body that is no JSON (a proxy's error page) rejects here, and is then a failure without a status: unknown.
    toJSON: () => new Promise((resolve) => resolve(JSON.parse(body))),
  };
}
