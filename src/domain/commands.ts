/** What an API caller or an operator may ask of a hold, and the judgement whether it can be done now. */
import { formatMoney, isAmount } from './money';
import { isClosed, isHeld } from './pre-auth';
import type { Hold, PreAuthStatus } from './pre-auth';
import { refuse } from './errors';
import type { Refusal } from './errors';
import { workflowIdOf } from './ids';
import type { ObjectRef } from './ids';

/** `by` of what a merchant asks over the API. Anybody can type it: only the mark proves that the API said it. */
export const BY_API = 'api';

export interface CaptureCommand {
  readonly kind: 'capture';
  /** Names the command for good: the idempotency record's id, or a signal's own key. */
  readonly commandId: string;
  /** Minor units; absent = everything that is left. */
  readonly amount?: number;
  /** false = keep the rest held, where the channel can. Absent = true. */
  readonly final?: boolean;
  readonly by?: string;
  readonly reason?: string;
  /** Of the API's commands; see `markedFor`. */
  readonly mark?: string;
}

export interface CancelCommand {
  readonly kind: 'cancel';
  readonly commandId: string;
  readonly by?: string;
  readonly reason?: string;
  /** Of the API's commands; see `markedFor`. */
  readonly mark?: string;
}

export interface ExpiryCommand {
  readonly kind: 'expiry';
  readonly commandId: 'expiry';
}

export const AUTHORIZE_COMMAND_ID = 'authorize';

/** The customer has approved, and the channel waits for our word to hold the money. */
export interface AuthorizeCommand {
  readonly kind: 'authorize';
  readonly commandId: typeof AUTHORIZE_COMMAND_ID;
}

export type Command = CaptureCommand | CancelCommand | ExpiryCommand | AuthorizeCommand;

/** The end of a command, for whoever asked. `done`: the channel did it; `amount` is what a capture took, in minor units. */
/** What a command's caller is told of the hold. */
export type HoldFigures = Pick<Hold, 'status' | 'channelPreAuthNo' | 'amountCapturable' | 'amountCaptured'>;

export type CommandResult =
  | { readonly kind: 'done'; readonly amount: number; readonly hold: HoldFigures }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export function closedRefusal(status: PreAuthStatus): Refusal {
  return refuse('PRE_AUTH_CLOSED', { status }, `The hold is closed: its status is ${status}.`);
}

export function busyRefusal(status: PreAuthStatus, running: string): Refusal {
  return refuse('PRE_AUTH_BUSY', { status, running });
}

/** Whether the hold can be captured as asked, from what we know of it. */
export function judgeCapture(
  hold: Hold,
  command: CaptureCommand,
): Refusal | { amount: number; final: boolean } {
  if (isClosed(hold.status)) return closedRefusal(hold.status);
  if (!isHeld(hold.status)) return refuse('PRE_AUTH_NOT_CAPTURABLE', { status: hold.status });
  const amount = command.amount ?? hold.amountCapturable;
  if (amount > hold.amountCapturable) {
    const left = formatMoney({ amount: hold.amountCapturable, currency: hold.currency });
    return refuse(
      'CAPTURE_AMOUNT_EXCEEDS_HOLD',
      { amount, amount_capturable: hold.amountCapturable },
      `The amount is more than what is left of the hold (${left}).`,
    );
  }
  return { amount, final: !(command.final === false && hold.multipleCaptures) };
}

/** Of a release, and of an authorization: the channel may be asked as long as the hold is open. */
export function judgeRelease(hold: Hold): Refusal | undefined {
  return isClosed(hold.status) ? closedRefusal(hold.status) : undefined;
}

/** What a mark stands for: this very command, of this very object, and nothing more that could be done with it. */
export function markedFor(
  object: ObjectRef,
  command: Pick<CaptureCommand, 'commandId' | 'amount' | 'final'> & { readonly kind: string },
): string {
  const { kind, commandId, amount = null, final = null } = command;
  return JSON.stringify(['command', workflowIdOf(object), kind, commandId, amount, final]);
}

