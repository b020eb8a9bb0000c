/**
 * The desk of an object that can be commanded: gives the one slot to one command at a time. Handlers only ask for the
 * slot, and do it synchronously; the object's main loop acts.
 */
import { ApplicationFailure, condition, setHandler, uuid4 } from '@temporalio/workflow';
import type { defineUpdate } from '@temporalio/workflow';
import type { OperatorDecision } from '../activities/records';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import { isSaidByApi, parseOperatorInput, updateProblem } from '../domain/commands';
import { refuse } from '../domain/errors';
import type { Refusal } from '../domain/errors';
import { createdUpdate } from './messages';
import { ObjectDesk } from './object-desk';
import type { Shown } from './object-desk';

const QUEUE_LIMIT = 10;

interface Named {
  readonly kind: string;
  readonly commandId: string;
}

type Update<R, C> = ReturnType<typeof defineUpdate<R, [C]>>;
type Refused = { readonly kind: 'refused'; readonly refusal: Refusal };

/** T: the object. C: what may be asked of it. R: how that ends. */
export abstract class CommandDesk<
  T extends Shown,
  C extends Named,
  R extends { readonly kind: 'done' } | Refused,
> extends ObjectDesk<T> {
  /** The command under way: its id and kind. From the start on that is the create. */
  running: Named | null = { kind: 'create', commandId: CREATE_COMMAND_ID };
  /** The customer has approved, and the channel waits for our word. */
  completionDue = false;
  /**
   * Accepted and not begun yet, an API caller's first. A signal is accepted for good when it arrives, so it waits for the
   * slot instead of being refused.
   */
  private readonly queue: C[] = [];
  private readonly results = new Map<string, R | Refused>();

  constructor(noun: 'hold' | 'payment') {
    super(noun);
    setHandler(createdUpdate, () => this.created(), {
      description: 'Waits until the channel has answered the create.',
    });
  }

  /** The Web UI's Request Cancellation means `cancel`. */
  requestCancel(): void {
    this.onCommandSignal('cancel', { by: 'web-ui', reason: 'cancellation requested' });
  }

  /** The next command to carry out, if one waits. Taking it occupies the slot. */
  take(): C | null {
    const next = this.queue.shift() ?? null;
    if (next !== null) this.running = next;
    this.show();
    return next;
  }

  /** A command of this kind that waits for the slot, if one does. It stays where it is. */
  waiting<K extends C['kind']>(kind: K): Extract<C, { readonly kind: K }> | null {
    const isWanted = (command: C): command is Extract<C, { readonly kind: K }> => command.kind === kind;
    return this.queue.find(isWanted) ?? null;
  }

  /** Ends a command that waited, and has come about without the slot. */
  finishWaiting(commandId: string, result: R): void {
    const place = this.queue.findIndex((command) => command.commandId === commandId);
    if (place >= 0) this.queue.splice(place, 1);
    this.results.set(commandId, result);
  }

  get hasWork(): boolean {
    return this.queue.length > 0 || this.resyncAsked || this.completionDue;
  }

  /** Ends the running command and frees the slot. */
  finish(commandId: string, result: R): void {
    this.results.set(commandId, result);
    const what = this.running?.kind ?? 'command';
    this.running = null;
    if (result.kind === 'refused') this.noteRefusal(`${what}: ${result.refusal.message}`);
    else this.show();
  }

  /** Whoever still waits for the slot of the object, which is closed, is told so. */
  close(): void {
    const refusal = this.closedRefusal;
    if (refusal === undefined) throw new Error(`the ${this.noun} is not closed`);
    for (const command of this.queue.splice(0)) {
      this.results.set(command.commandId, { kind: 'refused', refusal });
      this.noteRefusal(`${command.kind}: the ${this.noun} is closed`);
    }
  }

  /** What is under way or next, for people to read. */
  protected override get busyWith(): string | null {
    return this.running?.kind ?? this.queue[0]?.kind ?? null;
  }

  protected abstract closedRefusalOf(object: T): Refusal | undefined;
  /** @param object null: not loaded yet */
  protected abstract busyRefusalOf(object: T | null, running: string): Refusal;
  /** Why an open object that is not busy cannot do this now, from what we know of it. */
  protected abstract judge(object: T, command: C): Refusal | undefined;
  /** The object's number at its channel; null: there is none yet. */
  protected abstract channelNoOf(object: T): string | null;

  /**
   * Takes commands as this update: the API's, and an operator's, who types what the signal of the same name takes.
   * @param more fields that an operator may give besides `by` and `reason`
   */
  protected takeUpdates<One extends C>(
    update: Update<R | Refused, One>,
    kind: C['kind'],
    description: string,
    more: readonly string[] = [],
  ): void {
    const read = (input: unknown, idOf: () => string) => this.commandOf(kind, input, more, idOf);
    setHandler(update, (input: One) => this.ask(read(input, uuid4)), {
      validator: (input: One) => {
        // Here and not in the handler: a history is replayed without validators, and what was let in before stays in.
        const problem = updateProblem(kind, input, more);
        if (problem !== undefined) throw toFailure(refuse('INVALID_REQUEST', undefined, problem));
        // Judged like any command that is not known yet: its own id is made when it is accepted.
        this.validate(read(input, () => ''));
      },
      description,
    });
  }

  /** An update's input: the API names its command, an operator only says what is wanted. @throws ApplicationFailure */
  private commandOf(kind: C['kind'], input: unknown, more: readonly string[], idOf: () => string): C {
    if (typeof input === 'object' && input !== null && 'commandId' in input) return input as C;
    const parsed = parseOperatorInput(input, [...more, 'by', 'reason']);
    if ('problem' in parsed) throw toFailure(refuse('INVALID_REQUEST', undefined, parsed.problem));
    return { kind, commandId: idOf(), ...parsed.fields } as C;
  }

  /** Puts what an operator asks into the queue, or shows why it cannot be taken. */
  protected onCommandSignal(kind: C['kind'], input: unknown, more: readonly string[] = []): void {
    const parsed = parseOperatorInput(input, [...more, 'by', 'reason', 'command_id', 'mark']);
    if ('problem' in parsed) return this.noteRefusal(`${kind}: ${parsed.problem}`);
    const nameProblem = isSaidByApi(input, 'command_id') ? undefined : this.nameProblemOf(parsed.fields);
    if (nameProblem !== undefined) return this.noteRefusal(`${kind}: ${nameProblem}`);
    const { command_id: commandId, ...fields } = parsed.fields as { command_id?: string };
    const command = { kind, commandId: commandId ?? uuid4(), ...fields } as C;
    if (this.isKnown(command.commandId)) return;
    if (this.closedRefusal !== undefined) return this.noteRefusal(`${kind}: the ${this.noun} is closed`);
    if (this.queue.length >= QUEUE_LIMIT)
      return this.noteRefusal(`${kind}: ${QUEUE_LIMIT} commands wait already`);
    this.queue.push(command);
  }

  protected override problemOf({ outcome }: OperatorDecision): string | undefined {
    return outcome === 'executed' && this.object !== null && this.channelNoOf(this.object) === null
      ? 'a create without an object can only be settled as "not_executed"'
      : undefined;
  }

  private get closedRefusal(): Refusal | undefined {
    return this.object === null ? undefined : this.closedRefusalOf(this.object);
  }

  private async created(): Promise<null> {
    await condition(() => this.running?.kind !== 'create');
    return null;
  }

  private validate(command: C): void {
    const refusal = this.refusalNow(command);
    if (refusal !== undefined) throw toFailure(refusal);
  }

  private async ask(command: C): Promise<R | Refused> {
    if (!this.isKnown(command.commandId)) {
      this.validate(command);
      this.queue.unshift(command);
    }
    await condition(() => this.results.has(command.commandId));
    return this.results.get(command.commandId) as R | Refused;
  }

  private isKnown(commandId: string): boolean {
    const waits = this.queue.some((queued) => queued.commandId === commandId);
    return waits || this.running?.commandId === commandId || this.results.has(commandId);
  }

  /** Why the command cannot have the slot now. */
  private refusalNow(command: C): Refusal | undefined {
    if (this.isKnown(command.commandId)) return undefined;
    if (this.closedRefusal !== undefined) return this.closedRefusal;
    // Before the row was loaded there is nothing to judge by: the command waits for the slot, and is judged then.
    const busyWith = this.object === null ? this.queue[0]?.kind : this.busyWith;
    if (busyWith != null) return this.busyRefusalOf(this.object, busyWith);
    return this.object === null ? undefined : this.judge(this.object, command);
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
