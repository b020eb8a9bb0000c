/** The desk of a hold: what may be asked of it, and how it looks to an operator. The main loop in pre-auth.ts acts. */
import { setHandler } from '@temporalio/workflow';
import { busyRefusal, judgeCapture, judgeRelease } from '../domain/commands';
import type { CancelCommand, CaptureCommand, CommandResult } from '../domain/commands';
import type { Refusal } from '../domain/errors';
import { formatMoney } from '../domain/money';
import { isClosed, isHeld } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { CommandDesk } from './command-desk';
import * as messages from './messages';

type Asked = CaptureCommand | CancelCommand;

export class HoldDesk extends CommandDesk<Hold, Asked, CommandResult> {
  constructor() {
    super('hold');
    this.takeUpdates(messages.captureUpdate, 'Capture');
    this.takeUpdates(messages.cancelUpdate, 'Cancel');
    setHandler(
      messages.captureSignal,
      (input) => this.onCommandSignal('capture', input, ['amount', 'final']),
      {
        description:
          'Capture: {"amount": minor units, "by": "you", "reason": "why"}; empty = everything that is left.',
      },
    );
    setHandler(messages.cancelSignal, (input) => this.onCommandSignal('cancel', input), {
      description: 'Release the hold: {"by": "you", "reason": "why"}; may be empty.',
    });
    setHandler(
      messages.stateQuery,
      () => ({ hold: this.object, running: this.busyWith, lastRefusal: this.lastRefusal }),
      { description: 'Status, amounts, deadline, last refusal.' },
    );
  }

  protected closedRefusalOf(hold: Hold): Refusal | undefined {
    return judgeRelease(hold);
  }

  protected busyRefusalOf(hold: Hold | null, running: string): Refusal {
    return busyRefusal(hold?.status ?? 'processing', running);
  }

  /** A hold that is not held yet may have been confirmed: the channel is asked. */
  protected judge(hold: Hold, command: Asked): Refusal | undefined {
    if (command.kind !== 'capture' || !isHeld(hold.status)) return undefined;
    const judged = judgeCapture(hold, command);
    return 'code' in judged ? judged : undefined;
  }

  protected channelNoOf({ channelPreAuthNo }: Hold): string | null {
    return channelPreAuthNo;
  }

  protected linesOf(hold: Hold): string[] {
    const money = (amount: number) => formatMoney({ amount, currency: hold.currency });
    return [
      `**${hold.status}** at ${hold.channel}${hold.channelPreAuthNo === null ? '' : ` (\`${hold.channelPreAuthNo}\`)`}`,
      '',
      `| held | capturable | captured |`,
      `|---|---|---|`,
      `| ${money(hold.amount)} | ${money(hold.amountCapturable)} | ${money(hold.amountCaptured)} |`,
      '',
      isClosed(hold.status)
        ? 'Closed.'
        : `Released at ${new Date(hold.expiresAtMs).toISOString()} if nothing happens.`,
    ];
  }
}
