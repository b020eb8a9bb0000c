/**
 * Activities that write what is known of a refund: row, reservation, event and outbox in one transaction, conditional on
 * the current state. Its payment or hold is always locked first.
 */
import type { PoolClient } from 'pg';
import { ChannelFault } from '../domain/channel';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import type { RefundAnswer, RefundSnapshot } from '../domain/channel-payment';
import {
  applyRefundDecided,
  applyRefundDecline,
  applyRefundSnapshot,
  isRefundClosed,
  refundedObject,
  refundObject,
} from '../domain/refund';
import type { Refund, RefundTransition } from '../domain/refund';
import { findCalls, settleCall } from '../stores/channel-calls';
import type { CallEnd } from '../stores/channel-calls';
import { appendEvent } from '../stores/outbox';
import {
  freeOrderIfRefunded,
  lockRefundable,
  markLateRefunded,
  releaseRefund,
} from '../stores/refund-reservations';
import { lockRefund, lockRefundCall, readRefund, toRefund, updateRefund } from '../stores/refunds';
import type { RefundRow } from '../stores/refunds';
import { callOnceCommitted } from './attention';
import { changing } from './changing';
import type { ActivityDeps, RefundRef } from './deps';
import { exchangeOf } from './exchange';
import { noteDecision } from './operator-word';
import type { OperatorDecision } from './records';
import { findRefund, mustHaveRefund, refundScene } from './refund-subject';
import { transitionEvents } from './transition-events';
import type { RefundCall } from './refund-subject';

export interface RefundReading {
  readonly refund: Refund;
  /** false: the channel could not be asked. */
  readonly answered: boolean;
}

/**
 * Writes a transition with what it means for the payment or hold (which the caller has locked), its events and their
 * notifications, and settles the call it follows from; null: only the latter.
 */
export async function saveRefund(
  deps: ActivityDeps,
  tx: PoolClient,
  row: RefundRow,
  transition: RefundTransition | null,
  settles?: CallEnd,
): Promise<Refund> {
  const before = toRefund(row);
  if (transition === null) {
    if (settles !== undefined) await settleCall(tx, settles);
    return before;
  }
  const { next, events } = transition;
  await updateRefund(tx, before, next, { events: events.length, settles });
  if (next.status !== before.status) await followWithMoney(tx, next);
  callOnceCommitted(deps, tx, refundObject(next), before, next);
  const subject = { ...subjectOf(next), paymentNo: next.objectNo };
  const numbers = { channel_refund_no: next.channelRefundNo };
  for (const event of transitionEvents(deps, row, subject, transition, numbers)) await appendEvent(tx, event);
  return next;
}

/** A failed refund gives back what it had reserved; the last of a full refund frees the order. */
async function followWithMoney(tx: PoolClient, refund: Refund): Promise<void> {
  if (refund.status === 'failed') await releaseRefund(tx, refund);
  else if (refund.status === 'success' && refund.latePaymentId !== null)
    await markLateRefunded(tx, refund.latePaymentId);
  else if (refund.status === 'success') await freeOrderIfRefunded(tx, refundedObject(refund), refund.orderNo);
}

const subjectOf = ({ merchantId, refundNo }: Refund) => ({
  merchantId,
  objectKind: 'refund' as const,
  objectNo: refundNo,
});

export function createRefundRecordActivities(deps: ActivityDeps) {
  const read = (ref: RefundRef) => mustHaveRefund(readRefund(deps.db, ref.merchantId, ref.refundNo), ref);

  /** Does `work` under the locks of the object and the refund, in this order. */
  async function underLocks<T>(
    ref: RefundRef,
    work: (tx: PoolClient, row: RefundRow) => Promise<T>,
  ): Promise<T> {
    const object = refundedObject(toRefund(await read(ref)));
    return changing(deps, async (tx) => {
      await lockRefundable(tx, object);
      return work(tx, await mustHaveRefund(lockRefund(tx, ref.merchantId, ref.refundNo), ref));
    });
  }

  /** Does `work` unless the call is settled already: then the refund says what came of it. */
  async function settleOnce(
    ref: RefundRef,
    callId: string,
    work: (tx: PoolClient, row: RefundRow, call: RefundCall) => Promise<Refund>,
  ): Promise<Refund> {
    return underLocks(ref, async (tx, row) => {
      const call = await lockRefundCall(tx, ref.merchantId, ref.refundNo, callId);
      if (call === undefined) throw new Error(`refund ${ref.refundNo} has no channel call ${callId}`);
      return call.state === 'open' ? work(tx, row, call) : toRefund(row);
    });
  }

  /** Settles the call and takes over what the answer says. A repeat finds it done and changes nothing. */
  async function recordRefundAnswer(ref: RefundRef, callId: string, answer: RefundAnswer): Promise<Refund> {
    return settleOnce(ref, callId, async (tx, row) => {
      const refund = toRefund(row);
      if (answer.kind === 'declined') {
        const outcome = { decline_code: answer.code, provider_code: answer.providerCode };
        const settles = { callId, state: 'declined', outcome } as const;
        return saveRefund(deps, tx, row, applyRefundDecline(refund, answer.code), settles);
      }
      const settles = { callId, state: 'executed', outcome: {} } as const;
      return saveRefund(deps, tx, row, applyRefundSnapshot(refund, answer.snapshot), settles);
    });
  }

  /** Reads a pending refund and takes over what the channel says. While its call is open the call's own answer comes first. */
  async function readRefundObject(ref: RefundRef): Promise<RefundReading> {
    const row = await read(ref);
    if (isRefundClosed(row.status)) return { refund: toRefund(row), answered: true };
    const snapshot = await ask(deps, row);
    if (snapshot === 'no answer') return { refund: toRefund(row), answered: false };
    const refund = await underLocks(ref, async (tx, current) => {
      const before = toRefund(current);
      const { open } = await findCalls(tx, refundObject(ref), CREATE_COMMAND_ID);
      if (open !== undefined || snapshot === undefined) return before;
      return saveRefund(deps, tx, current, applyRefundSnapshot(before, snapshot));
    });
    return { refund, answered: true };
  }

  /** Settles a call by an operator's word; who said so and why is kept for good. */
  async function settleRefundByOperator(
    ref: RefundRef,
    callId: string,
    decision: OperatorDecision,
  ): Promise<Refund> {
    return settleOnce(ref, callId, async (tx, row, call) => {
      const before = toRefund(row);
      await noteDecision(tx, refundObject(before), before.status, call, decision);
      const settles = { callId, state: decision.outcome, outcome: { ...decision } };
      const transition =
        decision.outcome === 'executed'
          ? applyRefundDecided(before)
          : applyRefundDecline(before, 'not_executed');
      return saveRefund(deps, tx, row, transition, settles);
    });
  }

  return { recordRefundAnswer, readRefundObject, settleRefundByOperator };
}

async function ask(deps: ActivityDeps, row: RefundRow): Promise<RefundSnapshot | undefined | 'no answer'> {
  const scene = await refundScene(deps, row);
  const { own } = await findCalls<'refund'>(deps.db, refundObject(toRefund(row)), CREATE_COMMAND_ID);
  try {
    return await findRefund(deps, row, scene, own?.n ?? 1, exchangeOf(deps.exchangeTimeoutMs));
  } catch (error) {
    if (error instanceof ChannelFault) return 'no answer';
    throw error;
  }
}
