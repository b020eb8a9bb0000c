/** Structured logs, one JSON object a line. Whatever looks like a secret is removed before it is written. */
import { pino } from 'pino';
import type { Logger } from 'pino';

export type { Logger };

const SECRET_PATHS = [
  'authorization',
  'client_secret',
  'clientSecret',
  'customer_email',
  'password',
  'secret',
].flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** @param fieldsOf what is added to each line that it is known of */
export function createLogger(process: string, level: string, fieldsOf?: () => object): Logger {
  const redact = { paths: SECRET_PATHS, remove: true };
  return pino({ level, base: { process }, redact, ...(fieldsOf !== undefined && { mixin: fieldsOf }) });
}
