/** A closed loop: so many callers at once, each with its next piece of work as soon as its last one is answered. */

export interface Timed<R> {
  readonly results: R[];
  /** From the first request to the last answer. */
  readonly wallMs: number;
  /** How long each piece of work took, in the order in which they began. */
  readonly eachMs: number[];
}

/** @throws what the first failing piece of work throws: a bench with failures measures nothing */
export async function runLoad<T, R>(
  concurrency: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<Timed<R>> {
  const results: R[] = [];
  const eachMs: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  const caller = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      const began = performance.now();
      results[index] = await work(items[index] as T);
      eachMs[index] = performance.now() - began;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { results, wallMs: performance.now() - startedAt, eachMs };
}
