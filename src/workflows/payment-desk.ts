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

export class PaymentDesk extends CommandDesk<Payment, CancelPaymentCommand, PaymentResult> {
  constructor() {
    super('payment');
    this.takeUpdates(messages.cancelPaymentUpdate, 'Cancel');
    setHandler(messages.cancelSignal, (input) => this.onCommandSignal('cancel', input), {
      description: 'Cancel the payment: {"by": "you", "reason": "why"}; may be empty.',
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

  protected linesOf(payment: Payment): string[] {
    const { status, channel, channelPaymentNo: no, declineCode } = payment;
    return [
      `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: ${formatMoney(payment)}`,
      '',
      isPaymentClosed(status)
        ? 'Closed.'
        : `Expires at ${new Date(payment.expiresAtMs).toISOString()} if nobody pays.`,
      ...(declineCode === null ? [] : ['', `Last decline: ${declineCode}`]),
    ];
  }
}
