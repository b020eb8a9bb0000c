/** When the limits are no longer asked of Redis, and when again. Pure: what happened goes in, the next state comes out. */

/** `redis`: all processes count together; `local`: each by itself, with its share. */
export type LimiterMode = 'redis' | 'local';

export interface BreakerState {
  readonly mode: LimiterMode;
  /** In mode `redis` questions without an answer in time, in mode `local` probes with one; in a row. */
  readonly inRow: number;
}

export interface BreakerPolicy {
  /** Questions in a row that get no answer in time: one alone may be an accident. */
  readonly opensAfter: number;
  /** Probes in a row that are answered in time: a server that starts answers one and then loads its file. */
  readonly closesAfter: number;
}

export const CLOSED: BreakerState = { mode: 'redis', inRow: 0 };

/**
 * @param answered whether the question (mode `redis`) or the probe (mode `local`) was answered in time
 * @returns the same object when nothing changes
 */
export function nextBreaker(state: BreakerState, answered: boolean, policy: BreakerPolicy): BreakerState {
  const isTowardsChange = answered === (state.mode === 'local');
  if (!isTowardsChange) return state.inRow === 0 ? state : { ...state, inRow: 0 };
  const inRow = state.inRow + 1;
  if (inRow < (state.mode === 'redis' ? policy.opensAfter : policy.closesAfter)) return { ...state, inRow };
  return { mode: state.mode === 'redis' ? 'local' : 'redis', inRow: 0 };
}
