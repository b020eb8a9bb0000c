/** How busy a process is, and what it gives up first. Pure. */

/** Which requests are refused: `create` refuses reads too. Captures and cancels never are. */
export type Shed = 'none' | 'read' | 'create';
/** What a route is to the gateway when there is too much to do; `exempt` is not limited at all. */
export type Priority = 'exempt' | 'finish' | 'create' | 'read';

export interface LoadSample {
  /** How late the event loop was since the last sample. */
  readonly loopDelayMs: number;
  /** Requests at work now. */
  readonly inFlight: number;
}

/** Where full service ends. */
export interface LoadPolicy {
  readonly loopDelayMs: number;
  readonly inFlight: number;
}

export interface LoadState {
  /** Smoothed; 1: full service ends. */
  readonly pressure: number;
  /** Of the tiers' numbers; 100 to 50. */
  readonly scalePercent: number;
  readonly shed: Shed;
}

export const CALM: LoadState = { pressure: 0, scalePercent: 100, shed: 'none' };

/** A single pause (a large collection of garbage) must not count for more than this. */
const MAX_PRESSURE = 5;
const RISE = 0.3;
const FALL = 0.15;
const HALF_AT = 2;
const SHED_AT = { read: 3, create: 4 } as const;
/** What is refused is taken again below this share of where it began to be refused: else it would flutter. */
const TAKEN_AGAIN = 0.8;

/** The state after one more sample; samples come at equal intervals. */
export function nextLoad(state: LoadState, sample: LoadSample, policy: LoadPolicy): LoadState {
  const worst = Math.max(sample.loopDelayMs / policy.loopDelayMs, sample.inFlight / policy.inFlight);
  const raw = Math.min(worst, MAX_PRESSURE);
  const pressure = state.pressure + (raw - state.pressure) * (raw > state.pressure ? RISE : FALL);
  const excess = Math.min(Math.max(pressure - 1, 0), HALF_AT - 1);
  return {
    pressure,
    scalePercent: Math.round(100 - (50 * excess) / (HALF_AT - 1)),
    shed: shedAt(pressure, state.shed),
  };
}

function shedAt(pressure: number, before: Shed): Shed {
  const isOver = (level: 'read' | 'create', isOn: boolean) =>
    pressure >= SHED_AT[level] * (isOn ? TAKEN_AGAIN : 1);
  if (isOver('create', before === 'create')) return 'create';
  return isOver('read', before !== 'none') ? 'read' : 'none';
}

export function isShed(shed: Shed, priority: Priority): boolean {
  if (priority === 'read') return shed !== 'none';
  return priority === 'create' && shed === 'create';
}
