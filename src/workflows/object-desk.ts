/** What the desks of holds, payments and refunds share: news of the channel, an operator's word, what the Web UI shows. */
import { condition, patched, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { OperatorDecision } from '../activities/records';
import { borrowedNameProblem, parseOperatorInput } from '../domain/commands';
import { findableAs } from './findable';
import type { Findable } from './findable';
import * as messages from './messages';

export type Noun = 'hold' | 'payment' | 'refund';

/** What every object has, whatever kind it is. */
export interface Shown extends Omit<Findable, 'number' | 'endsAtMs'> {
  readonly version: number;
}

/** What a person is told of an object, each line as Markdown. */
export interface Account {
  /** What it is about, and its amounts, as the beginning of a list. */
  readonly facts: readonly string[];
  /** Whom or what it waits for, and until when. */
  readonly waitsFor: string;
  /** What an operator can do about it now, and how. */
  readonly actions: readonly string[];
}

export abstract class ObjectDesk<T extends Shown> {
  /** As its row was when it was last looked at; null until then. */
  object: T | null = null;
  resyncAsked = false;
  /** News that came while an outcome was being settled: looked at when it is. */
  newsWhileSettling = false;
  /** True while an outcome is unknown and needs an operator: only then their word is taken. */
  decisionWanted = false;
  /** The last word of an operator, or command, that could not be taken. */
  protected lastRefusal: string | null = null;
  private decision: OperatorDecision | null = null;
  /** What was heard of the channel last, and when. */
  private lastNews: string | null = null;
  /** While an outcome is unknown: when the channel is asked for it again. */
  private asksAgainAtMs: number | null = null;

  constructor(protected readonly noun: Noun) {
    setHandler(messages.resyncSignal, () => void (this.resyncAsked = true), {
      description: `Read the ${noun} at the channel again; no input.`,
    });
    setHandler(messages.settleSignal, (input) => this.onSettleSignal(input), {
      description:
        'Decide an outcome that stayed unknown: {"by": "you", "reason": "why", "outcome": "executed" or "not_executed"}.',
    });
  }

  update(object: T): void {
    if (object.version !== this.object?.version) this.lastNews = `${object.status}, ${timeOf(Date.now())}`;
    this.object = object;
    this.asksAgainAtMs = null;
    findableAs({ ...object, number: this.numberOf(object), endsAtMs: this.endsAtMsOf(object) });
    this.show();
  }

  noteRefusal(text: string): void {
    this.lastRefusal = text;
    this.show();
  }

  /** Waits until it is time to ask again for an unknown outcome. @returns what an operator decided meanwhile */
  async waitForTurn(report: { retryAfterMs: number; reason: string }): Promise<OperatorDecision | null> {
    this.decisionWanted = this.object !== null && this.object.needsAttention !== null;
    if (report.retryAfterMs > 0) {
      this.asksAgainAtMs = Date.now() + report.retryAfterMs;
      this.lastNews = `outcome unknown: ${report.reason}, ${timeOf(Date.now())}`;
      this.show();
      const woken = () => this.decision !== null || this.resyncAsked;
      await condition(woken, report.retryAfterMs, {
        summary: `ask the channel again: ${report.reason}`.slice(0, 190),
      });
    }
    this.newsWhileSettling ||= this.resyncAsked;
    this.resyncAsked = false;
    const decision = this.decision;
    this.decision = null;
    return decision;
  }

  protected abstract numberOf(object: T): string;

  /** When it ends by itself; undefined: nobody knows. */
  protected abstract endsAtMsOf(object: T): number | undefined;

  /** What an operator sees first in the Web UI. */
  protected abstract accountOf(object: T): Account;

  /** What is under way, for people to read. */
  protected get busyWith(): string | null {
    return null;
  }

  /** Why this word cannot be taken of this object. */
  protected problemOf(_decision: OperatorDecision): string | undefined {
    return undefined;
  }

  /** Brings the current details of the Web UI in line with what is known. */
  protected show(): void {
    if (this.object === null) return;
    const { needsAttention } = this.object;
    const { facts, waitsFor, actions } = this.accountOf(this.object);
    const waits =
      this.asksAgainAtMs === null
        ? waitsFor
        : `the outcome of the call, asked for again at ${timeOf(this.asksAgainAtMs)}`;
    const lines = [
      ['Needs attention', needsAttention],
      ['Waits for', waits],
      ['Under way', this.busyWith],
      ['Last news of the channel', this.lastNews],
      ['Last refusal', this.lastRefusal],
    ].flatMap(([what, text]) => (text == null ? [] : [`- **${what}:** ${text}`]));
    const settle = this.decisionWanted ? [SETTLE] : [];
    const can = [...settle, ...actions].map((action) => `- ${action}`);
    const how = can.length === 0 ? [] : ['', '**What you can do**', '', ...can];
    setCurrentDetails([...facts, ...lines, ...how].join('\n'));
  }

  /** Why a signal under this name cannot be taken. Before, it could: a history with such a name goes on as it was. */
  protected nameProblemOf(fields: Readonly<Record<string, unknown>>): string | undefined {
    const problem = borrowedNameProblem(fields);
    return problem !== undefined && patched('nobody-elses-name') ? problem : undefined;
  }

  private onSettleSignal(input: unknown): void {
    const parsed = parseOperatorInput(input, ['by', 'reason', 'outcome']);
    if ('problem' in parsed) return this.noteRefusal(`settle: ${parsed.problem}`);
    const { by, reason, outcome } = parsed.fields as { by?: string; reason?: string; outcome?: string };
    if (by === undefined || reason === undefined || (outcome !== 'executed' && outcome !== 'not_executed')) {
      return this.noteRefusal(
        'settle: "by", "reason" and "outcome" ("executed" or "not_executed") are needed',
      );
    }
    if (!this.decisionWanted) return this.noteRefusal('settle: no outcome waits for a decision');
    const decision = { by, reason, outcome } as const;
    const problem = this.problemOf(decision) ?? this.nameProblemOf({ by });
    if (problem !== undefined) return this.noteRefusal(`settle: ${problem}`);
    this.decision = decision;
  }
}

const SETTLE =
  'Look at the call in the dashboard of the channel, then say what became of it: signal `settle` with ' +
  '`{"by": "you", "reason": "what you saw", "outcome": "executed"}` or `"not_executed"`.';

/** `2026-01-24T12:00:00Z` */
export function timeOf(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
