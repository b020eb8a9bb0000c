/** Cursors: opaque to the caller, a place in a list ordered by (created_at, id) to us. */
import { z } from 'zod';
import type { Page, PageKey } from '../stores/page';
import { invalidRequest } from './errors';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;
const MAX_CURSOR_CHARACTERS = 300;
/** Far beyond any creation date, and still one that PostgreSQL can tell. */
const MAX_MICROS = 8e15;

/** The query fields of every list; extend with `z.strictObject({ ...pageQuery, status: ... })`. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT).describe('Entries per page'),
  cursor: z
    .string()
    .min(1)
    .max(MAX_CURSOR_CHARACTERS)
    .optional()
    .describe('next_cursor of the page before; absent for the first page'),
};

function encodeCursor({ micros, id }: PageKey): string {
  return Buffer.from(JSON.stringify([micros, id])).toString('base64url');
}

/**
 * @param idSchema what the second part of the key looks like
 * @throws HoldfastError INVALID_REQUEST for a cursor that we did not make
 */
export function pageOf(
  query: { limit: number; cursor?: string | undefined },
  idSchema: z.ZodString | z.ZodUUID,
): Page {
  if (query.cursor === undefined) return { after: undefined, limit: query.limit };
  const key = z.tuple([z.int().min(0).max(MAX_MICROS), idSchema]).safeParse(decode(query.cursor));
  if (!key.success) throw invalidRequest([{ path: 'cursor', message: 'is not a cursor of this list' }]);
  const [micros, id] = key.data;
  return { after: { micros, id }, limit: query.limit };
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** `{ items, next_cursor }`; ask the store for one entry more than the page holds to know whether there is a next one. */
export function pageAnswer<T>(
  entries: readonly T[],
  limit: number,
  keyOf: (entry: T) => PageKey,
  show: (entry: T) => unknown,
): { items: unknown[]; next_cursor: string | null } {
  const shown = entries.slice(0, limit);
  const last = shown.at(-1);
  const next = entries.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null;
  return { items: shown.map(show), next_cursor: next };
}

/** The schema of a page, for the document. */
export function pageSchema(item: z.ZodType): z.ZodType {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}
