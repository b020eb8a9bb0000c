/** The desk of a refund: nothing can be asked of it, so it only takes news and an operator's word. refund.ts acts. */
import { condition, setHandler } from '@temporalio/workflow';
import { formatMoney } from '../domain/money';
import { isRefundClosed } from '../domain/refund';
import type { Refund } from '../domain/refund';
import * as messages from './messages';
import { ObjectDesk } from './object-desk';

export class RefundDesk extends ObjectDesk<Refund> {
  /** Whether the channel has answered, one way or the other. */
  answered = false;

  constructor() {
    super('refund');
    setHandler(messages.createdUpdate, () => this.created(), {
      description: 'Waits until the channel has answered the refund.',
    });
    setHandler(
      messages.refundStateQuery,
      () => ({ refund: this.object, answered: this.answered, lastRefusal: this.lastRefusal }),
      { description: 'Status, amount, last refusal.' },
    );
  }

  private async created(): Promise<null> {
    await condition(() => this.answered);
    return null;
  }

  protected linesOf(refund: Refund): string[] {
    const { status, channel, channelRefundNo: no, declineCode } = refund;
    const object = refund.objectKind === 'payment' ? 'payment' : 'hold';
    return [
      `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: ${formatMoney(refund)} of ${object} \`${refund.objectNo}\``,
      '',
      isRefundClosed(status) ? 'Closed.' : 'Waits for the channel.',
      ...(declineCode === null ? [] : ['', `Failed: ${declineCode}`]),
    ];
  }
}
