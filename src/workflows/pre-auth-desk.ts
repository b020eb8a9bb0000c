/**
 * The desk of a hold: takes what callers and operators ask, and gives the one slot to one command at a time. Handlers
 * only ask for the slot, and do it synchronously; the main loop in pre-auth.ts acts.
 */
import { ApplicationFailure, condition, setCurrentDetails, setHandler, uuid4 } from '@temporalio/workflow';
import type { OperatorDecision } from '../activities/records';
import { busyRefusal, closedRefusal, judgeCapture, parseOperatorInput } from '../domain/commands';
import type { CancelCommand, CaptureCommand, CommandResult } from '../domain/commands';
import type { Refusal } from '../domain/errors';
import { isClosed, isHeld } from '../domain/pre-auth';
import type { Hold, PreAuthStatus } from '../domain/pre-auth';
import { formatMoney } from '../domain/money';
import * as messages from './messages';

type Asked = CaptureCommand | CancelCommand;

const QUEUE_LIMIT = 10;

export class HoldDesk {
  hold: Hold | null = null;
  /** The command under way: its id and kind. From the start on that is the create. */
  running: { readonly kind: string; readonly commandId: string } | null = {
    kind: 'create',
    commandId: 'create',
  };
  /** The command that asked for the slot and was not begun yet. */
  asked: Asked | null = null;
  /** Signals are accepted for good when they arrive, so they wait for the slot instead of being refused. */
  readonly queue: Asked[] = [];
  resyncAsked = false;
  /** The customer has approved, and the channel waits for our word to hold the money. */
  completionDue = false;
  /** News that came while an outcome was being settled: looked at when it is. */
  newsWhileSettling = false;
  decision: OperatorDecision | null = null;
  /** True while an outcome is unknown and needs an operator: only then their word is taken. */
  decisionWanted = false;
  private readonly results = new Map<string, CommandResult>();
  private lastRefusal: string | null = null;

  constructor() {
    setHandler(messages.createdUpdate, () => this.created(), {
      description: 'Waits until the channel has answered the create.',
    });
    setHandler(messages.captureUpdate, (command) => this.ask(command), {
      validator: (command: Asked) => this.validate(command),
      description: 'Capture for an API caller; operators send the signal of the same name.',
    });
    setHandler(messages.cancelUpdate, (command) => this.ask(command), {
      validator: (command: Asked) => this.validate(command),
      description: 'Cancel for an API caller; operators send the signal of the same name.',
    });
    setHandler(messages.captureSignal, (input) => this.onCaptureSignal(input), {
      description:
        'Capture: {"amount": minor units, "by": "you", "reason": "why"}; empty = everything that is left.',
    });
    setHandler(messages.cancelSignal, (input) => this.onCancelSignal(input), {
      description: 'Release the hold: {"by": "you", "reason": "why"}; may be empty.',
    });
    setHandler(messages.resyncSignal, () => void (this.resyncAsked = true), {
      description: 'Read the hold at the channel again; no input.',
    });
    setHandler(messages.settleSignal, (input) => this.onSettleSignal(input), {
      description:
        'Decide an outcome that stayed unknown: {"by": "you", "reason": "why", "outcome": "executed" or "not_executed"}.',
    });
    setHandler(messages.stateQuery, () => this.state(), {
      description: 'Status, amounts, deadline, last refusal.',
    });
  }

  private state(): messages.PreAuthState {
    return {
      hold: this.hold,
      running: this.running?.kind ?? this.asked?.kind ?? null,
      lastRefusal: this.lastRefusal,
    };
  }

  /** The Web UI's Request Cancellation means `cancel`. */
  requestCancel(): void {
    this.enqueue({ kind: 'cancel', commandId: uuid4(), by: 'web-ui', reason: 'cancellation requested' });
  }

  /** The next command to carry out, if one waits. Taking it occupies the slot. */
  take(): Asked | null {
    const next = this.asked ?? this.queue.shift() ?? null;
    this.asked = null;
    if (next !== null) this.running = next;
    return next;
  }

  get hasWork(): boolean {
    return this.asked !== null || this.queue.length > 0 || this.resyncAsked || this.completionDue;
  }

