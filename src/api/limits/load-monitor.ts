/** Measures how busy this process is, four times a second. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CALM, isShed, nextLoad } from '../../domain/limits/load';
import type { LoadPolicy, LoadState, Priority } from '../../domain/limits/load';

const SAMPLE_MS = 250;
const RESOLUTION_MS = 20;

export interface LoadMonitor {
  state(): LoadState;
  inFlight(): number;
  /** A request is at work; `left` when it no longer is, whatever became of it. */
  entered(): void;
  left(): void;
  isShed(priority: Priority): boolean;
  start(): void;
  stop(): void;
}

/** @param onChange told of what is newly refused, or no longer */
export function createLoadMonitor(
  policy: LoadPolicy,
  onChange: (state: LoadState) => void = () => undefined,
): LoadMonitor {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  let state = CALM;
  let inFlight = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueAtMs = 0;

  function sample(): void {
    const nowMs = performance.now();
    // The histogram measures from tick to tick, so the distance itself is none of the delay; and a loop that stands for
    // whole seconds may have ticked here only.
    const meanMs = delays.count === 0 ? 0 : delays.mean / 1e6 - RESOLUTION_MS;
    const loopDelayMs = Math.max(0, meanMs, nowMs - dueAtMs);
    delays.reset();
    dueAtMs = nowMs + SAMPLE_MS;
    const before = state;
    state = nextLoad(state, { loopDelayMs, inFlight }, policy);
    if (state.shed !== before.shed) onChange(state);
  }

  return {
    state: () => state,
    inFlight: () => inFlight,
    entered: () => void (inFlight += 1),
    left: () => void (inFlight -= 1),
    isShed: (priority) => isShed(state.shed, priority),
    start() {
      delays.enable();
      dueAtMs = performance.now() + SAMPLE_MS;
      timer = setInterval(sample, SAMPLE_MS).unref();
    },
    stop() {
      clearInterval(timer);
      delays.disable();
    },
  };
}
