/** A channel call: the durable intention to move money, and what became of it. */
import type { Decline, HoldAnswer, HoldSnapshot } from './channel';
import type { CommandResult } from './commands';
import type { Refusal } from './errors';
import { refuse } from './errors';
import { closedRefusal } from './commands';
import { isClosed } from './pre-auth';
import type { Cause, Hold } from './pre-auth';

/** `refund` is the one operation of refunds, `authorize` (completePreAuth) is of holds only; payments have the others. */
export type CallOperation = 'create' | 'authorize' | 'capture' | 'cancel' | 'refund';
export type HoldOperation = Exclude<CallOperation, 'refund'>;
export type PaymentOperation = Exclude<HoldOperation, 'authorize'>;

/** `open` until it is known what the channel did; then for good. */
export type CallState = 'open' | 'executed' | 'declined' | 'not_executed';

export const CREATE_COMMAND_ID = 'create';
export const EXPIRY_COMMAND_ID = 'expiry';
/** Releases what was held after the hold had ended. No operator's command can have this name: it has a stroke. */
export const LATE_RELEASE_COMMAND_ID = 'late/release';

/** Of a hold, unless another kind of operations is named. */
export interface ChannelCall<Operation extends CallOperation = HoldOperation> {
  readonly id: string;
  readonly channelAccountId: string;
  readonly operation: Operation;
  readonly n: number;
  readonly amount: number;
  readonly currency: string;
  readonly final: boolean;
  readonly idempotencyKey: string;
  readonly commandId: string;
  readonly reason: string | null;
  readonly state: CallState;
  readonly declineCode: string | null;
  readonly attempts: number;
  readonly createdAtMs: number;
  readonly lastSentAtMs: number;
  readonly storedError: boolean;
  readonly firstAbsentAtMs: number | null;
  /** Sends of which it is certain that they never reached the channel. */
  readonly notSent: number;
  /** A send ended without an answer that can be trusted. */
  readonly maybeSent: boolean;
}

/** What an activity that touched a call tells the workflow. */
export type CallReport =
  /** The channel gave an answer that settles the call; it must be recorded. `reading`: the object as read after a decline. */
  | {
      readonly kind: 'answered';
      readonly callId: string;
      readonly answer: HoldAnswer;
      readonly reading?: HoldSnapshot;
    }
  /** Nobody knows yet what the channel did. */
  | {
      readonly kind: 'unsettled';
      readonly callId: string;
      readonly retryAfterMs: number;
      readonly reason: string;
    }
  /** The command's call is settled and recorded already. */
  | { readonly kind: 'settled'; readonly result: CommandResult }
  /** A create came to nothing for certain, and its successor at another channel is written and not sent yet. */
  | { readonly kind: 'moved'; readonly callId: string }
  /** Another command's call is open: it must be settled before this one can be judged. */
  | { readonly kind: 'other_open'; readonly callId: string }
  /** Refused before anything was sent. */
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Why the hold or payment changes when this call is settled. */
export function causeOf(
  call: Pick<ChannelCall<PaymentOperation>, 'operation' | 'commandId'>,
): Exclude<Cause, 'authorize'>;
export function causeOf(call: Pick<ChannelCall, 'operation' | 'commandId'>): Cause;
export function causeOf(call: Pick<ChannelCall, 'operation' | 'commandId'>): Cause {
  switch (call.operation) {
    case 'create':
    case 'authorize':
    case 'capture':
      return call.operation;
    case 'cancel':
      return call.commandId === EXPIRY_COMMAND_ID ? 'expiry' : 'cancel';
  }
}

/**
 * Whether a snapshot of the object, however it was obtained, shows what became of the call: `executed`, `not_executed`
 * (the object is closed in another way), or undefined when it shows neither. A read in a final state settles anything.
 */
