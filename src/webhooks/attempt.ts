/** One attempt to deliver one notification: an HTTP exchange with a server that may be slow, broken or hostile. */
import { errors } from 'undici';
import type { Dispatcher } from 'undici';
import { parseRetryAfter } from '../domain/webhook/delivery-policy';
import type { AttemptError, AttemptResult, DeliveryJob } from '../domain/webhook/delivery-policy';
import { deliveryHeaders } from './sign';
import { checkWebhookUrl } from './ssrf-guard';
import type { WebhookUrlPolicy } from './ssrf-guard';

const MAX_REQUEST_BYTES = 256 * 1024;
export const MAX_RESPONSE_BYTES = 16 * 1024;
/** How long the body of an answer may take once its status is known; nobody but a reader of the record misses it. */
const BODY_TIMEOUT_MS = 2_000;

export interface AttemptDeps {
  /** Of createGuardedAgent: it checks what names resolve to, and follows no redirects. */
  readonly agent: Pick<Dispatcher, 'dispatch'>;
  readonly urlPolicy: WebhookUrlPolicy;
  /** For the whole exchange, from the name to the end of the body. */
  readonly timeoutMs: number;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/**
 * Sends one attempt. The status line decides: once it is in, the body is read only for the record, at most 16 KiB of
 * it and at most 2 s, and whatever happens meanwhile changes nothing. A body that fits is read to its end, so that the
 * connection serves again; otherwise the connection is dropped.
 * @returns always, whatever the network or the receiver does
 */
export async function sendAttempt(job: DeliveryJob, deps: AttemptDeps): Promise<AttemptResult> {
  const startedAtMs = deps.now();
  const startedMs = performance.now();
  const answer = await exchange(job, deps, startedAtMs);
  return { startedAtMs, durationMs: Math.round(performance.now() - startedMs), ...answer };
}

type Answer = Omit<AttemptResult, 'startedAtMs' | 'durationMs'>;

function noAnswer(error: AttemptError): Answer {
  return { statusCode: null, response: null, error, retryAfterMs: null };
}

function exchange(job: DeliveryJob, deps: AttemptDeps, startedAtMs: number): Promise<Answer> | Answer {
  if (job.secrets.length === 0) return noAnswer('SECRET_UNREADABLE');
  if (Buffer.byteLength(job.body) > MAX_REQUEST_BYTES) return noAnswer('REQUEST_TOO_LARGE');
  // Again at every attempt: rules change, and the agent's lookup is not asked about literal addresses.
  const verdict = checkWebhookUrl(job.url, deps.urlPolicy);
  if (!verdict.ok)
    return noAnswer(verdict.code === 'ADDRESS_NOT_PUBLIC' ? 'ADDRESS_NOT_ALLOWED' : 'URL_NOT_ALLOWED');
  const { pathname, search } = new URL(job.url);
  const headers = deliveryHeaders(job, Math.floor(startedAtMs / 1_000));
  return new Promise((resolve) => {
    const handler = new ExchangeHandler(deps, resolve);
    const path = pathname + search;
    try {
      deps.agent.dispatch({ origin: verdict.origin, path, method: 'POST', headers, body: job.body }, handler);
    } catch (error) {
      handler.fail(error);
    }
  });
}

/**
 * Listens to one exchange. `dispatch` with a handler instead of `request`: no streams and no abort signals for what is
 * mostly a status line, and the connection can be dropped in the middle of a body.
 */
class ExchangeHandler implements Dispatcher.DispatchHandler {
  private readonly deadline: NodeJS.Timeout;
  private bodyDeadline: NodeJS.Timeout | undefined;
  private controller: Dispatcher.DispatchController | undefined;
  private isSettled = false;
  private statusCode: number | undefined;
  private retryAfterMs: number | null = null;
  private readonly chunks: Buffer[] = [];
  private receivedBytes = 0;

  constructor(
    private readonly deps: AttemptDeps,
    private readonly resolve: (answer: Answer) => void,
  ) {
    this.deadline = setTimeout(() => this.stop(), deps.timeoutMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // Connected too late, after the attempt has been reported: nothing may be sent any more.
    if (this.isSettled) controller.abort(new Error('too late'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx only announces the answer.
    if (this.isSettled || statusCode < 200) return;
    this.statusCode = statusCode;
    const retryAfter = headers['retry-after'];
    this.retryAfterMs = parseRetryAfter(
      Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
      this.deps.now(),
    );
    this.bodyDeadline = setTimeout(() => this.stop(), BODY_TIMEOUT_MS);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isSettled) return;
    this.chunks.push(chunk);
    this.receivedBytes += chunk.length;
    if (this.receivedBytes > MAX_RESPONSE_BYTES) this.stop();
  }

  onResponseEnd(): void {
    this.settle();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  fail(error: unknown): void {
    this.settle(errorOf(error));
  }

  /** Reports what is known and drops the connection. */
  private stop(): void {
    // Without pipelining a request waits for nothing but its connection.
    this.settle(this.controller === undefined ? 'CONNECT_TIMEOUT' : 'TIMEOUT');
    this.controller?.abort(new Error('enough'));
  }

  private settle(error: AttemptError = 'INTERNAL'): void {
    if (this.isSettled) return;
    this.isSettled = true;
    clearTimeout(this.deadline);
    clearTimeout(this.bodyDeadline);
    const { statusCode, retryAfterMs } = this;
    if (statusCode === undefined) this.resolve(noAnswer(error));
    else this.resolve({ statusCode, response: responseText(this.chunks), error: null, retryAfterMs });
  }
}

/**
 * The bytes as a text that PostgreSQL takes, at most 16 KiB in UTF-8. Invalid bytes become U+FFFD, which is longer than
 * they are, so the limit is applied twice; NUL is left out.
 */
function responseText(chunks: readonly Buffer[]): string {
  if (chunks.length === 0) return '';
  const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  const text = decodePrefix(bytes).replaceAll('\0', '');
  return Buffer.byteLength(text) <= MAX_RESPONSE_BYTES ? text : decodePrefix(Buffer.from(text));
}

/** `stream` leaves out a character that the limit has cut in two. */
function decodePrefix(bytes: Buffer): string {
  if (bytes.length <= MAX_RESPONSE_BYTES) return bytes.toString();
  return new TextDecoder().decode(bytes.subarray(0, MAX_RESPONSE_BYTES), { stream: true });
}

const CONNECT_FAILED =
  /^(ECONNREFUSED|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL|EACCES|EPERM|EINVAL)$/;
const TLS_FAILED =
  /^(ERR_TLS|ERR_SSL|EPROTO$|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_)/;

const CONNECTION_CLOSED = /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/;
// The assertion is undici's, about a status below 100.
const INVALID_RESPONSE = /^(UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|ERR_ASSERTION)$/;

/** By the codes of Node, OpenSSL and undici, never by their texts. */
function errorOf(error: unknown): AttemptError {
  if (error instanceof errors.HTTPParserError) return 'INVALID_RESPONSE';
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (code === 'ADDRESS_NOT_ALLOWED' || code === 'DNS_FAILED') return code;
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'CONNECT_TIMEOUT';
  if (CONNECT_FAILED.test(code)) return 'CONNECT_FAILED';
  if (TLS_FAILED.test(code)) return 'TLS_FAILED';
  if (CONNECTION_CLOSED.test(code)) return 'CONNECTION_CLOSED';
  return INVALID_RESPONSE.test(code) ? 'INVALID_RESPONSE' : 'INTERNAL';
}
