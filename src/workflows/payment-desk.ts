/** The desk of a payment: what may be asked of it, and how it looks to an operator. The main loop in payment.ts acts. */
import { setHandler } from '@temporalio/workflow';
import type { Refusal } from '../domain/errors';
import { formatMoney } from '../domain/money';
import { isPaymentClosed } from '../domain/payment';
import type { Payment } from '../domain/payment';
import { judgePaymentCommand, paymentBusyRefusal } from '../domain/payment-commands';
import type { CancelPaymentCommand, PaymentResult } from '../domain/payment-commands';
import { CommandDesk } from './command-desk';
import * as messages from './messages';
import { timeOf } from './object-desk';
import type { Account } from './object-desk';

const CANCEL = 'Cancel the payment: {"by": "you", "reason": "why"}; may be empty.';

export class PaymentDesk extends CommandDesk<Payment, CancelPaymentCommand, PaymentResult> {
  constructor() {
    super('payment');
    this.takeUpdates(messages.cancelPaymentUpdate, 'cancel', `${CANCEL} Answers when it is done.`);
    setHandler(messages.cancelSignal, (input) => this.onCommandSignal('cancel', input), {
      description: CANCEL,
    });
    setHandler(
      messages.paymentStateQuery,
      () => ({ payment: this.object, running: this.busyWith, lastRefusal: this.lastRefusal }),
      { description: 'Status, amount, deadline, last refusal.' },
    );
  }

  protected closedRefusalOf(payment: Payment): Refusal | undefined {
    return judgePaymentCommand(payment);
  }

  protected busyRefusalOf(payment: Payment | null, running: string): Refusal {
    return paymentBusyRefusal(payment?.status ?? 'pending', running);
  }

  protected judge(): undefined {
    return undefined;
  }

  protected channelNoOf({ channelPaymentNo }: Payment): string | null {
    return channelPaymentNo;
  }

  protected numberOf({ paymentNo }: Payment): string {
    return paymentNo;
  }

  protected endsAtMsOf({ expiresAtMs }: Payment): number {
    return expiresAtMs;
  }

  protected accountOf(payment: Payment): Account {
    const { status, channel, channelPaymentNo: no, orderNo, paymentNo, declineCode, currency } = payment;
    const money = (amount: number) => formatMoney({ amount, currency });
    return {
      facts: [
        `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: payment \`${paymentNo}\` of order \`${orderNo}\``,
        '',
        `- **Asked for:** ${money(payment.amount)}`,
        `- **Paid:** ${money(payment.amountPaid)}`,
        ...(declineCode === null ? [] : [`- **Last decline:** ${declineCode}`]),
      ],
      waitsFor: waitsOf(payment),
      actions: isPaymentClosed(status) ? [] : ACTIONS,
    };
  }
}

const ACTIONS = [
  'Cancel: update `cancel` with `{"by": "you", "reason": "why"}`, or Request Cancellation.',
  'Read it at the channel again: signal `resync`, no input.',
];

/** Whom or what the payment waits for, and until when. */
function waitsOf({ status, expiresAtMs }: Payment): string {
  const end = timeOf(expiresAtMs);
  switch (status) {
    case 'pending':
    case 'requires_action':
      return `the customer, who has not paid yet; expires at ${end}`;
    case 'processing':
      return `the channel, which is at work on it; looked at again at ${end} at the latest`;
    case 'success':
    case 'failed':
    case 'cancelled':
    case 'expired':
      return 'nothing, it is closed';
  }
}
