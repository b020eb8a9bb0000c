/** One exchange of bytes with PayPal, bounded in time and size, that knows whether anything was sent. */
import { DecoratorHandler } from 'undici';
import type { Agent, Dispatcher } from 'undici';
import { ChannelFault } from '../../domain/channel';

/** What one try needs: the bytes, and how long it may take. */
export interface WireRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface WireLimit {
  readonly deadlineMs: number;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export interface WireReply {
  readonly status: number;
  readonly text: string;
  /** PayPal's clock as it answered, Unix milliseconds; undefined when it did not say. */
  readonly dateMs?: number;
}

export type Wire = (request: WireRequest, limit: WireLimit) => Promise<WireReply>;

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One request and its whole answer, or a ChannelFault that says whether its first byte was written. Nothing is repeated here, and no text of an error is passed on. */
export async function exchangeOnce(agent: Agent, request: WireRequest, limit: WireLimit): Promise<WireReply> {
  const leftMs = limit.deadlineMs - Date.now();
  if (limit.signal?.aborted === true) throw new ChannelFault('not_sent', 'ABORTED');
  if (leftMs <= 0) throw new ChannelFault('not_sent', 'ETIMEDOUT');
  const state = { sent: false };
  const timeout = AbortSignal.timeout(leftMs);
  const signal = limit.signal === undefined ? timeout : AbortSignal.any([timeout, limit.signal]);
  try {
    const { statusCode, headers, body } = await agent.compose(markSent(state)).request({
      origin: request.url.origin,
      path: request.url.pathname + request.url.search,
      method: request.method,
      headers: { ...request.headers },
      body: request.body ?? null,
      signal,
    });
    const dateMs = Date.parse(String(headers['date']));
    const text = await readText(body, limit.maxBytes);
    return { status: statusCode, text, ...(Number.isNaN(dateMs) ? {} : { dateMs }) };
  } catch (error) {
    if (error instanceof ChannelFault) throw error;
    const code = timeout.aborted ? 'ETIMEDOUT' : signal.aborted ? 'ABORTED' : codeOf(error);
    throw new ChannelFault(state.sent ? 'maybe_executed' : 'not_sent', code);
  }
}

/** Its type leaves out the methods that it has. */
const decorator: Dispatcher.DispatchHandler = DecoratorHandler.prototype;

/** undici announces a request when a connection (with TLS: its handshake) stands, just before it writes the first byte. */
function markSent(state: { sent: boolean }): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const decorated = new (class extends DecoratorHandler {
      onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
        state.sent = true;
        decorator.onRequestStart?.call(this, controller, context);
      }
    })(handler);
    return dispatch(options, decorated);
  };
}

async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new ChannelFault('maybe_executed', 'answer_too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const CODE = /^[A-Z0-9_]{1,60}$/;

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && CODE.test(code) ? code : 'no_answer';
}
