/** For what only watches: it has no word in what it watches, not even when it fails. */

const said = new Set<string>();

/**
 * Runs what counts, traces or is told of something that has happened already, such as money that has moved: were its mistake
 * thrown, what has happened would be taken for undone. The first mistake of each kind is said as a warning of the process.
 * @param what says it in the warning; one of a few constants
 * @returns undefined where it has thrown
 */
export function safely<T>(what: string, watch: () => T): T | undefined {
  try {
    return watch();
  } catch (error) {
    if (!said.has(what)) {
      said.add(what);
      const detail = error instanceof Error ? error.stack : String(error);
      process.emitWarning(`${what} failed; it is said once`, { type: 'WatchWarning', detail: detail ?? '' });
    }
    return undefined;
  }
}
