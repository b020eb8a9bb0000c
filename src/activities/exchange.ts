/** One exchange with a channel on behalf of a committed call row: the only place that sends money calls. */
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { ChannelFault } from '../domain/channel';
import type { CallIdentity, Exchange } from '../domain/channel';
import { isCertainlyUnsent, speaksOfLastSendOnly } from '../domain/channel-call';
import type { CallOperation, ChannelCall } from '../domain/channel-call';
import { callName, workflowIdOf } from '../domain/ids';
import type { ObjectRef } from '../domain/ids';
import { mayReplay, settleDelayMs } from '../domain/settle';
import type { CallEvidence } from '../domain/settle';
import { safely } from '../observability/safely';
import { markStoredError, noteFault, touchCall } from '../stores/channel-calls';
import type { ActivityDeps, SendOutcome } from './deps';
import type { AnswerOf, Subject, SubjectReport } from './subject';

const UNCOUNTED_MS = 2_000;

export function identityOf(object: ObjectRef, call: ChannelCall<CallOperation>): CallIdentity {
  return {
    idempotencyKey: call.idempotencyKey,
    holdfastId: workflowIdOf(object),
    holdfastCall: callName(call.operation, call.n),
  };
}

export function exchangeOf(timeoutMs: number): Exchange {
  return { timeoutMs, signal: cancellationSignal() };
}

/**
 * Sends the call under its own key and says what came of it. A fault becomes `unsettled`: only its kind decides how it
 * is settled, and nothing here may choose another key, account or amount.
 */
export async function send<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
  timeoutMs: number,
): Promise<SubjectReport<S, R>> {
  mustBeOwn(subject, call);
  const startedAtMs = deps.now();
  const tell = (outcome: SendOutcome['outcome']) =>
    safely('what routing learns of a call', () =>
      deps.observe?.({
        ...subject.place,
        accountId: subject.channelAccountId,
        currency: call.currency,
        outcome,
        latencyMs: deps.now() - startedAtMs,
      }),
    );
  try {
    const answer = await subject.carryOut(call, identityOf(subject.object, call), exchangeOf(timeoutMs));
    tell(answer.kind === 'declined' ? 'decline' : 'success');
    return await judgeAnswer(deps, subject, call, answer, timeoutMs);
  } catch (error) {
    if (!(error instanceof ChannelFault)) throw error;
    // A worker that is told to stop cuts its calls itself: that says nothing of the channel.
    if (!cancellationSignal().aborted) tell('fault');
    if (error.storedAnswer) await markStoredError(deps.db, call.id);
    const given = call.operation === 'create' ? await giveUpUnsent(deps, subject, call, error) : undefined;
    if (given !== undefined) return given;
    const known = { ...call, storedError: call.storedError || error.storedAnswer };
    return unsettled(deps, subject, known, error.message);
  }
}

/** @throws Error for a call at an account that is not the subject's: the object was given to another channel meanwhile */
export function mustBeOwn<S extends { readonly status: string }, R, Op extends CallOperation>(
  { object, channelAccountId }: Subject<S, R, Op>,
  call: ChannelCall<Op>,
): void {
  if (call.channelAccountId !== channelAccountId)
    throw new Error(`${object.kind} ${object.no} is at another channel than call ${call.id}; look again`);
}

/** Notes whether the send may have arrived. Where none of the call's sends has, the object need not wait for this channel. */
async function giveUpUnsent<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
  { execution, reason }: ChannelFault,
): Promise<SubjectReport<S, R> | undefined> {
  if (subject.giveUp === undefined) return undefined;
  const sent = { isNotSent: execution === 'not_sent', isCounted: call.attempts > 0 };
  const noted = await noteFault<Op>(deps.db, call.id, sent);
  if (noted === undefined || !sent.isNotSent || !isCertainlyUnsent(noted)) return undefined;
  return subject.giveUp(noted, { kind: 'not_sent', reason });
}

/** Sends an open call's key again, as long as the channel still knows what it did under it. */
export async function resend<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
  timeoutMs: number,
): Promise<SubjectReport<S, R>> {
  mustBeOwn(subject, call);
  if (!mayReplay(evidenceOf(call), subject.limitsOf(call), deps.now())) {
    // Asked in another way at once, and not when the next attempt would be due.
    return { ...unsettled(deps, subject, call, 'the key cannot be replayed'), retryAfterMs: 0 };
  }
  // A create that was written a moment ago and not counted yet: its row says well enough when it was sent, and a create
  // moves no money before the customer, who has not been given its secret yet, confirms it. One at a further channel is
  // counted always: as long as it is not, it can be taken back. So is one that is not sent by a local activity: that is
  // what repeats a local one which failed, and may have sent before it did.
  const isFirst =
    activityInfo().isLocal &&
    call.operation === 'create' &&
    call.n === 1 &&
    call.attempts === 0 &&
    deps.now() - call.createdAtMs < UNCOUNTED_MS;
  return send(deps, subject, isFirst ? call : await touchCall(deps.db, call), timeoutMs);
}

/** An answer settles the call only when it shows the call's effect; after "wrong state" the object itself is asked. */
async function judgeAnswer<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
  answer: AnswerOf<S>,
  timeoutMs: number,
): Promise<SubjectReport<S, R>> {
  if (answer.kind !== 'declined') {
    return subject.isAnswered(call, answer)
      ? { kind: 'answered', callId: call.id, answer }
      : unsettled(deps, subject, call, `the channel answered ${answer.snapshot.status}`);
  }
  if (speaksOfLastSendOnly(call, answer)) {
    // No repeat may ever get as far as the key again, and until the call is settled nothing else can be done.
    if (answer.ofPreparation === true)
      await subject.askForDecision(
        `outcome of ${call.operation} unknown, and what must precede a repeat is declined: ${answer.code}`,
      );
    return unsettled(deps, subject, call, `the channel answered ${answer.code} to a repeat`);
  }
  if (call.operation === 'create' || answer.code !== 'invalid_state')
    return { kind: 'answered', callId: call.id, answer };
  const reading = await subject.readAfterRefusal(exchangeOf(timeoutMs));
  return reading === undefined
    ? { kind: 'answered', callId: call.id, answer }
    : { kind: 'answered', callId: call.id, answer, reading };
}

export function evidenceOf(call: ChannelCall<CallOperation>): CallEvidence {
  return {
    createdAtMs: call.createdAtMs,
    lastSentAtMs: call.lastSentAtMs,
    storedError: call.storedError,
    firstAbsentAtMs: call.firstAbsentAtMs,
    attempts: call.attempts,
  };
}

export function unsettled<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
  reason: string,
): Extract<SubjectReport<S, R>, { kind: 'unsettled' }> {
  const retryAfterMs = settleDelayMs(evidenceOf(call), subject.limitsOf(call), deps.now());
  const { kind, no } = subject.object;
  deps.log.warn(
    { object: `${kind}/${no}`, operation: call.operation, n: call.n, reason, retryAfterMs },
    'outcome unknown',
  );
  return { kind: 'unsettled', callId: call.id, retryAfterMs, reason: reason.slice(0, 200) };
}