const TEXT_LIMIT = 500;

/**
 * A signal typed by a person: one JSON value or nothing at all. Returns the fields it carries, or the sentence that
 * tells the operator what is wrong; unknown fields are refused so that a misspelt `amount` never captures everything.
 */
export function parseOperatorInput(
  input: unknown,
  allowed: readonly string[],
): { fields: Readonly<Record<string, unknown>> } | { problem: string } {
  if (input === undefined || input === null) return { fields: {} };
  if (typeof input !== 'object' || Array.isArray(input))
    return { problem: 'the input must be a JSON object or empty' };
  const fields = input as Record<string, unknown>;
  for (const [name, value] of Object.entries(fields)) {
    const problem = allowed.includes(name)
      ? fieldProblem(name, value)
      : `unknown field "${name.slice(0, 40)}"`;
    if (problem !== undefined) return { problem };
  }
  return { fields };
}

/**
 * What is wrong with the input of an update, if anything. The API's is taken whole: it names its command.
 * @param allowed fields that this kind of command has, besides those that all have
 */
export function updateProblem(kind: string, input: unknown, allowed: readonly string[]): string | undefined {
  const isApis = isSaidByApi(input, 'commandId');
  const others = isApis ? ['kind', 'commandId', 'by', 'mark'] : ['by', 'reason'];
  const parsed = parseOperatorInput(input, [...allowed, ...others]);
  if ('problem' in parsed) return parsed.problem;
  if (!isApis) return borrowedNameProblem(parsed.fields);
  return parsed.fields.kind === kind ? undefined : `"kind" must be "${kind}"`;
}

/** Whether it has the shape of what the API sends, which names its command. That proves nothing: the mark does. */
export function isSaidByApi(input: unknown, nameField: 'commandId' | 'command_id'): boolean {
  if (typeof input !== 'object' || input === null || !(nameField in input)) return false;
  return 'by' in input && input.by === BY_API;
}

/** Whoever reads the audit would take these for somebody else than who typed them. */
const NOT_A_PERSONS: ReadonlySet<string> = new Set([BY_API, 'merchant', 'root', 'temporal']);

export function isBorrowedName(by: unknown): boolean {
  return typeof by === 'string' && NOT_A_PERSONS.has(by.trim().toLowerCase());
}

/** Why what an operator typed as `by` cannot be taken, if it cannot. */
export function borrowedNameProblem({ by }: Readonly<Record<string, unknown>>): string | undefined {
  return isBorrowedName(by) ? '"by" must be your own name, not api, merchant, root or temporal' : undefined;
}

/** Short, printable, and not one of the names the workflow gives itself. */
const COMMAND_ID = /^(?!create$|expiry$|authorize$|complete$)[A-Za-z0-9._:-]{1,100}$/;
/** PostgreSQL stores neither NUL nor half a surrogate pair, and a page shows no control character. */
const UNPRINTABLE = /\p{Cc}|\p{Surrogate}/u;

function fieldProblem(name: string, value: unknown): string | undefined {
  if (name === 'amount')
    return isAmount(value) ? undefined : '"amount" must be a positive integer of minor units';
  if (name === 'final') return typeof value === 'boolean' ? undefined : '"final" must be true or false';
  if (name === 'command_id' || name === 'commandId') {
    const isName = typeof value === 'string' && COMMAND_ID.test(value);
    return isName
      ? undefined
      : `"${name}" must be a name of its own, 1 to 100 characters of A-Z a-z 0-9 . _ : -`;
  }
  const isText =
    typeof value === 'string' && value.length > 0 && value.length <= TEXT_LIMIT && !UNPRINTABLE.test(value);
  return isText ? undefined : `"${name}" must be a printable text of 1 to ${TEXT_LIMIT} characters`;
}