  /** Ends the running command and frees the slot. */
  finish(commandId: string, result: CommandResult): void {
    this.results.set(commandId, result);
    if (result.kind === 'refused')
      this.noteRefusal(`${this.running?.kind ?? 'command'}: ${result.refusal.message}`);
    this.running = null;
  }

  /** The hold is closed: whoever still waits for the slot is told so. */
  close(status: PreAuthStatus): void {
    const waiting = [...(this.asked === null ? [] : [this.asked]), ...this.queue.splice(0)];
    this.asked = null;
    for (const command of waiting) {
      this.results.set(command.commandId, { kind: 'refused', refusal: closedRefusal(status) });
      this.noteRefusal(`${command.kind}: the hold is closed`);
    }
  }

  update(hold: Hold): void {
    this.hold = hold;
    this.show();
  }

  private async created(): Promise<null> {
    await condition(() => this.running?.kind !== 'create');
    return null;
  }

  private validate(command: Asked): void {
    const refusal = this.refusalNow(command);
    if (refusal !== undefined) throw toFailure(refusal);
  }

  private async ask(command: Asked): Promise<CommandResult> {
    if (!this.isKnown(command.commandId)) {
      const refusal = this.refusalNow(command);
      if (refusal !== undefined) throw toFailure(refusal);
      this.asked = command;
    }
    await condition(() => this.results.has(command.commandId));
    return this.results.get(command.commandId) as CommandResult;
  }

  private isKnown(commandId: string): boolean {
    const waits =
      this.asked?.commandId === commandId || this.queue.some((queued) => queued.commandId === commandId);
    return waits || this.running?.commandId === commandId || this.results.has(commandId);
  }

  /** Why the command cannot have the slot now. A hold that is not held yet may have been confirmed: the channel is asked. */
  private refusalNow(command: Asked): Refusal | undefined {
    if (this.isKnown(command.commandId)) return undefined;
    const status = this.hold?.status ?? 'processing';
    if (isClosed(status)) return closedRefusal(status);
    // Before the row was loaded there is nothing to judge by: the command waits for the slot, and is judged then.
    const running = this.hold === null ? undefined : this.running?.kind;
    const busyWith = running ?? this.asked?.kind ?? this.queue[0]?.kind;
    if (busyWith !== undefined) return busyRefusal(status, busyWith);
    if (command.kind !== 'capture' || this.hold === null || !isHeld(this.hold.status)) return undefined;
    const judged = judgeCapture(this.hold, command);
    return 'code' in judged ? judged : undefined;
  }

  private onCaptureSignal(input: unknown): void {
    const parsed = parseOperatorInput(input, ['amount', 'final', 'by', 'reason', 'command_id']);
    if ('problem' in parsed) return this.noteRefusal(`capture: ${parsed.problem}`);
    const { command_id: commandId, ...fields } = parsed.fields as {
      command_id?: string;
      amount?: number;
      final?: boolean;
    };
    this.enqueue({ kind: 'capture', commandId: commandId ?? uuid4(), ...fields });
  }

  private onCancelSignal(input: unknown): void {
    const parsed = parseOperatorInput(input, ['by', 'reason', 'command_id']);
    if ('problem' in parsed) return this.noteRefusal(`cancel: ${parsed.problem}`);
    const { command_id: commandId, ...fields } = parsed.fields as {
      command_id?: string;
      by?: string;
      reason?: string;
    };
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
    if (outcome === 'executed' && this.hold?.channelPreAuthNo === null) {
      return this.noteRefusal('settle: a create without an object can only be settled as "not_executed"');
    }
    this.decision = { by, reason, outcome };
  }

  private enqueue(command: Asked): void {
    if (this.isKnown(command.commandId)) return;
    if (this.hold !== null && isClosed(this.hold.status))
      return this.noteRefusal(`${command.kind}: the hold is closed`);
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
    const hold = this.hold;
    if (hold === null) return;
    const money = (amount: number) => formatMoney({ amount, currency: hold.currency });
    const lines = [
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
    if (hold.needsAttention !== null) lines.push('', `**Needs attention:** ${hold.needsAttention}`);
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
