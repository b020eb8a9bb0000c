/** Who asks: an account by its secret key, or a customer's browser by the publishable key that belongs to it. */
import type { IncomingHttpHeaders } from 'node:http';
import { invalid } from './errors';

export interface Caller {
  /** The secret key, which names the account. */
  readonly account: string;
  /** A publishable key: only retrieve and confirm, and only with the client_secret. */
  readonly isBrowser: boolean;
}

/** @throws StripeApiError 401 in Stripe's words */
export function authenticateCaller(headers: IncomingHttpHeaders, secretKeys: ReadonlySet<string>): Caller {
  const key = readKey(headers.authorization ?? '');
  if (key === '') {
    throw invalid(
      undefined,
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      undefined,
      401,
    );
  }
  if (secretKeys.has(key)) return { account: key, isBrowser: false };
  const account = key.replace(/^pk_/, 'sk_');
  if (key.startsWith('pk_') && secretKeys.has(account)) return { account, isBrowser: true };
  const masked = `${key.slice(0, 8)}${'*'.repeat(Math.max(key.length - 12, 0))}${key.slice(-4)}`;
  throw invalid(undefined, `Invalid API Key provided: ${masked}`, undefined, 401);
}

function readKey(header: string): string {
  const [scheme = '', value = ''] = header.split(' ');
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return '';
  return Buffer.from(value, 'base64').toString('utf8').split(':')[0] ?? '';
}
