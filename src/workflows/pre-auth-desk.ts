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
import { timeOf } from './object-desk';
import type { Account } from './object-desk';

type Asked = CaptureCommand | CancelCommand;

const CAPTURE_FIELDS = ['amount', 'final'];
const CAPTURE =
  'Capture: {"amount": minor units, "by": "you", "reason": "why"}; without an amount everything that is left.';
const RELEASE = 'Release the hold: {"by": "you", "reason": "why"}; may be empty.';

export class HoldDesk extends CommandDesk<Hold, Asked, CommandResult> {
  constructor() {
    super('hold');
    this.takeUpdates(
      messages.captureUpdate,
      'capture',
      `${CAPTURE} Answers when it is done.`,
      CAPTURE_FIELDS,
    );
    this.takeUpdates(messages.cancelUpdate, 'cancel', `${RELEASE} Answers when it is done.`);
    setHandler(messages.captureSignal, (input) => this.onCommandSignal('capture', input, CAPTURE_FIELDS), {
      description: CAPTURE,
    });
    setHandler(messages.cancelSignal, (input) => this.onCommandSignal('cancel', input), {
      description: RELEASE,
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

  protected numberOf({ preAuthNo }: Hold): string {
    return preAuthNo;
  }

  protected endsAtMsOf({ expiresAtMs }: Hold): number {
    return expiresAtMs;
  }

  protected accountOf(hold: Hold): Account {
    const { status, channel, channelPreAuthNo: no, orderNo, preAuthNo, currency } = hold;
    const money = (amount: number) => formatMoney({ amount, currency });
    return {
      facts: [
        `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: hold \`${preAuthNo}\` of order \`${orderNo}\``,
        '',
        `- **Held:** ${money(hold.amount)}, of which ${money(hold.amountCapturable)} can be captured`,
        `- **Captured:** ${money(hold.amountCaptured)}`,
      ],
      waitsFor: waitsOf(hold),
      actions: actionsOf(hold),
    };
  }
}

/** Whom or what the hold waits for, and until when. */
function waitsOf({ status, expiresAtMs }: Hold): string {
  const end = timeOf(expiresAtMs);
  switch (status) {
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'requires_action':
      return `the customer, who has not confirmed yet; given up at ${end}`;
    case 'processing':
      return `the channel, which is at work on it; released at ${end} if nothing happens`;
    case 'requires_capture':
      return `the merchant, who captures or cancels; released at ${end} if nothing happens`;
    case 'partially_captured':
      return `the merchant, who may capture more; the rest is released at ${end}`;
    case 'succeeded':
    case 'canceled':
    case 'expired':
    case 'failed':
      return 'nothing, it is closed';
  }
}

function actionsOf({ status, amountCapturable }: Hold): string[] {
  if (isClosed(status)) return [];
  const input = `\`{"amount": ${amountCapturable}, "by": "you", "reason": "why"}\``;
  const capture = `Capture: update \`capture\` with ${input}; \`amount\` in minor units, without it everything that is left.`;
  return [
    ...(isHeld(status) ? [capture] : []),
    'Release: update `cancel` with `{"by": "you", "reason": "why"}`, or Request Cancellation.',
    'Read it at the channel again: signal `resync`, no input.',
  ];
}
