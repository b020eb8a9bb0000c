/** Switches to misbehave: rules that are matched against requests, each used a number of times. */
import type { JsonObject } from './types';

export const FAULT_KINDS = [
  /** HTTP 500; nothing executed. */
  'error_before',
  /** Executed; HTTP 500. */
  'error_after',
  /** `20000 isp.unknow-error`, signed; nothing executed. */
  'unknown_before',
  /** Executed; `40004 ACQ.SYSTEM_ERROR`, signed. */
  'unknown_after',
  /** Executed; never answered. */
  'timeout_after',
  /** Never answered; nothing executed. */
  'timeout_before',
  'reset_before',
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there. */
  'slow',
  /** Executed; the answer is signed by a key that is not the sandbox's. */
  'forged_answer',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

interface FaultRule {
  readonly id: number;
  /** `operation`: the method without `alipay.`; `number`: out_trade_no or out_order_no. */
  readonly match: { readonly operation?: string; readonly number?: string; readonly holdfast_id?: string };
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
  readonly number: string;
  readonly holdfast_id: string;
}

const DEFAULT_DELAY_MS = 1_000;

export class Faults {
  readonly rules: FaultRule[] = [];
  private nextId = 1;

  /** @param input as posted to /_control/faults; returns the rule, or the sentence that says what is wrong */
  add(input: JsonObject): FaultRule | string {
    const fault = FAULT_KINDS.find((kind) => kind === input['fault']);
    if (fault === undefined) return `fault must be one of ${FAULT_KINDS.join(', ')}`;
    const { probability, times, delayMs, seed } = input;
    const rule: FaultRule = {
      id: this.nextId++,
      match: input['match'] ?? {},
      fault,
      delayMs: typeof delayMs === 'number' ? delayMs : DEFAULT_DELAY_MS,
      times: typeof times === 'number' ? times : probability === undefined ? 1 : null,
      probability: typeof probability === 'number' ? probability : 1,
      random: mulberry32(typeof seed === 'number' ? seed : 1),
      hits: 0,
    };
    this.rules.push(rule);
    return rule;
  }

  /** The first rule that applies to this request, used up by one. */
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
  const { operation, number, holdfast_id: id } = rule.match;
  if (rule.times === 0) return false;
  if (operation !== undefined && operation !== target.operation) return false;
  if (number !== undefined && number !== target.number) return false;
  if (id !== undefined && id !== target.holdfast_id) return false;
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
