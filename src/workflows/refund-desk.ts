/** The desk of a refund: takes news and an operator's word, and shows how far it is. Handlers only note; refund.ts acts. */
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { OperatorDecision } from '../activities/records';
import { parseOperatorInput } from '../domain/commands';
import { formatMoney } from '../domain/money';
import { isRefundClosed } from '../domain/refund';
import type { Refund } from '../domain/refund';
import * as messages from './messages';

export class RefundDesk {
  refund: Refund | null = null;
  /** Whether the channel has answered, one way or the other. */
  answered = false;
  resyncAsked = false;
  decision: OperatorDecision | null = null;
  /** True while an outcome is unknown and needs an operator: only then their word is taken. */
  decisionWanted = false;
  private lastRefusal: string | null = null;

  constructor() {
    setHandler(messages.createdUpdate, () => this.created(), {
      description: 'Waits until the channel has answered the refund.',
    });
    setHandler(messages.resyncSignal, () => void (this.resyncAsked = true), {
      description: 'Read the refund at the channel again; no input.',
    });
    setHandler(messages.settleSignal, (input) => this.onSettleSignal(input), {
      description:
        'Decide an outcome that stayed unknown: {"by": "you", "reason": "why", "outcome": "executed" or "not_executed"}.',
    });
    setHandler(
      messages.refundStateQuery,
      () => ({ refund: this.refund, answered: this.answered, lastRefusal: this.lastRefusal }),
      { description: 'Status, amount, last refusal.' },
    );
  }

  update(refund: Refund): void {
    this.refund = refund;
    this.show();
  }

  noteRefusal(text: string): void {
    this.lastRefusal = text;
    this.show();
  }

  private async created(): Promise<null> {
    await condition(() => this.answered);
    return null;
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
    this.decision = { by, reason, outcome };
  }

  /** What an operator sees first in the Web UI. */
  private show(): void {
    const refund = this.refund;
    if (refund === null) return;
    const { status, channel, channelRefundNo: no, declineCode, needsAttention } = refund;
    const object = refund.objectKind === 'payment' ? 'payment' : 'hold';
    const lines = [
      `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: ${formatMoney(refund)} of ${object} \`${refund.objectNo}\``,
      '',
      isRefundClosed(status) ? 'Closed.' : 'Waits for the channel.',
    ];
    if (declineCode !== null) lines.push('', `Failed: ${declineCode}`);
    if (needsAttention !== null) lines.push('', `**Needs attention:** ${needsAttention}`);
    if (this.lastRefusal !== null) lines.push('', `Last refusal: ${this.lastRefusal}`);
    setCurrentDetails(lines.join('\n'));
  }
}
