/** Keyset pagination: a place in a list ordered by (created_at, id), newest first. */
import type { Queryable } from './postgres';

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

export type Listed<Row> = Row & { created_at_micros: number };

export interface ListedTable {
  readonly table: string;
  readonly columns: string;
  /** The column that tells rows of the same moment apart. */
  readonly id: string;
}

/**
 * SQL of one page, newest first. A cursor names the last row seen, so that inserts never shift a page.
 * @param where uses the parameters $1 to $n; those of `pageValues` follow
 */
export function pageSql({ table, columns, id }: ListedTable, where: string, n: number): string {
  return `
SELECT ${columns}, ${microsOf('created_at')} AS created_at_micros FROM ${table}
WHERE ${where}
  AND ($${n + 1}::bigint IS NULL OR (created_at, ${id}) < (${sinceEpoch(`$${n + 1}`)}, $${n + 2}))
ORDER BY created_at DESC, ${id} DESC LIMIT $${n + 3}`;
}

export function pageValues({ after, limit }: Page): [number | null, string | null, number] {
  return [after?.micros ?? null, after?.id ?? null, limit];
}

/** What a merchant's list of payments or holds is narrowed down to. */
export interface OrderFilter<Status> {
  readonly merchantId: string;
  readonly status?: Status | undefined;
  readonly orderNo?: string | undefined;
  /** Inclusive. */
  readonly createdFrom?: Date | undefined;
  /** Exclusive. */
  readonly createdTo?: Date | undefined;
}

const ORDER_WHERE = `merchant_id = $1
  AND ($2::text IS NULL OR status = $2)
  AND ($3::text IS NULL OR order_no = $3)
  AND ($4::timestamptz IS NULL OR created_at >= $4)
  AND ($5::timestamptz IS NULL OR created_at < $5)`;

/** The list of what orders are paid with: payments, or holds. @returns a reader of its pages */
export function listOfOrders<Row, Status>(
  from: ListedTable,
): (q: Queryable, filter: OrderFilter<Status>, page: Page) => Promise<Listed<Row>[]> {
  const sql = pageSql(from, ORDER_WHERE, 5);
  return async (q, { merchantId, status, orderNo, createdFrom, createdTo }, page) => {
    const filter = [merchantId, ...[status, orderNo, createdFrom, createdTo].map((value) => value ?? null)];
    return (await q.query<Listed<Row>>(sql, [...filter, ...pageValues(page)])).rows;
  };
}
