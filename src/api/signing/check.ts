/**
 * Signatures of merchants' requests: asked for where the merchant has switched that on, and checked wherever one is sent, so
 * that a merchant can try it before it is asked for. Whoever does not sign costs nothing here.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { fail } from '../../domain/errors';
import type { HoldfastError } from '../../domain/errors';
import type { Logger } from '../../observability/logger';
import type { Queryable } from '../../stores/postgres';
import { deleteExpiredNonces, takeNonce } from '../../stores/request-nonces';
import { loadSigningSecrets } from '../../stores/request-signing';
import type { SigningMode } from '../../stores/request-signing';
import type { SecretBox } from '../../stores/secret-box';
import {
  isSignedWith,
  missingHeaders,
  SIGNATURE_HEADER,
  signatureOf,
  signedText,
  WINDOW_SECONDS,
} from './canonical';
import type { SignatureFault } from './canonical';

/** By how much the clocks of processes and database may differ before a nonce could be used again. */
const CLOCK_MARGIN_SECONDS = 60;
const CLEAN_EVERY_MS = 10_000;
const CLEAN_ROWS = 1_000;

/** Who calls; `signing` may be some seconds old, as the rest of what is known of an API key. */
export type SigningCaller =
  | { readonly kind: 'merchant'; readonly merchantId: string; readonly signing: SigningMode }
  | { readonly kind: 'admin' | 'none' };

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query as in the request line. */
  readonly originalUrl: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * @param body the bytes as received, also where the route takes no body
 * @throws HoldfastError REQUEST_SIGNATURE_REQUIRED (details.missing), REQUEST_SIGNATURE_INVALID (details.reason)
 */
export type SignatureCheck = (caller: SigningCaller, req: ReceivedRequest, body: Buffer) => Promise<void>;

export interface SignatureCheckDeps {
  readonly db: Queryable;
  readonly box: SecretBox;
  readonly log: Logger;
  readonly nowMs?: () => number;
}

/** True where a signature is to be looked at: for such a request the body is to be read, whatever the route. */
export function isToBeChecked(caller: SigningCaller, headers: IncomingHttpHeaders): boolean {
  if (caller.kind !== 'merchant') return false;
  return caller.signing === 'required' || hasSignature(headers);
}

export function hasSignature(headers: IncomingHttpHeaders): boolean {
  return headers[SIGNATURE_HEADER.toLowerCase()] !== undefined;
}

const DONE = Promise.resolve();

export function createSignatureCheck(deps: SignatureCheckDeps): SignatureCheck {
  const nowMs = deps.nowMs ?? Date.now;
  const cleanNow = createCleaning(deps.db, deps.log);
  return (caller, req, body) => {
    if (caller.kind !== 'merchant' || !isToBeChecked(caller, req.headers)) return DONE;
    return assertSigned(deps, caller.merchantId, req, body, nowMs()).then(cleanNow);
  };
}

async function assertSigned(
  { db, box }: SignatureCheckDeps,
  merchantId: string,
  { method, originalUrl, headers }: ReceivedRequest,
  body: Buffer,
  nowMs: number,
): Promise<void> {
  const missing = missingHeaders(headers);
  if (missing.length > 0) throw fail('REQUEST_SIGNATURE_REQUIRED', { missing });
  const signature = signatureOf(headers);
  if (typeof signature === 'string') throw invalid(signature);
  const nowSeconds = Math.floor(nowMs / 1000);
  const timestamp = Number(signature.timestamp);
  if (Math.abs(nowSeconds - timestamp) > WINDOW_SECONDS)
    throw fail('REQUEST_SIGNATURE_INVALID', { reason: 'timestamp_outside_window', now: nowSeconds });
  // Read each time: a secret that was replaced or taken away is no good from that moment on, in every process.
  const secrets = await loadSigningSecrets(db, box, merchantId);
  if (secrets.length === 0) throw invalid('no_secret');
  const text = signedText(signature, { method, target: originalUrl, body });
  if (!isSignedWith(secrets, text, signature.mac)) throw invalid('mismatch');
  // Last: nobody without the secret can use up a nonce, or fill the table.
  const expiresAt = timestamp + WINDOW_SECONDS + CLOCK_MARGIN_SECONDS;
  if (!(await takeNonce(db, merchantId, signature.nonce, expiresAt))) throw invalid('nonce_used');
}

function invalid(reason: SignatureFault): HoldfastError {
  return fail('REQUEST_SIGNATURE_INVALID', { reason });
}

/**
 * Deletes nonces that have expired: some now and then, and with every signed request while there are more, which is faster
 * than they come. Nobody waits for it.
 */
function createCleaning(db: Queryable, log: Logger): () => void {
  let dueAtMs = performance.now() + CLEAN_EVERY_MS;
  return () => {
    const nowMs = performance.now();
    if (nowMs < dueAtMs) return;
    dueAtMs = Infinity;
    deleteExpiredNonces(db, CLEAN_ROWS).then(
      (deleted) => void (dueAtMs = deleted < CLEAN_ROWS ? nowMs + CLEAN_EVERY_MS : nowMs),
      (error: unknown) => {
        dueAtMs = nowMs + CLEAN_EVERY_MS;
        log.warn({ err: error }, 'expired nonces were not deleted');
      },
    );
  };
}
