/** Finds out what became of a call whose answer was lost, and what became of a hold we have news of. */
import type { HoldSnapshot } from '../domain/channel';
import { ChannelFault } from '../domain/channel';
import type { HoldOperation, CallReport, ChannelCall } from '../domain/channel-call';
import { CREATE_COMMAND_ID, resultOf, settledBy, showsAbsence } from '../domain/channel-call';
import { applySnapshot, holdObject, isClosed } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { isBeyondHorizon, mayReplay, provesNotExecuted } from '../domain/settle';
import {
  findCalls,
  insertCall,
  markAbsent,
  markAsked,
  readCall,
  settleCall as settleCallRow,
} from '../stores/channel-calls';
import { withTransaction } from '../stores/postgres';
import { lockPreAuth, readPreAuth, setNeedsAttention, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import type { ActivityDeps, HoldRef } from './deps';
import { evidenceOf, exchangeOf, limitsOf, readObject, send, unsettled } from './exchange';
import { mustRead, resend } from './execute';
import type { StepOutcome } from './execute';
import { changing, saveTransition } from './records';

export interface HoldReading {
  readonly hold: Hold;
  /** false: the channel could not be asked. */
  readonly answered: boolean;
  /** A call that a task which never ended left open. */
  readonly openCall?: { readonly id: string; readonly operation: HoldOperation; readonly commandId: string };
}

export function createSettleActivities(deps: ActivityDeps) {
  const read = (ref: HoldRef) => mustRead(readPreAuth(deps.db, ref.merchantId, ref.preAuthNo), ref);

  /** One attempt to find out what became of an open call, in the order of domain/settle.ts. */
  async function settleCall(ref: HoldRef, callId: string): Promise<StepOutcome> {
    const row = await read(ref);
    const hold = toHold(row);
    const call = await currentCall(deps, ref, callId);
    if (call.state !== 'open') {
      return {
        hold,
        report: { kind: 'settled', result: resultOf(call, call.state, call.declineCode, hold) },
      };
    }
    if (mayReplay(evidenceOf(call), limitsOf(deps, hold), deps.now())) {
      const report = await resend(deps, row, hold, call, deps.slowExchangeTimeoutMs);
      if (report.kind !== 'unsettled') return { hold, report };
    }
    await markAsked(deps.db, call.id);
    const report = await settleByReading(row, hold, await currentCall(deps, ref, call.id));
    if (report.kind === 'unsettled' && isBeyondHorizon(evidenceOf(call), limitsOf(deps, hold), deps.now())) {
      await setNeedsAttention(
        deps.db,
        hold,
        `outcome of ${call.operation} unknown beyond the channel's horizon`,
      );
    }
    return { hold: toHold(await read(ref)), report };
  }

  async function settleByReading(row: PreAuthRow, hold: Hold, call: ChannelCall): Promise<CallReport> {
    const adapter = await deps.adapterOf(call.channelAccountId);
    // What a read shows was true when it was asked, at the earliest; the first absence is noted when it was answered.
    const askedAtMs = deps.now();
    let snapshot: HoldSnapshot | undefined;
    try {
      snapshot = await readObject(deps, adapter, hold, call, exchangeOf(deps.slowExchangeTimeoutMs));
    } catch (error) {
      if (!(error instanceof ChannelFault)) throw error;
      return unsettled(deps, hold, call, error.message);
    }
    if (snapshot !== undefined && settledBy(call, hold, snapshot) !== undefined) {
      return { kind: 'answered', callId: call.id, answer: { kind: 'done', snapshot } };
    }
    return concludeAbsence(row, hold, call, showsAbsence(call, snapshot), askedAtMs);
  }

  /** The read settled nothing. Absence proves something only together with a stored error, twice and late enough. */
  async function concludeAbsence(
    row: PreAuthRow,
    hold: Hold,
    call: ChannelCall,
    absent: boolean,
    askedAtMs: number,
  ): Promise<CallReport> {
    const limits = limitsOf(deps, hold);
    if (absent && provesNotExecuted(evidenceOf(call), limits, askedAtMs)) {
      const next = await replaceCall(deps, hold, call);
      return send(deps, row, hold, next, deps.slowExchangeTimeoutMs);
    }
    if (absent && call.storedError && call.firstAbsentAtMs === null) {
      await markAbsent(deps.db, call.id);
      return unsettled(
        deps,
        hold,
        { ...call, firstAbsentAtMs: deps.now() },
        'stored error, not executed at the first read',
      );
    }
    return unsettled(deps, hold, call, 'no effect to be seen yet');
  }

  /**
   * Reads the object and takes over what it says: news from the channel, a capture asked for before we heard of the
   * confirmation. While a call is open its own answer comes first: the call is named and nothing is taken over.
   */
  async function readHold(ref: HoldRef): Promise<HoldReading> {
    const hold = toHold(await read(ref));
    const snapshot = await ask(hold);
    if (snapshot === 'no answer') return { hold, answered: false };
    return changing(deps, async (tx) => {
      const row = await mustRead(lockPreAuth(tx, ref.merchantId, ref.preAuthNo), ref);
      const { open } = await findCalls(tx, holdObject(ref), CREATE_COMMAND_ID);
      if (open !== undefined) {
        const { id, operation, commandId } = open;
        return { hold: toHold(row), answered: true, openCall: { id, operation, commandId } };
      }
      const transition = snapshot === undefined ? null : applySnapshot(toHold(row), snapshot, 'channel');
      return { hold: await saveTransition(deps, tx, row, transition), answered: true };
    });
  }

  async function ask(hold: Hold): Promise<HoldSnapshot | undefined | 'no answer'> {
    if (isClosed(hold.status) || hold.channelPreAuthNo === null) return undefined;
    const adapter = await deps.adapterOf(hold.channelAccountId);
    try {
      return await adapter.queryPreAuth(hold.channelPreAuthNo, exchangeOf(deps.exchangeTimeoutMs));
    } catch (error) {
      if (error instanceof ChannelFault) return 'no answer';
      throw error;
    }
  }

  return { settleCall, readHold };
}

/** Closes a call that was proved not executed and opens its successor, under the next key, for the same command. */
async function replaceCall(deps: ActivityDeps, hold: Hold, call: ChannelCall): Promise<ChannelCall> {
  return withTransaction(deps.db, async (tx) => {
    const wasOpen = await settleCallRow(tx, {
      callId: call.id,
      state: 'not_executed',
      outcome: { proof: 'stored error, absent twice' },
    });
    const next = wasOpen
      ? await insertCall(tx, {
          object: holdObject(hold),
          channelAccountId: call.channelAccountId,
          operation: call.operation,
          amount: call.amount,
          currency: call.currency,
          final: call.final,
          commandId: call.commandId,
          reason: call.reason ?? undefined,
          sentNow: true,
        })
      : undefined;
    if (next === undefined) throw new Error(`call ${call.id} was settled by somebody else; look again`);
    return next;
  });
}

/** The call, or the one that has replaced it: a crash may have come between the replacement and its report. */
async function currentCall(deps: ActivityDeps, ref: HoldRef, callId: string): Promise<ChannelCall> {
  const call = await readCall(deps.db, callId);
  if (call === undefined) throw new Error(`there is no channel call ${callId}`);
  if (call.state !== 'not_executed') return call;
  return (await findCalls(deps.db, holdObject(ref), call.commandId)).own ?? call;
}
