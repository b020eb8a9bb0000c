/**
 * What every kind of object has whose calls may move money. The order in which a call is begun, sent and settled is the
 * same for all (begin.ts, exchange.ts, settle-call.ts); a subject says what is its own: its verbs, and what they tell.
 */
import type { CallIdentity, ChannelName, Decline, Exchange } from '../domain/channel';
import type { CallOperation, CallState, ChannelCall, HoldOperation } from '../domain/channel-call';
import type { Refusal } from '../domain/errors';
import type { CreateEnd } from '../domain/failover';
import type { ObjectRef } from '../domain/ids';
import type { SettleLimits } from '../domain/settle';

/** What a verb that may move money answers; the snapshot is the object's as the channel shows it. */
export type AnswerOf<S> = { readonly kind: 'done' | 'pending'; readonly snapshot: S } | Decline;

/** One object as it was read, together with the way to its channel. S: its snapshot; R: what a command comes to. */
export interface Subject<S extends { readonly status: string }, R, Op extends CallOperation = HoldOperation> {
  readonly object: ObjectRef;
  /** The account that it speaks to. A create that came to nothing is followed by one at another: a call of that is not its own. */
  readonly channelAccountId: string;
  /** Where its calls count for routing. */
  readonly place: { readonly channel: ChannelName; readonly country?: string };
  limitsOf(call: ChannelCall<Op>): SettleLimits;
  /** Sends the call under its key. @throws ChannelFault */
  carryOut(call: ChannelCall<Op>, identity: CallIdentity, exchange: Exchange): Promise<AnswerOf<S>>;
  /** Whether this answer, which is no decline, tells what became of the call. */
  isAnswered(call: ChannelCall<Op>, answer: Exclude<AnswerOf<S>, Decline>): boolean;
  /** The object after the channel has said "wrong state"; undefined: it is not there. @throws ChannelFault */
  readAfterRefusal(exchange: Exchange): Promise<S | undefined>;
  /** By its number at the channel or, before there is one, by the identity of the call. @throws ChannelFault */
  find(call: ChannelCall<Op>, identity: CallIdentity, exchange: Exchange): Promise<S | undefined>;
  /** Whether a read in this state tells what became of the call. */
  isSettledBy(call: ChannelCall<Op>, snapshot: S): boolean;
  /** Whether a read shows that the call has had no effect so far. */
  showsAbsence(call: ChannelCall<Op>, snapshot: S | undefined): boolean;
  /** What the command's caller is told of a settled call. */
  resultOf(call: ChannelCall<Op>, state: CallState, declineCode: string | null): R;
  /** Tells operators that the outcome will not become known by itself. */
  askForDecision(reason: string): Promise<void>;
  /**
   * A create of which it is certain that it came to nothing: settled, with its successor at the next channel written, or its
   * object ended. undefined: nothing was written, the call stays open as it is. Absent: there is no other channel for it.
   */
  giveUp?(call: ChannelCall<Op>, end: CreateEnd): Promise<SubjectReport<S, R> | undefined>;
}

/** What an activity that touched a call tells the workflow. */
export type SubjectReport<S, R> =
  /** The channel gave an answer that settles the call; it must be recorded. `reading`: the object as read after a decline. */
  | {
      readonly kind: 'answered';
      readonly callId: string;
      readonly answer: AnswerOf<S>;
      readonly reading?: S;
    }
  /** Nobody knows yet what the channel did. */
  | {
      readonly kind: 'unsettled';
      readonly callId: string;
      readonly retryAfterMs: number;
      readonly reason: string;
    }
  /** The command's call is settled and recorded already. */
  | { readonly kind: 'settled'; readonly result: R }
  /** A create came to nothing for certain, and its successor at another channel is written and not sent yet. */
  | { readonly kind: 'moved'; readonly callId: string }
  /** Another command's call is open: it must be settled before this one can be judged. */
  | { readonly kind: 'other_open'; readonly callId: string }
  /** Refused before anything was sent. */
  | { readonly kind: 'refused'; readonly refusal: Refusal };
