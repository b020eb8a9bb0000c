/** Switches to misbehave: rules that are matched against calls, each used a number of times. */
import type { JsonObject } from './types';

export const FAULT_KINDS = [
  /** 500; nothing executed. The same request id executes when it is sent again. */
  'error_before',
  /** Executed; 500 answered. The same request id answers what was made. */
  'error_after',
  /** Executed; never answered. */
  'timeout_after',
  /** The connection is reset; nothing executed. */
  'reset_before',
  /** Executed; the connection is reset. */
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there. */
  'slow',
  /** 429; nothing executed. */
  'rate_limit',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface FaultRule {
  readonly id: number;
  readonly match: { readonly operation?: string; readonly order?: string; readonly holdfast_id?: string };
  readonly fault: FaultKind;
  readonly delayMs: number;
  /** How many times it may still be used; null: without end. */
  times: number | null;
  readonly probability: number;
  readonly random: () => number;
  hits: number;
}

export interface FaultTarget {
  readonly operation: string;
  readonly order: string | null;
  /** What the call or its order carries as custom_id. */
  readonly customId: string | null;
}

const DEFAULT_DELAY_MS = 1_000;

export class Faults {
  readonly rules: FaultRule[] = [];
  private nextId = 1;

  /** @param operations that exist; @returns the rule, or the sentence that says what is wrong */
  add(input: JsonObject, operations: readonly string[]): FaultRule | string {
    const match = (input['match'] ?? {}) as FaultRule['match'];
    const fault = input['fault'] as FaultKind;
    if (!FAULT_KINDS.includes(fault)) return `fault must be one of ${FAULT_KINDS.join(', ')}`;
    if (match.operation !== undefined && !operations.includes(match.operation)) {
      return `match.operation must be one of ${operations.join(', ')}`;
    }
    const number = (name: string) => (typeof input[name] === 'number' ? input[name] : undefined);
    const rule: FaultRule = {
      id: this.nextId++,
      match,
      fault,
      delayMs: number('delayMs') ?? DEFAULT_DELAY_MS,
      times: number('times') ?? (input['probability'] === undefined ? 1 : null),
      probability: number('probability') ?? 1,
      random: mulberry32(number('seed') ?? 1),
      hits: 0,
    };
    this.rules.push(rule);
    return rule;
  }

  /** The first rule that applies to this call, used up by one. */
  take(target: FaultTarget): FaultRule | undefined {
    const rule = this.rules.find((candidate) => applies(candidate, target));
    if (rule === undefined) return undefined;
    rule.hits++;
    if (rule.times !== null) rule.times--;
    return rule;
  }

  clear(): void {
    this.rules.length = 0;
  }
}

function applies(rule: FaultRule, target: FaultTarget): boolean {
  const { operation, order, holdfast_id: holdfastId } = rule.match;
  if (rule.times === 0) return false;
  if (operation !== undefined && operation !== target.operation) return false;
  if (order !== undefined && order !== target.order) return false;
  if (holdfastId !== undefined && target.customId?.startsWith(`${holdfastId}|`) !== true) return false;
  return rule.probability >= 1 || rule.random() < rule.probability;
}

/** A small seeded generator, so that a run with faults can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
