/** Keyset pagination: a place in a list ordered by (created_at, id), newest first. */
export interface PageKey {
  /** created_at in microseconds of Unix time: what PostgreSQL keeps, and more than a JavaScript Date does. */
  readonly micros: number;
  readonly id: string;
}

export interface Page {
  /** The last entry of the page before; absent for the first page. */
  readonly after: PageKey | undefined;
  readonly limit: number;
}

/** SQL: a timestamptz column as microseconds of Unix time. */
export function microsOf(column: string): string {
  return `(extract(epoch FROM ${column}) * 1000000)::bigint`;
}

/** SQL: the inverse, for a parameter. Exact: the microseconds of our time stay below 2^53. */
export function sinceEpoch(parameter: string): string {
  return `(timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond')`;
}
