/** Switches to misbehave: rules that are matched against requests, each used a number of times. */
import type { JsonObject } from './types';

export const FAULT_KINDS = [
  /** 500; nothing executed. */
  'error_before',
  /** Executed; 500 answered. */
  'error_after',
  /** Executed; never answered. */
  'timeout_after',
  /** Nothing executed; the connection is reset. */
  'reset_before',
  /** Executed; the connection is reset. */
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there: an attempt that was given up. */
  'slow',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const OPERATIONS = [
  'create',
  'get',
  'list',
  'payment-methods',
  'mark',
  'refund',
  'list-pull-payments',
  'payouts',
  'archive',
] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface FaultRule {
  readonly id: number;
  readonly match: { readonly operation?: string; readonly holdfast_id?: string };
  readonly fault: FaultKind;
  readonly delayMs: number;
  /** How many times it may still be used; null: without end. */
  times: number | null;
  readonly probability: number;
  readonly random: () => number;
  hits: number;
}

const DEFAULT_DELAY_MS = 1_000;

export class Faults {
  readonly rules: FaultRule[] = [];
  private nextId = 1;

  /** @param input as posted; returns the rule, or the sentence that says what is wrong */
  add(input: JsonObject): FaultRule | string {
    const match = (input['match'] ?? {}) as FaultRule['match'];
    const fault = input['fault'] as FaultKind;
    if (!FAULT_KINDS.includes(fault)) return `fault must be one of ${FAULT_KINDS.join(', ')}`;
    if (match.operation !== undefined && !(OPERATIONS as readonly string[]).includes(match.operation)) {
      return `match.operation must be one of ${OPERATIONS.join(', ')}`;
    }
    const { times, probability, delayMs, seed } = input;
    const rule: FaultRule = {
      id: this.nextId++,
      match,
      fault,
      delayMs: typeof delayMs === 'number' ? delayMs : DEFAULT_DELAY_MS,
      times: typeof times === 'number' ? times : probability === undefined ? 1 : null,
      probability: typeof probability === 'number' ? probability : 1,
      random: seeded(typeof seed === 'number' ? seed : 1),
      hits: 0,
    };
    this.rules.push(rule);
    return rule;
  }

  /** The first rule that applies to this request, used up by one. */
  take(operation: Operation, holdfastId: string | undefined): FaultRule | undefined {
    const rule = this.rules.find(
      ({ match, times, probability, random }) =>
        times !== 0 &&
        (match.operation ?? operation) === operation &&
        (match.holdfast_id === undefined || match.holdfast_id === holdfastId) &&
        (probability >= 1 || random() < probability),
    );
    if (rule === undefined) return undefined;
    rule.hits++;
    if (rule.times !== null) rule.times--;
    return rule;
  }

  clear(): void {
    this.rules.length = 0;
  }
}

/** A small seeded generator (mulberry32), so that a run with faults can be repeated. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
