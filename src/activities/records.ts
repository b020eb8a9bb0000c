/** Activities that write what is known: row, event and outbox in one transaction, conditional on the current state. */
import type { PoolClient } from 'pg';
import type { HoldAnswer, HoldSnapshot } from '../domain/channel';
import { causeOf, EXPIRY_COMMAND_ID, resultOf, settledBy } from '../domain/channel-call';
import type { CallState, ChannelCall } from '../domain/channel-call';
import type { CommandResult } from '../domain/commands';
import { warningDue } from '../domain/expiry';
import { applyAttentionMet, applyCreateDecline, applyDecline, applySnapshot } from '../domain/pre-auth';
import type { Hold, Transition } from '../domain/pre-auth';
import { settleCall } from '../stores/channel-calls';
import type { CallEnd } from '../stores/channel-calls';
import { appendEvent, appendNote, takeNews } from '../stores/outbox';
import { lockPreAuthAndCall } from '../stores/hold-with-call';
import { withTransaction } from '../stores/postgres';
import { lockPreAuth, toHold, updateHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import type { ActivityDeps, HoldRef } from './deps';

/** An operator's word on an outcome that the channel will not tell any more. */
export interface OperatorDecision {
  readonly by: string;
  readonly reason: string;
  readonly outcome: 'executed' | 'not_executed';
}

export interface RecordOutcome {
  readonly hold: Hold;
  readonly result: CommandResult;
}

/** A transaction after which merchants may have to be told something. */
export async function changing<T>(deps: ActivityDeps, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const { outcome, hasNews } = await withTransaction(deps.db, async (tx) => {
    const done = await work(tx);
    return { outcome: done, hasNews: takeNews(tx) };
  });
  if (hasNews) deps.ringOutbox();
  return outcome;
}

/** Writes a transition with its events and their notifications, and settles the call it follows from; null: only the latter. */
export async function saveTransition(
  deps: ActivityDeps,
  tx: PoolClient,
  row: PreAuthRow,
  transition: Transition | null,
  extra: {
    declineCode?: string | undefined;
    cancelReason?: string | undefined;
    settles?: CallEnd | undefined;
  } = {},
): Promise<Hold> {
  const before = toHold(row);
  if (transition === null) {
    if (extra.settles !== undefined) await settleCall(tx, extra.settles);
    return before;
  }
  const { next, events } = transition;
  await updateHold(tx, before, next, { events: events.length, ...extra });
  for (const [index, event] of events.entries()) {
    await appendEvent(tx, {
      merchantId: next.merchantId,
      objectKind: 'pre_auth',
      objectNo: next.preAuthNo,
      orderNo: next.orderNo,
      sequence: row.event_sequence + index + 1,
      type: event.type,
      status: next.status,
      amount: next.amount,
      currency: next.currency,
      at: new Date(deps.now()),
      extra: {
        channel: next.channel,
        ...(next.channelPreAuthNo !== null ? { channel_pre_auth_no: next.channelPreAuthNo } : {}),
        ...event.extra,
      },
      notifyUrl: row.notify_url,
      defaultMaxRetries: deps.defaultMaxRetries,
    });
  }
  row.event_sequence += events.length;
  return next;
}

export function createRecordActivities(deps: ActivityDeps) {
  /** Settles the call and takes over what the answer says of the hold. A repeat finds it done and changes nothing. */
  async function recordAnswer(
    ref: HoldRef,
    callId: string,
    answer: HoldAnswer,
    reading?: HoldSnapshot,
  ): Promise<RecordOutcome> {
    return settleOnce(ref, callId, async (tx, row, call) => {
      const state =
        answer.kind === 'declined'
          ? 'declined'
          : (settledBy(call, toHold(row), answer.snapshot) ?? 'executed');
      const declineCode = answer.kind === 'declined' ? answer.code : null;
      const settles: CallEnd = {
        callId,
        state,
        outcome: answer.kind === 'declined' ? declineOutcome(answer) : {},
      };
      const hold = await applyAnswer(deps, { tx, row, call, settles }, answer, reading);
      return { hold, result: resultOf(call, state, declineCode, hold) };
    });
  }

  /** Does `work` under the locks of hold and call, unless the call is settled already: then that is the outcome. */
  async function settleOnce(
    ref: HoldRef,
    callId: string,
    work: (tx: PoolClient, row: PreAuthRow, call: ChannelCall) => Promise<RecordOutcome>,
  ): Promise<RecordOutcome> {
    return changing(deps, async (tx) => {
      const locked = await lockPreAuthAndCall(tx, ref.merchantId, ref.preAuthNo, callId);
      if (locked === undefined) throw new Error(`hold ${ref.preAuthNo} has no channel call ${callId}`);
      const { row, call } = locked;
      const before = toHold(row);
      if (call.state === 'open') return work(tx, row, call);
      return { hold: before, result: resultOf(call, call.state, call.declineCode, before) };
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
      const note = { ...decision, operation: call.operation, n: call.n };
      await appendNote(tx, {
        ...objectOf(before),
        type: 'operator.settled',
        status: before.status,
        data: note,
      });
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
  const hold = toHold(row);
  const cancelReason =
    call.operation === 'cancel' && call.commandId !== EXPIRY_COMMAND_ID
      ? (call.reason ?? undefined)
      : undefined;
  if (answer.kind !== 'declined') {
    const transition = applySnapshot(hold, answer.snapshot, causeOf(call)) ?? applyAttentionMet(hold);
    return saveTransition(deps, tx, row, transition, { cancelReason, settles });
  }
  if (call.operation === 'create') {
    const extra = { declineCode: answer.code, settles };
    return saveTransition(deps, tx, row, applyCreateDecline(hold, answer.code), extra);
  }
  // "Wrong state" comes with a reading of the object: whatever happened there is taken over first.
  if (reading !== undefined) await saveTransition(deps, tx, row, applySnapshot(hold, reading, 'channel'));
  const current = await mustLock(tx, hold);
  // The customer may approve again with another means, so an authorization that was declined changes nothing.
  const transition =
    call.operation === 'authorize'
      ? applyAttentionMet(toHold(current))
      : applyDecline(toHold(current), call.operation, answer.code, call.amount);
  return saveTransition(deps, tx, current, transition, { settles });
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
  return applySnapshot(hold, snapshot, causeOf(call));
}

function declineOutcome(decline: Extract<HoldAnswer, { kind: 'declined' }>) {
  return { decline_code: decline.code, provider_code: decline.providerCode };
}

function objectOf(hold: Hold) {
  return { merchantId: hold.merchantId, objectKind: 'pre_auth' as const, objectNo: hold.preAuthNo };
}

async function mustLock(tx: PoolClient, ref: HoldRef): Promise<PreAuthRow> {
  const row = await lockPreAuth(tx, ref.merchantId, ref.preAuthNo);
  if (row === undefined) throw new Error(`there is no hold ${ref.preAuthNo} of merchant ${ref.merchantId}`);
  return row;
}
