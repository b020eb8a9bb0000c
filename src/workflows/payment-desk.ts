/**
 * The desk of a payment: takes what callers and operators ask, and gives the one slot to one command at a time. Handlers
 * only ask for the slot, and do it synchronously; the main loop in payment.ts acts.
 */
import { ApplicationFailure, condition, setCurrentDetails, setHandler, uuid4 } from '@temporalio/workflow';
import type { OperatorDecision } from '../activities/records';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import { parseOperatorInput } from '../domain/commands';
import type { Refusal } from '../domain/errors';
import { formatMoney } from '../domain/money';
import { isPaymentClosed } from '../domain/payment';
import type { Payment, PaymentStatus } from '../domain/payment';
import { paymentBusyRefusal, paymentClosedRefusal } from '../domain/payment-commands';
import type { CancelPaymentCommand, PaymentResult } from '../domain/payment-commands';
import * as messages from './messages';

const QUEUE_LIMIT = 10;

export class PaymentDesk {
  payment: Payment | null = null;
  /** The command under way: its id and kind. From the start on that is the create. */
  running: { readonly kind: string; readonly commandId: string } | null = {
    kind: 'create',
    commandId: CREATE_COMMAND_ID,
  };
  /** Commands that were accepted and not begun yet, an API caller's first. */
  private readonly queue: CancelPaymentCommand[] = [];
  resyncAsked = false;
  /** The customer has approved: the money is there for the taking. */
  completionDue = false;
  /** News that came while an outcome was being settled: looked at when it is. */
  newsWhileSettling = false;
  decision: OperatorDecision | null = null;
  /** True while an outcome is unknown and needs an operator: only then their word is taken. */
  decisionWanted = false;
  private readonly results = new Map<string, PaymentResult>();
  private lastRefusal: string | null = null;

  constructor() {
    setHandler(messages.createdUpdate, () => this.created(), {
      description: 'Waits until the channel has answered the create.',
    });
    setHandler(messages.cancelPaymentUpdate, (command) => this.ask(command), {
      validator: (command: CancelPaymentCommand) => this.validate(command),
      description: 'Cancel for an API caller; operators send the signal of the same name.',
    });
    setHandler(messages.cancelSignal, (input) => this.onCancelSignal(input), {
      description: 'Cancel the payment: {"by": "you", "reason": "why"}; may be empty.',
    });
    setHandler(messages.resyncSignal, () => void (this.resyncAsked = true), {
      description: 'Read the payment at the channel again; no input.',
    });
    setHandler(messages.settleSignal, (input) => this.onSettleSignal(input), {
      description:
        'Decide an outcome that stayed unknown: {"by": "you", "reason": "why", "outcome": "executed" or "not_executed"}.',
    });
    setHandler(messages.paymentStateQuery, () => this.state(), {
      description: 'Status, amount, deadline, last refusal.',
    });
  }

  private state(): messages.PaymentState {
    return {
      payment: this.payment,
      running: this.running?.kind ?? this.queue[0]?.kind ?? null,
      lastRefusal: this.lastRefusal,
    };
  }

  /** The Web UI's Request Cancellation means `cancel`. */
  requestCancel(): void {
    this.enqueue({ kind: 'cancel', commandId: uuid4(), by: 'web-ui', reason: 'cancellation requested' });
  }

  /** The next command to carry out, if one waits. Taking it occupies the slot. */
  take(): CancelPaymentCommand | null {
    const next = this.queue.shift() ?? null;
    if (next !== null) this.running = next;
    return next;
  }

  get hasWork(): boolean {
    return this.queue.length > 0 || this.resyncAsked || this.completionDue;
  }

  /** Ends the running command and frees the slot. */
  finish(commandId: string, result: PaymentResult): void {
    this.results.set(commandId, result);
    if (result.kind === 'refused')
      this.noteRefusal(`${this.running?.kind ?? 'command'}: ${result.refusal.message}`);
    this.running = null;
  }

  /** The payment is closed: whoever still waits for the slot is told so. */
  close(status: PaymentStatus): void {
    for (const command of this.queue.splice(0)) {
      this.results.set(command.commandId, { kind: 'refused', refusal: paymentClosedRefusal(status) });
      this.noteRefusal(`${command.kind}: the payment is closed`);
    }
  }

