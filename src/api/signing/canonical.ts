/** What is signed of a request, and how. docs/signing.md tells it to merchants. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

export const TIMESTAMP_HEADER = 'X-Holdfast-Timestamp';
export const NONCE_HEADER = 'X-Holdfast-Nonce';
export const SIGNATURE_HEADER = 'X-Holdfast-Signature';
export const SIGNING_HEADERS = [TIMESTAMP_HEADER, NONCE_HEADER, SIGNATURE_HEADER] as const;

/** A timestamp may be so far from our clock, either way. */
export const WINDOW_SECONDS = 300;

const TIMESTAMP = /^\d{1,11}$/;
/** No dot: it parts what is signed. */
const NONCE = /^[A-Za-z0-9_+/=-]{16,64}$/;
const SIGNATURE = /^v1=([0-9a-f]{64})$/i;

/** Why a signature is refused, as the caller reads it in details.reason. */
export type SignatureFault =
  | 'timestamp_format'
  | 'timestamp_outside_window'
  | 'nonce_format'
  | 'nonce_used'
  | 'signature_format'
  | 'no_secret'
  | 'mismatch';

export interface Signature {
  /** Unix seconds, as it was sent. */
  readonly timestamp: string;
  readonly nonce: string;
  readonly mac: Buffer;
}

/** What is signed besides timestamp and nonce. */
export interface SignedParts {
  /** In capitals. */
  readonly method: string;
  /** The path with its query, exactly as in the request line. */
  readonly target: string;
  /** The bytes as they were received; empty without a body. */
  readonly body: Buffer;
}

export function missingHeaders(headers: IncomingHttpHeaders): string[] {
  return SIGNING_HEADERS.filter((name) => headers[name.toLowerCase()] === undefined);
}

export function signatureOf(headers: IncomingHttpHeaders): Signature | SignatureFault {
  const textOf = (name: string) => String(headers[name.toLowerCase()]);
  const [timestamp, nonce] = [textOf(TIMESTAMP_HEADER), textOf(NONCE_HEADER)];
  const hex = SIGNATURE.exec(textOf(SIGNATURE_HEADER))?.[1];
  if (!TIMESTAMP.test(timestamp)) return 'timestamp_format';
  if (!NONCE.test(nonce)) return 'nonce_format';
  if (hex === undefined) return 'signature_format';
  return { timestamp, nonce, mac: Buffer.from(hex, 'hex') };
}

/** `timestamp.nonce.METHOD.path?query.sha256(body)`, the hash in small hexadecimal digits. */
export function signedText(
  { timestamp, nonce }: Omit<Signature, 'mac'>,
  { method, target, body }: SignedParts,
): string {
  const bodyHash = createHash('sha256').update(body).digest('hex');
  return `${timestamp}.${nonce}.${method}.${target}.${bodyHash}`;
}

/** @param secrets any of them is good. In constant time for each. */
export function isSignedWith(secrets: readonly string[], text: string, mac: Buffer): boolean {
  const matches = secrets.map((secret) =>
    timingSafeEqual(createHmac('sha256', secret).update(text).digest(), mac),
  );
  return matches.includes(true);
}
