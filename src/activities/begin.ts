/** How a command gets its call: found where it was begun before, written where it is new. May run twice, at any point. */
import type { CallOperation, ChannelCall, HoldOperation } from '../domain/channel-call';
import type { Refusal } from '../domain/errors';
import { insertCall } from '../stores/channel-calls';
import type { NewCall, OpenAndOwn } from '../stores/channel-calls';
import type { ActivityDeps } from './deps';
import type { Subject, SubjectReport } from './subject';

const MAX_LOOKS = 5;

/** A row and its calls. */
export interface Look<Row, Op extends CallOperation = HoldOperation> {
  readonly row: Row;
  readonly calls: OpenAndOwn<Op>;
  /** Reads the row again. Absent: row and calls are as they were at one moment. */
  readonly again?: () => Promise<Row>;
}

/** Reads the row first and its calls afterwards: its version then tells that the object has moved on since. */
export async function lookInTurn<Row, Op extends CallOperation>(
  read: () => Promise<Row>,
  readCalls: () => Promise<OpenAndOwn<Op>>,
): Promise<Look<Row, Op>> {
  return { row: await read(), calls: await readCalls(), again: read };
}

/** A command as it is begun: judged by the row, which is read anew at every look. */
export interface Beginning<
  Row extends { readonly version: number },
  S extends { readonly status: string },
  R,
  Op extends CallOperation = HoldOperation,
> {
  readonly commandId: string;
  look(): Promise<Look<Row, Op>>;
  subjectOf(row: Row): Subject<S, R, Op>;
  /** Whether the latest call of this very command is its end. One that keeps trying under its name is not over with it. */
  isOver(own: ChannelCall<Op>): boolean;
  /** Judges the command by the row. undefined: its call is written with the row, so it cannot be missing. */
  readonly newCall: ((row: Row) => Promise<NewCall<Op> | Refusal>) | undefined;
}

/** Either the call to send (`fresh`: written just now, so nobody has sent it), or the end of the step. */
type Begun<S, R, Op extends CallOperation> =
  { readonly call: ChannelCall<Op>; readonly fresh: boolean } | { readonly report: SubjectReport<S, R> };

/**
 * Looks, judges and writes the call, the last only if the object is still as it was judged: an attempt that stalled since
 * it looked writes nothing, looks again and finds what a later one did.
 */
export async function begin<
  Row extends { readonly version: number },
  S extends { readonly status: string },
  R,
  Op extends CallOperation,
>(
  deps: ActivityDeps,
  beginning: Beginning<Row, S, R, Op>,
): Promise<{ row: Row; subject: Subject<S, R, Op>; next: Begun<S, R, Op> }> {
  const { commandId } = beginning;
  for (let look = 1; look <= MAX_LOOKS; look++) {
    const { row, calls, again } = await beginning.look();
    const isBegun = calls.own !== undefined && beginning.isOver(calls.own);
    if (calls.open !== undefined || isBegun) {
      // A row that was read first may be older than what its calls say; not so before anything was sent.
      const current = again === undefined || calls.open?.attempts === 0 ? row : await again();
      const now = beginning.subjectOf(current);
      return { row: current, subject: now, next: resume(calls, now, commandId) };
    }
    const subject = beginning.subjectOf(row);
    if (beginning.newCall === undefined)
      throw new Error(`${subject.object.kind} ${subject.object.no} has no ${commandId} call`);
    const call = await beginning.newCall(row);
    if ('code' in call) return { row, subject, next: { report: { kind: 'refused', refusal: call } } };
    const inserted = await insertCall(deps.db, call, row.version);
    if (inserted !== undefined) return { row, subject, next: { call: inserted, fresh: true } };
  }
  throw new Error(`the object of command ${commandId} changed at each of ${MAX_LOOKS} looks`);
}

/** What the call rows say of a step that was begun, or that has to wait for another one. */
function resume<S extends { readonly status: string }, R, Op extends CallOperation>(
  { open, own }: OpenAndOwn<Op>,
  subject: Subject<S, R, Op>,
  commandId: string,
): Begun<S, R, Op> {
  if (open?.commandId === commandId) return { call: open, fresh: false };
  if (open !== undefined) return { report: { kind: 'other_open', callId: open.id } };
  if (own === undefined) throw new Error(`command ${commandId} has no call to go on with`);
  return { report: { kind: 'settled', result: subject.resultOf(own, own.state, own.declineCode) } };
}
