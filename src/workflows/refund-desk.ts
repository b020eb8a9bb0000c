/** The desk of a refund: nothing can be asked of it, so it only takes news and an operator's word. refund.ts acts. */
import { condition, setHandler } from '@temporalio/workflow';
import { formatMoney } from '../domain/money';
import { isRefundClosed } from '../domain/refund';
import type { Refund } from '../domain/refund';
import * as messages from './messages';
import { ObjectDesk } from './object-desk';
import type { Account } from './object-desk';

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

  protected numberOf({ refundNo }: Refund): string {
    return refundNo;
  }

  /** The channel takes as long as it takes. */
  protected endsAtMsOf(): undefined {
    return undefined;
  }

  protected accountOf(refund: Refund): Account {
    const { status, channel, channelRefundNo: no, orderNo, refundNo, declineCode } = refund;
    const object = refund.objectKind === 'payment' ? 'payment' : 'hold';
    const isClosed = isRefundClosed(status);
    return {
      facts: [
        `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: refund \`${refundNo}\` of order \`${orderNo}\``,
        '',
        `- **Given back:** ${formatMoney(refund)} of ${object} \`${refund.objectNo}\``,
        ...(declineCode === null ? [] : [`- **Failed because:** ${declineCode}`]),
      ],
      waitsFor: isClosed ? 'nothing, it is closed' : 'the channel, which gives the money back',
      actions: isClosed ? [] : ['Read it at the channel again: signal `resync`, no input.'],
    };
  }
}