export function settledBy(
  call: ChannelCall,
  hold: Hold,
  snapshot: HoldSnapshot,
): 'executed' | 'not_executed' | undefined {
  if (snapshot.status === 'unknown') return undefined;
  const closed = snapshot.status === 'succeeded' || snapshot.status === 'canceled';
  switch (call.operation) {
    case 'create':
      return 'executed';
    case 'authorize':
      // While the channel still waits for us or the customer, the key may yet do its work.
      if (snapshot.status === 'canceled') return 'not_executed';
      return closed || snapshot.status === 'requires_capture' || snapshot.status === 'processing'
        ? 'executed'
        : undefined;
    case 'capture':
      if (snapshot.amountCaptured >= hold.amountCaptured + call.amount) return 'executed';
      return closed ? 'not_executed' : undefined;
    case 'cancel':
      if (snapshot.status === 'canceled') return 'executed';
      // Releasing the rest of a partly captured hold leaves it succeeded with what had been captured before.
      if (snapshot.status === 'succeeded')
        return snapshot.amountCaptured === hold.amountCaptured ? 'executed' : 'not_executed';
      return undefined;
  }
}

/**
 * Whether a read shows that the call has had no effect so far. A status that is unmapped, or still moving, shows nothing;
 * an object we know that is not found is no proof of anything. A create is absent only when nothing was found.
 */
export function showsAbsence(call: ChannelCall, snapshot: HoldSnapshot | undefined): boolean {
  if (call.operation === 'create') return snapshot === undefined;
  return snapshot !== undefined && snapshot.status !== 'unknown' && snapshot.status !== 'processing';
}

/**
 * Whether a decline says nothing of the earlier sends of a call, one of which may have worked: refused at the door, before
 * the key was looked at, or in a step before it, or the channel does not know any more what money was to be held or taken of.
 */
export function speaksOfLastSendOnly(
  {
    operation,
    attempts,
    notSent,
    maybeSent,
  }: Pick<ChannelCall<CallOperation>, 'operation' | 'attempts' | 'notSent' | 'maybeSent'>,
  { code, ofPreparation }: Decline,
): boolean {
  // Sends that never arrived have done nothing that this decline could be silent about. The first send of a create is not
  // counted: its mark tells of it.
  if (!maybeSent && attempts - notSent <= 1) return false;
  if (code === 'account_invalid' || ofPreparation === true) return true;
  return code === 'object_not_found' && (operation === 'authorize' || operation === 'capture');
}

/** Whether it is certain that nothing of this call has reached the channel, after a send that has not. */
export function isCertainlyUnsent({
  attempts,
  notSent,
  maybeSent,
}: Pick<ChannelCall<CallOperation>, 'attempts' | 'notSent' | 'maybeSent'>): boolean {
  return !maybeSent && notSent >= attempts;
}

/**
 * Whether the channel can hold and have taken nothing of an object that it does not know any more, where only a call of
 * ours brings that about.
 * @param completion the latest such call of the object, undefined: none was ever made
 */
export function provesNothingMoved(completion: Pick<ChannelCall, 'state'> | undefined): boolean {
  return completion === undefined || completion.state === 'declined' || completion.state === 'not_executed';
}

/** What the command's caller is told once the call is settled as `state`, with the hold as it is after it. */
export function resultOf(
  call: Pick<ChannelCall, 'operation' | 'amount'>,
  state: CallState,
  declineCode: string | null,
  hold: Hold,
): CommandResult {
  if (state === 'executed') {
    const { status, channelPreAuthNo, amountCapturable, amountCaptured } = hold;
    const figures = { status, channelPreAuthNo, amountCapturable, amountCaptured };
    return { kind: 'done', amount: call.amount, hold: figures };
  }
  if (state === 'declined' && !(declineCode === 'invalid_state' && isClosed(hold.status))) {
    const details = { operation: call.operation, decline_code: declineCode, status: hold.status };
    return {
      kind: 'refused',
      refusal: refuse(
        'CHANNEL_DECLINED',
        details,
        `The channel declined: ${declineCode ?? 'no reason given'}.`,
      ),
    };
  }
  if (isClosed(hold.status)) return { kind: 'refused', refusal: closedRefusal(hold.status) };
  return {
    kind: 'refused',
    refusal: refuse('PRE_AUTH_BUSY', { status: hold.status }, 'The command was not executed; repeat it.'),
  };
}
