/** Switches to misbehave: rules that are matched against requests, each used a number of times. */
import type { JsonObject } from './types';

export const FAULT_KINDS = [
  /** 500; nothing executed, nothing stored: the same key executes when it is sent again. */
  'error_before',
  /** Executed; 500 answered, and stored under the key. */
  'error_after',
  /** 500 stored under the key; nothing executed. */
  'error_stored_not_executed',
  /** Executed and stored; never answered. */
  'timeout_after',
  /** The connection is reset; nothing executed. The SDK repeats once by itself, so one reset alone is invisible. */
  'reset_before',
  /** Executed and stored; the connection is reset. */
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there. */
  'slow',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const FAULT_OPERATIONS = [
  'create',
  'confirm',
  'capture',
  'cancel',
  'retrieve',
  'list',
  'search',
  'refund',
  'retrieve_refund',
  'list_refunds',
  'list_disputes',
] as const;

export interface FaultRule {
  readonly id: number;
  readonly match: {
    readonly operation?: string;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly payment_intent?: string;
  };
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
  readonly paymentIntent: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** The request will be answered from a stored answer: only faults of the wire apply. */
  readonly isReplay: boolean;
}

const WIRE_FAULTS: ReadonlySet<FaultKind> = new Set(['timeout_after', 'reset_before', 'reset_after', 'slow']);
const DEFAULT_DELAY_MS = 1_000;

export class Faults {
  readonly rules: FaultRule[] = [];
  private nextId = 1;

  /** @param input as posted to /_sandbox/faults; returns the rule, or the sentence that says what is wrong */
  add(input: JsonObject): FaultRule | string {
    const match = (input['match'] ?? {}) as FaultRule['match'];
    const fault = input['fault'] as FaultKind;
    if (!FAULT_KINDS.includes(fault)) return `fault must be one of ${FAULT_KINDS.join(', ')}`;
    const { operation } = match;
    if (operation !== undefined && !(FAULT_OPERATIONS as readonly string[]).includes(operation)) {
      return `match.operation must be one of ${FAULT_OPERATIONS.join(', ')}`;
    }
    const probability = typeof input['probability'] === 'number' ? input['probability'] : 1;
    const times =
      typeof input['times'] === 'number' ? input['times'] : input['probability'] === undefined ? 1 : null;
    const rule: FaultRule = {
      id: this.nextId++,
      match,
      fault,
      delayMs: typeof input['delayMs'] === 'number' ? input['delayMs'] : DEFAULT_DELAY_MS,
      times,
      probability,
      random: mulberry32(typeof input['seed'] === 'number' ? input['seed'] : 1),
      hits: 0,
    };
    this.rules.push(rule);
    return rule;
  }

  /** The first rule that applies to this request, used up by one. */
  take(target: FaultTarget): FaultRule | undefined {
    for (const rule of this.rules) {
      if (!this.applies(rule, target)) continue;
      rule.hits++;
      if (rule.times !== null) rule.times--;
      return rule;
    }
    return undefined;
  }

  clear(): void {
    this.rules.length = 0;
  }

  private applies(rule: FaultRule, target: FaultTarget): boolean {
    const { operation, metadata, payment_intent: intent } = rule.match;
    if (rule.times === 0 || (target.isReplay && !WIRE_FAULTS.has(rule.fault))) return false;
    if (operation !== undefined && operation !== target.operation) return false;
    if (intent !== undefined && intent !== target.paymentIntent) return false;
    if (!Object.entries(metadata ?? {}).every(([key, value]) => target.metadata[key] === value)) return false;
    return rule.probability >= 1 || rule.random() < rule.probability;
  }
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
