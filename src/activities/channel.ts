/** Activities that speak with the channel about one hold. Every one of them may run twice: keys and rows decide, not luck. */
import { judgeCapture, judgeRelease } from '../domain/commands';
import type { Command } from '../domain/commands';
import type { CallReport, ChannelCall } from '../domain/channel-call';
import { CREATE_COMMAND_ID, EXPIRY_COMMAND_ID, resultOf, settledBy } from '../domain/channel-call';
import { ChannelFault } from '../domain/channel';
import { applySnapshot, isClosed } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { isBeyondHorizon, mayReplay, provesNotExecuted } from '../domain/settle';
import {
  findCalls,
  insertCall,
  markAbsent,
  readCall,
  settleCall as settleCallRow,
  touchCall,
} from '../stores/channel-calls';
import type { NewCall } from '../stores/channel-calls';
import { withTransaction } from '../stores/postgres';
import { lockPreAuth, readPreAuth, setNeedsAttention, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { evidenceOf, exchangeOf, limitsOf, readObject, send, unsettled } from './exchange';
import type { ActivityDeps, HoldRef } from './deps';
import { saveTransition } from './records';

/** A hold as it is now, and what became of the step. */
export interface StepOutcome {
  readonly hold: Hold;
  readonly report: CallReport;
}

export interface HoldReading {
  readonly hold: Hold;
  /** false: the channel could not be asked. */
  readonly answered: boolean;
  /** A call that a task which never ended left open. */
  readonly openCallId?: string;
}

/** A create is the first command of every hold; it has no parameters. */
export type Step = Command | { readonly kind: 'create'; readonly commandId: typeof CREATE_COMMAND_ID };

export function createChannelActivities(deps: ActivityDeps) {
  /** Finds or writes the command's call row, then sends it. The first attempt at anything, and the resumption of it. */
  async function executeCommand(ref: HoldRef, step: Step): Promise<StepOutcome> {
    const [row, { open, own }] = await Promise.all([
      mustRead(deps, ref),
      findCalls(deps.db, ref, step.commandId),
    ]);
    const hold = toHold(row);
    if (open !== undefined && open.commandId !== step.commandId) {
      return { hold, report: { kind: 'other_open', callId: open.id } };
    }
    if (open !== undefined) return { hold, report: await resend(row, hold, open, deps.exchangeTimeoutMs) };
    // The expiry keeps trying under the same name; every other command has one outcome, for good.
    if (own !== undefined && step.commandId !== EXPIRY_COMMAND_ID) {
      return { hold, report: { kind: 'settled', result: resultOf(own, own.state, own.declineCode, hold) } };
    }
    return begin(row, hold, step);
  }

  async function begin(row: PreAuthRow, hold: Hold, step: Step): Promise<StepOutcome> {
    const call = newCall(hold, step);
    if ('code' in call) return { hold, report: { kind: 'refused', refusal: call } };
    const inserted = await insertCall(deps.db, call);
    if (inserted !== undefined)
      return { hold, report: await send(deps, row, hold, inserted, deps.exchangeTimeoutMs) };
    // Somebody opened a call between our look and our insert: look again.
    return executeCommand({ merchantId: hold.merchantId, preAuthNo: hold.preAuthNo }, step);
  }

  async function resend(
    row: PreAuthRow,
    hold: Hold,
    call: ChannelCall,
    timeoutMs: number,
  ): Promise<CallReport> {
    if (!mayReplay(evidenceOf(call), limitsOf(deps, hold), deps.now())) {
      return unsettled(deps, hold, call, 'the key cannot be replayed');
    }
    return send(deps, row, hold, await touchCall(deps.db, call), timeoutMs);
  }

  /** One attempt to find out what became of an open call, in the order of domain/settle.ts. */
  async function settleCall(ref: HoldRef, callId: string): Promise<StepOutcome> {
    const row = await mustRead(deps, ref);
    const hold = toHold(row);
    const call = await mustReadCall(deps, callId);
    if (call.state !== 'open') {
      return {
        hold,
        report: { kind: 'settled', result: resultOf(call, call.state, call.declineCode, hold) },
      };
    }
    if (mayReplay(evidenceOf(call), limitsOf(deps, hold), deps.now())) {
      const report = await resend(row, hold, call, deps.slowExchangeTimeoutMs);
      if (report.kind !== 'unsettled') return { hold, report };
    }
    return { hold, report: await settleByReading(row, hold, await mustReadCall(deps, callId)) };
  }

  async function settleByReading(row: PreAuthRow, hold: Hold, call: ChannelCall): Promise<CallReport> {
    const adapter = await deps.adapterOf(call.channelAccountId);
    const exchange = exchangeOf(deps.slowExchangeTimeoutMs);
    try {
      const snapshot = await readObject(deps, adapter, hold, call, exchange);
      if (snapshot !== undefined && settledBy(call, hold, snapshot) !== undefined) {
        return { kind: 'answered', callId: call.id, answer: { kind: 'done', snapshot } };
      }
      return await concludeAbsence(row, hold, call);
    } catch (error) {
      if (!(error instanceof ChannelFault)) throw error;
      return unsettled(deps, hold, call, error.message);
    }
  }

  /** A read showed no effect. Only together with a stored error, twice and late enough, does that prove anything. */
  async function concludeAbsence(row: PreAuthRow, hold: Hold, call: ChannelCall): Promise<CallReport> {
    const limits = limitsOf(deps, hold);
    const nowMs = deps.now();
    if (provesNotExecuted(evidenceOf(call), limits, nowMs)) {
      const next = await replaceCall(deps, hold, call);
      return send(deps, row, hold, next, deps.slowExchangeTimeoutMs);
    }
    if (isBeyondHorizon(evidenceOf(call), limits, nowMs)) {
      await setNeedsAttention(
        deps.db,
        hold,
        `outcome of ${call.operation} unknown beyond the channel's horizon`,
      );
    } else if (call.storedError && call.firstAbsentAtMs === null) {
      await markAbsent(deps.db, call.id);
      return unsettled(
        deps,
        hold,
        { ...call, firstAbsentAtMs: nowMs },
        'stored error, not executed at the first read',
      );
    }
    return unsettled(deps, hold, call, 'no effect to be seen yet');
  }

  /**
   * Reads the object and takes over what it says: news from the channel, a capture asked for before we heard of the
   * confirmation. Also names a call that was left open by a task that never ended.
   */
  async function readHold(ref: HoldRef): Promise<HoldReading> {
    const hold = toHold(await mustRead(deps, ref));
    const { open } = await findCalls(deps.db, ref, CREATE_COMMAND_ID);
    if (open !== undefined) return { hold, answered: true, openCallId: open.id };
    if (isClosed(hold.status) || hold.channelPreAuthNo === null) return { hold, answered: true };
    const adapter = await deps.adapterOf(hold.channelAccountId);
    const snapshot = await adapter
      .queryPreAuth(hold.channelPreAuthNo, exchangeOf(deps.exchangeTimeoutMs))
      .catch((error: unknown) => {
        if (error instanceof ChannelFault) return error;
        throw error;
      });
    if (snapshot instanceof ChannelFault) return { hold, answered: false };
    if (snapshot === undefined) return { hold, answered: true };
    return withTransaction(deps.db, async (tx) => {
      const row = await lockPreAuth(tx, ref.merchantId, ref.preAuthNo);
      if (row === undefined) return { hold, answered: true };
      const current = toHold(row);
      const transition = applySnapshot(current, snapshot, 'channel');
      return { hold: await saveTransition(deps, tx, row, transition), answered: true };
    });
  }

  return { executeCommand, settleCall, readHold };
}

function newCall(hold: Hold, step: Step) {
  const base = {
    merchantId: hold.merchantId,
    preAuthNo: hold.preAuthNo,
    channelAccountId: hold.channelAccountId,
    sentNow: true,
  };
  switch (step.kind) {
    case 'create':
      // The API wrote this row; that it is missing would mean the transaction was torn.
      throw new Error(`hold ${hold.preAuthNo} has no create call`);
    case 'capture': {
      const judged = judgeCapture(hold, step);
      if ('code' in judged) return judged;
      const { by, reason } = step;
      const call: NewCall = {
        ...base,
        operation: 'capture',
        ...judged,
        currency: hold.currency,
        commandId: step.commandId,
        by,
        reason,
      };
      return call;
    }
    case 'cancel':
    case 'expiry': {
      const refusal = judgeRelease(hold);
      if (refusal !== undefined) return refusal;
      const { by, reason } = step.kind === 'cancel' ? step : { by: undefined, reason: 'expired' };
      const call: NewCall = {
        ...base,
        operation: 'cancel',
        amount: 0,
        currency: hold.currency,
        final: true,
        commandId: step.commandId,
        by,
        reason,
      };
      return call;
    }
  }
}

/** Closes a call that was proved not executed and opens its successor, under the next key, for the same command. */
async function replaceCall(deps: ActivityDeps, hold: Hold, call: ChannelCall): Promise<ChannelCall> {
  return withTransaction(deps.db, async (tx) => {
    const wasOpen = await settleCallRow(tx, call.id, 'not_executed', { proof: 'stored error, absent twice' });
    const next = wasOpen
      ? await insertCall(tx, {
          merchantId: hold.merchantId,
          preAuthNo: hold.preAuthNo,
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

async function mustRead(deps: ActivityDeps, ref: HoldRef): Promise<PreAuthRow> {
  const row = await readPreAuth(deps.db, ref.merchantId, ref.preAuthNo);
  if (row === undefined) throw new Error(`there is no hold ${ref.preAuthNo} of merchant ${ref.merchantId}`);
  return row;
}

async function mustReadCall(deps: ActivityDeps, callId: string): Promise<ChannelCall> {
  const call = await readCall(deps.db, callId);
  if (call === undefined) throw new Error(`there is no channel call ${callId}`);
  return call;
}
