/** From bytes to what a handler may trust: JSON, the shape every value must have, then the route's own schemas. */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import { fail } from '../domain/errors';
import { invalidRequest } from './errors';
import type { Issue } from './errors';

const MAX_DEPTH = 16;
const MAX_PATH_CHARACTERS = 100;

/** PostgreSQL takes neither NUL nor half a surrogate pair, so no text may carry one. */
const UNSTORABLE = /\0|\p{Surrogate}/u;

const JSON_TYPE = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** @throws HoldfastError UNSUPPORTED_MEDIA_TYPE for a body that is not announced as JSON in UTF-8 */
export function requireJson(headers: IncomingHttpHeaders): void {
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) throw fail('UNSUPPORTED_MEDIA_TYPE');
}

/** @throws HoldfastError INVALID_JSON */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw fail('INVALID_JSON');
  }
}

/**
 * Refuses what no schema need think of: texts that cannot be stored, `__proto__` as a name, nesting without end.
 * @param path names the value itself in the answer; what is inside is named from there on: `metadata.room`
 */
export function assertSaneValue(value: unknown, path: string): void {
  const waiting: { value: unknown; path: string; depth: number }[] = [{ value, path, depth: 0 }];
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    const { value: current, path: at, depth } = item;
    if (depth > MAX_DEPTH) throw invalidRequest([{ path: clip(at), message: 'is nested too deeply' }]);
    if (typeof current === 'string' && UNSTORABLE.test(current)) {
      throw invalidRequest([{ path: clip(at), message: 'contains a character that is not allowed' }]);
    }
    if (typeof current !== 'object' || current === null) continue;
    for (const [name, child] of Object.entries(current)) {
      if (name === '__proto__' || UNSTORABLE.test(name)) {
        throw invalidRequest([{ path: clip(at), message: 'has a field whose name is not allowed' }]);
      }
      waiting.push({ value: child, path: depth === 0 ? name : `${at}.${name}`, depth: depth + 1 });
    }
  }
}

/** Checks each part with its schema; a part without one is given to the handler as an empty object. */
export function validate(
  schemas: { params?: z.ZodType; query?: z.ZodType; body?: z.ZodType },
  given: { params: unknown; query: unknown; body: unknown },
): { params: unknown; query: unknown; body: unknown } {
  const issues: Issue[] = [];
  const check = (schema: z.ZodType | undefined, value: unknown): unknown => {
    if (schema === undefined) return {};
    const result = schema.safeParse(value);
    if (!result.success) issues.push(...result.error.issues.flatMap(readableIssues));
    return result.data;
  };
  const checked = {
    params: check(schemas.params, given.params),
    query: check(schemas.query, given.query),
    body: check(schemas.body, given.body),
  };
  if (issues.length > 0) throw invalidRequest(issues);
  return checked;
}

function readableIssues(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: clip([...path, key].join('.')),
      message: 'is not a field of this request',
    }));
  }
  const at = path.length === 0 ? 'body' : clip(path.join('.'));
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return [{ path: at, message: missing ? 'is required' : issue.message }];
}

/** Names come from the caller: an answer repeats them only so far. */
function clip(path: string): string {
  const printable = path.replace(/[^\x20-\x7e]/g, '?');
  return printable.length <= MAX_PATH_CHARACTERS
    ? printable
    : `${printable.slice(0, MAX_PATH_CHARACTERS)}...`;
}
