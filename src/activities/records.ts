/** Activities that write what is known: row, event and outbox in one transaction, conditional on the current state. */
import type { PoolClient } from 'pg';
import type { HoldAnswer, HoldSnapshot } from '../domain/channel';
import { causeOf, resultOf } from '../domain/channel-call';
import type { CallState, ChannelCall } from '../domain/channel-call';
import type { CommandResult } from '../domain/commands';
import { warningDue } from '../domain/expiry';
import { applyAttentionMet, applyCreateDecline, applySnapshot, holdObject } from '../domain/pre-auth';
import type { Hold, Transition } from '../domain/pre-auth';
import type { CallEnd } from '../stores/channel-calls';
import { lockPreAuthAndCall } from '../stores/hold-with-call';
import { lockPreAuth, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { changing } from './changing';
import type { ActivityDeps, HoldRef } from './deps';
import { successorOf } from './failover';
import { endOf, resultBy, savingOf, transitionOf } from './hold-answer';
import { endHoldCreate } from './hold-failover';
import { saveTransition } from './hold-saving';
import { noteDecision } from './operator-word';

/** An operator's word on an outcome that the channel will not tell any more. */
export interface OperatorDecision {
  readonly by: string;
  readonly reason: string;
  readonly outcome: 'executed' | 'not_executed';
}

export interface RecordOutcome {
  readonly hold: Hold;
  readonly result: CommandResult;
  /** The create that follows at another channel, because this one was declined. */
  readonly movedTo?: string;
}

export function createRecordActivities(deps: ActivityDeps) {
  /**
   * Settles the call and takes over what the answer says of the hold, under their locks: what could not be written at
   * once (hold-answer.ts). A repeat finds it done and changes nothing.
   */
  async function recordAnswer(
    ref: HoldRef,
    callId: string,
    answer: HoldAnswer,
    reading?: HoldSnapshot,
  ): Promise<RecordOutcome> {
    return settleOnce(ref, callId, async (tx, row, call) => {
      const settles = endOf(row, call, answer);
      if (answer.kind === 'declined' && call.operation === 'create') {
        const given = await endHoldCreate(deps, { tx, row, call }, answer, answer.providerCode);
        if (given === undefined) throw new Error('a declined create cannot stay open');
        return { ...given, result: resultBy(settles, call, given.hold) };
      }
      const hold = await applyAnswer(deps, { tx, row, call, settles }, answer, reading);
      return { hold, result: resultBy(settles, call, hold) };
    });
  }

  /** Does `work` under the locks of hold and call, unless the call is settled already: then that is the outcome. */
  async function settleOnce(
    ref: HoldRef,
    callId: string,
    work: (tx: PoolClient, row: PreAuthRow, call: ChannelCall) => Promise<RecordOutcome>,
  ): Promise<RecordOutcome> {
    return changing(deps, async (tx) => {
      const { row, call } = await lockPreAuthAndCall(tx, ref, callId);
      const before = toHold(row);
      if (call.state === 'open') return work(tx, row, call);
      const result = resultOf(call, call.state, call.declineCode, before);
      const movedTo = await successorOf(tx, holdObject(ref), call);
      return { hold: before, result, ...(movedTo !== undefined && { movedTo }) };
    });
  }

  /** Writes the warning event, once, while money is held. `nowMs` is the workflow's clock, which judged that it is due. */
  async function warnExpiring(ref: HoldRef, nowMs: number): Promise<Hold> {
    return changing(deps, async (tx) => {
      const row = await mustLock(tx, ref);
      const hold = toHold(row);
      if (!warningDue(hold, nowMs)) return hold;
      const next: Hold = { ...hold, warnedAtMs: nowMs, version: hold.version + 1 };
      const extra = {
        expires_at: Math.floor(hold.expiresAtMs / 1000),
        amount_capturable: hold.amountCapturable,
      };
      return saveTransition(deps, tx, row, { next, events: [{ type: 'pre_auth.expiring', extra }] });
    });
  }

  /** Settles a call by an operator's word; who said so and why is kept for good. */
  async function settleByOperator(
    ref: HoldRef,
    callId: string,
    decision: OperatorDecision,
  ): Promise<RecordOutcome> {
    return settleOnce(ref, callId, async (tx, row, call) => {
      const before = toHold(row);
      const settles = { callId, state: decision.outcome, outcome: { ...decision } };
      await noteDecision(tx, holdObject(ref), before.status, call, decision);
      const transition = decidedTransition(before, call, decision.outcome);
      const hold = await saveTransition(deps, tx, row, transition, { settles });
      return { hold, result: resultOf(call, decision.outcome, null, hold) };
    });
  }

  return { recordAnswer, warnExpiring, settleByOperator };
}

interface Settlement {
  readonly tx: PoolClient;
  readonly row: PreAuthRow;
  readonly call: ChannelCall;
  readonly settles: CallEnd;
}

async function applyAnswer(
  deps: ActivityDeps,
  { tx, row, call, settles }: Settlement,
  answer: HoldAnswer,
  reading: HoldSnapshot | undefined,
): Promise<Hold> {
  // "Wrong state" comes with a reading of the object: whatever happened there is taken over first.
  if (reading !== undefined)
    await saveTransition(deps, tx, row, applySnapshot(toHold(row), reading, 'channel'));
  const current = reading === undefined ? row : await mustLock(tx, toHold(row));
  const transition = transitionOf(toHold(current), call, answer);
  return saveTransition(deps, tx, current, transition, savingOf(call, answer, settles));
}

/** What an operator's word makes of the hold, told as if the channel had said it. */
function decidedTransition(hold: Hold, call: ChannelCall, outcome: CallState): Transition | null {
  if (call.operation === 'create')
    return outcome === 'executed' ? null : applyCreateDecline(hold, 'not_executed');
  if (hold.channelPreAuthNo === null) return null;
  if (outcome !== 'executed') return applyAttentionMet(hold);
  if (call.operation === 'authorize') {
    const { channelPreAuthNo, currency, amount } = hold;
    const held = { channelPreAuthNo, currency, amount, amountCapturable: amount, amountCaptured: 0 };
    return applySnapshot(hold, { ...held, status: 'requires_capture' }, causeOf(call));
  }
  const captured = call.operation === 'capture';
  const amountCaptured = hold.amountCaptured + (captured ? call.amount : 0);
  const stillHeld = captured && !call.final;
  const snapshot: HoldSnapshot = {
    channelPreAuthNo: hold.channelPreAuthNo,
    status: captured ? (stillHeld ? 'requires_capture' : 'succeeded') : 'canceled',
    currency: hold.currency,
    amount: hold.amount,
    amountCapturable: stillHeld ? hold.amountCapturable - call.amount : 0,
    amountCaptured,
  };
  // A late release changes nothing of a hold that is closed but the question that is answered now.
  return applySnapshot(hold, snapshot, causeOf(call)) ?? applyAttentionMet(hold);
}

async function mustLock(tx: PoolClient, ref: HoldRef): Promise<PreAuthRow> {
  const row = await lockPreAuth(tx, ref.merchantId, ref.preAuthNo);
  if (row === undefined) throw new Error(`there is no hold ${ref.preAuthNo} of merchant ${ref.merchantId}`);
  return row;
}