  update(payment: Payment): void {
    this.payment = payment;
    this.show();
  }

  private async created(): Promise<null> {
    await condition(() => this.running?.kind !== 'create');
    return null;
  }

  private validate(command: CancelPaymentCommand): void {
    const refusal = this.refusalNow(command);
    if (refusal !== undefined) throw toFailure(refusal);
  }

  private async ask(command: CancelPaymentCommand): Promise<PaymentResult> {
    if (!this.isKnown(command.commandId)) {
      const refusal = this.refusalNow(command);
      if (refusal !== undefined) throw toFailure(refusal);
      this.queue.unshift(command);
    }
    await condition(() => this.results.has(command.commandId));
    return this.results.get(command.commandId) as PaymentResult;
  }

  private isKnown(commandId: string): boolean {
    const waits = this.queue.some((queued) => queued.commandId === commandId);
    return waits || this.running?.commandId === commandId || this.results.has(commandId);
  }

  /** Why the command cannot have the slot now. */
  private refusalNow(command: CancelPaymentCommand): Refusal | undefined {
    if (this.isKnown(command.commandId)) return undefined;
    const status = this.payment?.status ?? 'pending';
    if (isPaymentClosed(status)) return paymentClosedRefusal(status);
    // Before the row was loaded there is nothing to judge by: the command waits for the slot, and is judged then.
    const running = this.payment === null ? undefined : this.running?.kind;
    const busyWith = running ?? this.queue[0]?.kind;
    return busyWith === undefined ? undefined : paymentBusyRefusal(status, busyWith);
  }

  private onCancelSignal(input: unknown): void {
    const parsed = parseOperatorInput(input, ['by', 'reason', 'command_id']);
    if ('problem' in parsed) return this.noteRefusal(`cancel: ${parsed.problem}`);
    const { command_id: commandId, ...fields } = parsed.fields as {
      command_id?: string;
      by?: string;
      reason?: string;
    };
    if (commandId === 'complete') return this.noteRefusal('cancel: "command_id" must be a name of its own');
    this.enqueue({ kind: 'cancel', commandId: commandId ?? uuid4(), ...fields });
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
    if (outcome === 'executed' && this.payment?.channelPaymentNo === null) {
      return this.noteRefusal('settle: a create without an object can only be settled as "not_executed"');
    }
    this.decision = { by, reason, outcome };
  }

  private enqueue(command: CancelPaymentCommand): void {
    if (this.isKnown(command.commandId)) return;
    if (this.payment !== null && isPaymentClosed(this.payment.status))
      return this.noteRefusal(`${command.kind}: the payment is closed`);
    if (this.queue.length >= QUEUE_LIMIT)
      return this.noteRefusal(`${command.kind}: ${QUEUE_LIMIT} commands wait already`);
    this.queue.push(command);
  }

  private noteRefusal(text: string): void {
    this.lastRefusal = text;
    this.show();
  }

  /** What an operator sees first in the Web UI. */
  private show(): void {
    const payment = this.payment;
    if (payment === null) return;
    const { status, channel, channelPaymentNo: no, declineCode, needsAttention } = payment;
    const lines = [
      `**${status}** at ${channel}${no === null ? '' : ` (\`${no}\`)`}: ${formatMoney(payment)}`,
      '',
      isPaymentClosed(status)
        ? 'Closed.'
        : `Expires at ${new Date(payment.expiresAtMs).toISOString()} if nobody pays.`,
    ];
    if (declineCode !== null) lines.push('', `Last decline: ${declineCode}`);
    if (needsAttention !== null) lines.push('', `**Needs attention:** ${needsAttention}`);
    if (this.lastRefusal !== null) lines.push('', `Last refusal: ${this.lastRefusal}`);
    setCurrentDetails(lines.join('\n'));
  }
}

function toFailure(refusal: Refusal): ApplicationFailure {
  return ApplicationFailure.create({
    type: refusal.code,
    message: refusal.message,
    details: [refusal.details ?? null],
    nonRetryable: true,
  });
}
