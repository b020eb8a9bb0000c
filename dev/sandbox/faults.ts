/** Switches to misbehave: rules that are matched against requests, each used a number of times. */
import { seededRandom } from '../seeded-random';
import type { JsonObject } from './http';

export interface FaultRule<Kind extends string, Match> {
  readonly id: number;
  readonly match: Match & { readonly operation?: string };
  readonly fault: Kind;
  readonly delayMs: number;
  /** How many times it may still be used; null: without end. */
  times: number | null;
  readonly probability: number;
  readonly random: () => number;
  hits: number;
}

const DEFAULT_DELAY_MS = 1_000;

export class Faults<Kind extends string, Match, Target extends { readonly operation: string }> {
  readonly rules: FaultRule<Kind, Match>[] = [];
  private nextId = 1;

  /**
   * @param operations that exist; undefined: not checked
   * @param matches whether a rule, apart from its operation, is meant for this request
   */
  constructor(
    private readonly kinds: readonly Kind[],
    private readonly operations: readonly string[] | undefined,
    private readonly matches: (match: Match, target: Target, fault: Kind) => boolean,
  ) {}

  /** @param input as posted; returns the rule, or the sentence that says what is wrong */
  add(input: JsonObject): FaultRule<Kind, Match> | string {
    const match = (input['match'] ?? {}) as FaultRule<Kind, Match>['match'];
    const fault = this.kinds.find((kind) => kind === input['fault']);
    if (fault === undefined) return `fault must be one of ${this.kinds.join(', ')}`;
    if (match.operation !== undefined && this.operations?.includes(match.operation) === false) {
      return `match.operation must be one of ${this.operations.join(', ')}`;
    }
    const number = (name: string) => (typeof input[name] === 'number' ? input[name] : undefined);
    const rule: FaultRule<Kind, Match> = {
      id: this.nextId++,
      match,
      fault,
      delayMs: number('delayMs') ?? DEFAULT_DELAY_MS,
      times: number('times') ?? (input['probability'] === undefined ? 1 : null),
      probability: number('probability') ?? 1,
      random: seededRandom(number('seed') ?? 1),
      hits: 0,
    };
    this.rules.push(rule);
    return rule;
  }

  /** The first rule that applies to this request, used up by one. */
  take(target: Target): FaultRule<Kind, Match> | undefined {
    const rule = this.rules.find((candidate) => this.applies(candidate, target));
    if (rule === undefined) return undefined;
    rule.hits++;
    if (rule.times !== null) rule.times--;
    return rule;
  }

  clear(): void {
    this.rules.length = 0;
  }

  private applies(rule: FaultRule<Kind, Match>, target: Target): boolean {
    const { match, fault, times, probability } = rule;
    if (times === 0) return false;
    if (match.operation !== undefined && match.operation !== target.operation) return false;
    return this.matches(match, target, fault) && (probability >= 1 || rule.random() < probability);
  }
}
