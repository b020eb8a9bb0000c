/** What the desks of holds, payments and refunds share: news of the channel, an operator's word, what the Web UI shows. */
import {
  condition,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { OperatorDecision } from '../activities/records';
import { parseOperatorInput } from '../domain/commands';
import * as messages from './messages';

export type Noun = 'hold' | 'payment' | 'refund';

export abstract class ObjectDesk<T extends { readonly needsAttention: string | null }> {
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
    this.object = object;
    this.mark(object.needsAttention !== null);
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

  /** What an operator sees first in the Web UI, as Markdown. */
  protected abstract linesOf(object: T): string[];

  /** Why this word cannot be taken of this object. */
  protected problemOf(_decision: OperatorDecision): string | undefined {
    return undefined;
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
    const problem = this.problemOf(decision);
    if (problem !== undefined) return this.noteRefusal(`settle: ${problem}`);
    this.decision = decision;
  }

  /** Lets operators find what needs them. What never did is not marked: that would cost every workflow an event. */
  private mark(needed: boolean): void {
    const marked = workflowInfo().typedSearchAttributes.get(messages.NEEDS_ATTENTION) ?? false;
    if (needed !== marked) upsertSearchAttributes([{ key: messages.NEEDS_ATTENTION, value: needed }]);
  }

  private show(): void {
    if (this.object === null) return;
    const lines = this.linesOf(this.object);
    const { needsAttention } = this.object;
    if (needsAttention !== null) lines.push('', `**Needs attention:** ${needsAttention}`);
    if (this.lastRefusal !== null) lines.push('', `Last refusal: ${this.lastRefusal}`);
    setCurrentDetails(lines.join('\n'));
  }
}
