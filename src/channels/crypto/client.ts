/** The wire to a BTCPay Server: JSON over undici, bounded in time and size, nothing repeated, no redirect followed. */
import { Agent, request } from 'undici';
import type { Dispatcher } from 'undici';
import type { z } from 'zod';
import type { Exchange } from '../../domain/channel';

/** What is left of a failure when texts, which may quote what we sent, are dropped. */
export interface GreenfieldFailure {
  /** HTTP status; absent when no answer came. */
  readonly status?: number;
  /** Greenfield's `code`, e.g. `invoice-not-found`. */
  readonly code?: string;
  /** The fields a 422 names, in lower case. */
  readonly paths: readonly string[];
  /** Bytes may have reached the server. */
  readonly sent: boolean;
  /** The socket's error code or a word for it, when there was no answer that could be read. */
  readonly network?: string;
}

export class GreenfieldError extends Error {
  override readonly name = 'GreenfieldError';
  constructor(readonly failure: GreenfieldFailure) {
    super('the exchange with BTCPay Server failed');
  }
}

export interface GreenfieldCall<T> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `/api/v1/`, without a slash at the beginning. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly shape: z.ZodType<T>;
}

/** Makes calls that share the time of one exchange. @throws GreenfieldError */
export type Send = <T>(call: GreenfieldCall<T>) => Promise<T>;

export interface GreenfieldClient {
  begin(exchange: Exchange): Send;
  close(): void;
}

export interface GreenfieldTarget {
  /** `https://btcpay.example/optional-root`, with or without a slash at the end. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** The way out, e.g. an agent that refuses private addresses; never closed here. Default: an agent of our own. */
  readonly dispatcher?: Dispatcher;
}

/** Below the shortest exchange (4 s), so that a connection that does not come about is known to have sent nothing. */
const CONNECT_TIMEOUT_MS = 3_000;
/** The list of a store's pull payments has no pages. */
const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;

/** Errors that happen before a byte of the request is written. Everything else may have arrived. */
export const NOT_SENT_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ADDRESS_NOT_ALLOWED',
  'DNS_FAILED',
  'DEADLINE_BEFORE_SEND',
]);

export function createGreenfieldClient(target: GreenfieldTarget): GreenfieldClient {
  const base = readBaseUrl(target.baseUrl);
  const own =
    target.dispatcher === undefined ? new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS } }) : undefined;
  const dispatcher = target.dispatcher ?? own;
  return {
    begin(exchange) {
      const deadlineMs = Date.now() + exchange.timeoutMs;
      return async (call) => {
        if (base === undefined || dispatcher === undefined)
          throw failed({ code: 'base-url-invalid', sent: false });
        const leftMs = deadlineMs - Date.now();
        if (leftMs <= 0 || exchange.signal?.aborted === true) {
          throw failed({ sent: false, network: 'DEADLINE_BEFORE_SEND' });
        }
        const timeout = AbortSignal.timeout(leftMs);
        const signal = exchange.signal === undefined ? timeout : AbortSignal.any([timeout, exchange.signal]);
        return exchangeOnce(call, { base, apiKey: target.apiKey, dispatcher, signal });
      };
    },
    close: () => void own?.destroy().catch(() => undefined),
  };
}

/** undefined: not an address a key may be sent to. Whether it may be reached at all is the dispatcher's to say. */
function readBaseUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isPlain =
    (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.password === '';
  if (!isPlain || url.search !== '' || url.hash !== '') return undefined;
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

interface Wire {
  readonly base: URL;
  readonly apiKey: string;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}

async function exchangeOnce<T>(call: GreenfieldCall<T>, wire: Wire): Promise<T> {
  const url = new URL(`api/v1/${call.path}`, wire.base);
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
  const { status, text } = await exchangeText(call, url, wire);
  if (status < 200 || status > 299) throw failed({ status, sent: true, ...readError(text) });
  const parsed = call.shape.safeParse(readJson(text));
  // Executed, or so the status says; what came of it we cannot read.
  if (!parsed.success) throw failed({ sent: true, network: 'malformed_answer' });
  return parsed.data;
}

async function exchangeText<T>(call: GreenfieldCall<T>, url: URL, wire: Wire) {
  try {
    const response = await request(url, {
      method: call.method,
      dispatcher: wire.dispatcher,
      signal: wire.signal,
      headers: {
        authorization: `token ${wire.apiKey}`,
        accept: 'application/json',
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_RESPONSE_BYTES)
        throw Object.assign(new Error('too large'), { code: 'answer_too_large' });
      chunks.push(chunk);
    }
    return { status: response.statusCode, text: Buffer.concat(chunks).toString('utf8') };
  } catch (error) {
    const code = codeOf(error, wire.signal);
    throw failed({ sent: !NOT_SENT_CODES.has(code), network: code });
  }
}

/** A name that resolves to several addresses fails with an AggregateError, whose parts all are connection errors. */
function codeOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'timeout';
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  if (typeof code === 'string') return code;
  return typeof cause?.code === 'string' ? cause.code : 'no_answer';
}

function failed(failure: Omit<GreenfieldFailure, 'paths'> & { paths?: readonly string[] }): GreenfieldError {
  return new GreenfieldError({ paths: [], ...failure });
}

/** `{ code, message }`, or for a 422 `[{ path, message }]`. */
function readError(text: string): Pick<GreenfieldFailure, 'paths'> & { code?: string } {
  const body = readJson(text);
  if (Array.isArray(body)) {
    const paths = body.map((row: unknown) => (row as { path?: unknown } | null)?.path);
    return { paths: paths.filter((path) => typeof path === 'string').map((path) => path.toLowerCase()) };
  }
  const code = (body as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? { code, paths: [] } : { paths: [] };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
