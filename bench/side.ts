/** One of the two that are measured against each other. */
export interface Side<T = unknown> {
  /** Timed: a new hold, until the caller has the answer. */
  create(): Promise<T>;
  /** Not timed: the customers' part, for all holds of the round; resolves when everything is quiet again. */
  prepare(holds: readonly T[]): Promise<void>;
  /** Timed: until the caller has the answer. */
  capture(hold: T): Promise<void>;
}
