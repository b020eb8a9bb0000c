/**
 * OAuth 2 client credentials: one token per account, kept until shortly before its end. Calls that find none wait for one
 * and the same request; a token that PayPal no longer takes is dropped by the call that learnt it.
 */
import { ChannelFault } from '../../domain/channel';
import { parseJson } from './http';
import type { Wire, WireLimit } from './http';

export interface PayPalCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** `refused`: PayPal does not know these credentials; its answer stands for the call's own. */
export type TokenResult =
  { readonly token: string } | { readonly refused: { readonly status: number; readonly body: unknown } };

export interface Tokens {
  /** @throws ChannelFault not_sent: without a token no call is made */
  get(limit: WireLimit): Promise<TokenResult>;
  drop(token: string): void;
}

/** Bounds the shared request, which outlives the one call that began it. */
const TOKEN_TIMEOUT_MS = 10_000;
const MAX_TOKEN_BYTES = 64 * 1024;
/** A token this close to its end is not used any more: the call it is for takes time too. */
const MARGIN_MS = 60_000;

export function createTokens(wire: Wire, base: URL, credentials: PayPalCredentials): Tokens {
  let known: { token: string; untilMs: number } | undefined;
  let pending: Promise<TokenResult> | undefined;

  async function request(): Promise<TokenResult> {
    const { status, text } = await wire(
      {
        method: 'POST',
        url: new URL('/v1/oauth2/token', base),
        headers: {
          authorization: `Basic ${Buffer.from(`${credentials.clientId}:${credentials.clientSecret}`).toString('base64')}`,
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: 'grant_type=client_credentials',
      },
      { deadlineMs: Date.now() + TOKEN_TIMEOUT_MS, maxBytes: MAX_TOKEN_BYTES },
    );
    if (status === 401) return { refused: { status, body: { name: 'invalid_client' } } };
    const { access_token: token, expires_in: seconds } = (parseJson(text) ?? {}) as Record<string, unknown>;
    if (status !== 200 || typeof token !== 'string' || typeof seconds !== 'number') {
      throw new ChannelFault('not_sent', `token_http_${status}`);
    }
    known = { token, untilMs: Date.now() + seconds * 1000 - Math.min(MARGIN_MS, seconds * 100) };
    return { token };
  }

  return {
    async get(limit) {
      if (known !== undefined && Date.now() < known.untilMs) return { token: known.token };
      pending ??= request().finally(() => {
        pending = undefined;
      });
      return bounded(pending, limit);
    },
    drop(token) {
      if (known?.token === token) known = undefined;
    },
  };
}

/** Whatever goes wrong on the way to a token, the call itself was not sent. */
async function bounded(pending: Promise<TokenResult>, limit: WireLimit): Promise<TokenResult> {
  const leftMs = limit.deadlineMs - Date.now();
  if (leftMs <= 0 || limit.signal?.aborted === true) {
    // Somebody must look at the outcome of the shared request, or its failure ends the process.
    pending.catch(() => undefined);
    throw new ChannelFault('not_sent', limit.signal?.aborted === true ? 'ABORTED' : 'token_timeout');
  }
  let timer: NodeJS.Timeout | undefined;
  let abort: (() => void) | undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ChannelFault('not_sent', 'token_timeout')), leftMs);
    abort = () => reject(new ChannelFault('not_sent', 'ABORTED'));
    limit.signal?.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([pending, ended]);
  } catch (error) {
    const reason = error instanceof ChannelFault ? error.reason : 'token_failed';
    throw new ChannelFault('not_sent', reason);
  } finally {
    clearTimeout(timer);
    if (abort !== undefined) limit.signal?.removeEventListener('abort', abort);
  }
}
