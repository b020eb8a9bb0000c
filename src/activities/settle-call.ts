/** Finds out what became of a call whose answer was lost, in the order of domain/settle.ts, whatever its object is. */
import { ChannelFault } from '../domain/channel';
import type { CallOperation, ChannelCall } from '../domain/channel-call';
import type { ObjectRef } from '../domain/ids';
import { isBeyondHorizon, mayReplay, provesNotExecuted } from '../domain/settle';
import { findCalls, insertCall, markAbsent, markAsked, readCall, settleCall } from '../stores/channel-calls';
import { withTransaction } from '../stores/postgres';
import type { ActivityDeps } from './deps';
import { evidenceOf, exchangeOf, identityOf, mustBeOwn, resend, send, unsettled } from './exchange';
import type { Subject, SubjectReport } from './subject';

/** One attempt to find out what became of an open call. May ask the channel several times, each with its slow time-out. */
export async function settleOpenCall<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  callId: string,
): Promise<SubjectReport<S, R>> {
  const call = await currentCall<Op>(deps, subject.object, callId);
  if (call.state !== 'open')
    return { kind: 'settled', result: subject.resultOf(call, call.state, call.declineCode) };
  mustBeOwn(subject, call);
  const limits = subject.limitsOf(call);
  if (mayReplay(evidenceOf(call), limits, deps.now())) {
    const report = await resend(deps, subject, call, deps.slowExchangeTimeoutMs);
    if (report.kind !== 'unsettled') return report;
  }
  await markAsked(deps.db, call.id);
  const report = await settleByReading(deps, subject, await currentCall(deps, subject.object, call.id));
  if (report.kind === 'unsettled' && isBeyondHorizon(evidenceOf(call), limits, deps.now())) {
    await subject.askForDecision(`outcome of ${call.operation} unknown beyond the channel's horizon`);
  }
  return report;
}

async function settleByReading<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
): Promise<SubjectReport<S, R>> {
  mustBeOwn(subject, call);
  // What a read shows was true when it was asked, at the earliest; the first absence is noted when it was answered.
  const askedAtMs = deps.now();
  let snapshot: S | undefined;
  try {
    const exchange = exchangeOf(deps.slowExchangeTimeoutMs);
    snapshot = await subject.find(call, identityOf(subject.object, call), exchange);
  } catch (error) {
    if (!(error instanceof ChannelFault)) throw error;
    return unsettled(deps, subject, call, error.message);
  }
  if (snapshot !== undefined && subject.isSettledBy(call, snapshot))
    return { kind: 'answered', callId: call.id, answer: { kind: 'done', snapshot } };
  const movesMoney = call.operation === 'authorize' || call.operation === 'capture';
  if (snapshot === undefined && movesMoney)
    await subject.askForDecision(
      `outcome of ${call.operation} unknown, and the channel does not know the object`,
    );
  return concludeAbsence(deps, subject, call, subject.showsAbsence(call, snapshot), askedAtMs);
}

/** The read settled nothing. Absence proves something only together with a stored error, twice and late enough. */
async function concludeAbsence<S extends { readonly status: string }, R, Op extends CallOperation>(
  deps: ActivityDeps,
  subject: Subject<S, R, Op>,
  call: ChannelCall<Op>,
  absent: boolean,
  askedAtMs: number,
): Promise<SubjectReport<S, R>> {
  if (absent && provesNotExecuted(evidenceOf(call), subject.limitsOf(call), askedAtMs)) {
    const given = call.operation === 'create' && (await subject.giveUp?.(call, { kind: 'proved_absent' }));
    if (given) return given;
    const next = await replaceCall(deps, subject.object, call);
    return send(deps, subject, next, deps.slowExchangeTimeoutMs);
  }
  if (absent && call.storedError && call.firstAbsentAtMs === null) {
    await markAbsent(deps.db, call.id);
    const noted = { ...call, firstAbsentAtMs: deps.now() };
    return unsettled(deps, subject, noted, 'stored error, not executed at the first read');
  }
  return unsettled(deps, subject, call, 'no effect to be seen yet');
}

/** Closes a call that was proved not executed and opens its successor, under the next key, for the same command. */
async function replaceCall<Op extends CallOperation>(
  deps: ActivityDeps,
  object: ObjectRef,
  call: ChannelCall<Op>,
): Promise<ChannelCall<Op>> {
  return withTransaction(deps.db, async (tx) => {
    const wasOpen = await settleCall(tx, {
      callId: call.id,
      state: 'not_executed',
      outcome: { proof: 'stored error, absent twice' },
    });
    const { channelAccountId, operation, amount, currency, final, commandId, reason } = call;
    const next = wasOpen
      ? await insertCall<Op>(tx, {
          ...{ object, channelAccountId, operation, amount, currency, final, commandId },
          reason: reason ?? undefined,
          sentNow: true,
        })
      : undefined;
    if (next === undefined) throw new Error(`call ${call.id} was settled by somebody else; look again`);
    return next;
  });
}

/** The call, or the one that has replaced it: a crash may have come between the replacement and its report. */
async function currentCall<Op extends CallOperation>(
  deps: ActivityDeps,
  object: ObjectRef,
  callId: string,
): Promise<ChannelCall<Op>> {
  const call = await readCall<Op>(deps.db, callId);
  if (call === undefined) throw new Error(`there is no channel call ${callId}`);
  if (call.state !== 'not_executed') return call;
  return (await findCalls<Op>(deps.db, object, call.commandId)).own ?? call;
}
