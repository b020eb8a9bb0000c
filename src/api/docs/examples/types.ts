/** Examples of one route: what is asked, and what comes. */
export interface RouteExamples {
  /** The body. */
  readonly request?: unknown;
  /** By status: `data` of the envelope, or the whole answer where there is none. Wins over the route's own. */
  readonly responses?: Readonly<Record<number, unknown>>;
  /** What the envelope says; Success when absent. */
  readonly message?: string;
  /** Other forms that a success may have, by content type. */
  readonly also?: Readonly<Record<string, string>>;
}

/** By name: `post /api/v1/payments`. */
export type ExamplesByRoute = Readonly<Record<string, RouteExamples>>;

/** The last page of a list. */
export function pageOf(...items: unknown[]): unknown {
  return { items, next_cursor: null };
}

export const CURSOR = 'WzE3Mzc3MTUyMDAwMDAwMDAsIlBBMjAyNTAxMjQwMDEiXQ';
