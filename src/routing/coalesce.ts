/** Many ask for the same work at once: it is done once for all of them, and once more for those who came while it ran. */

/**
 * @param work never more than once at a time
 * @returns a function whose promise is that of a run that began after it was called, so that it has seen what was true then
 */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function run(): Promise<void> {
    const current = work().finally(() => {
      if (running === current) running = undefined;
    });
    running = current;
    return current;
  }

  function afterThis(current: Promise<void>): Promise<void> {
    const begin = () => {
      next = undefined;
      return run();
    };
    return current.then(begin, begin);
  }

  return () => {
    if (running === undefined) return run();
    return (next ??= afterThis(running));
  };
}
