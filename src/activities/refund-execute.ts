/** Carries out a refund: its call row, written together with it, is sent and settled. May run twice, at any point. */
import { ChannelFault } from '../domain/channel';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import { refundObject } from '../domain/refund';
import type { Refund } from '../domain/refund';
import { findCalls, readCall, touchCall } from '../stores/channel-calls';
import { readRefund, toRefund } from '../stores/refunds';
import { begin, lookInTurn } from './begin';
import type { ActivityDeps, RefundRef } from './deps';
import { exchangeOf, identityOf, send } from './exchange';
import { mustHaveRefund, refundScene, refundSubject } from './refund-subject';
import type { RefundCall, RefundReport, RefundSubject } from './refund-subject';
import { settleOpenCall } from './settle-call';

/** A refund as it is now, and what became of the step. */
export interface RefundStepOutcome {
  readonly refund: Refund;
  readonly report: RefundReport;
}

export function createRefundExecuteActivities(deps: ActivityDeps) {
  const read = (ref: RefundRef) => mustHaveRefund(readRefund(deps.db, ref.merchantId, ref.refundNo), ref);

  /** The first send. A call that was sent before is not sent again blindly: its refund is looked for first. */
  async function executeRefund(ref: RefundRef): Promise<RefundStepOutcome> {
    const scene = await refundScene(deps, await read(ref));
    const { row, subject, next } = await begin(deps, {
      commandId: CREATE_COMMAND_ID,
      look: () =>
        lookInTurn(
          () => read(ref),
          () => findCalls(deps.db, refundObject(ref), CREATE_COMMAND_ID),
        ),
      subjectOf: (current) => refundSubject(deps, current, scene),
      isOver: () => true,
      newCall: undefined,
    });
    const refund = toRefund(row);
    if ('report' in next) return { refund, report: next.report };
    const { call } = next;
    if (call.attempts > 0) {
      const reason = 'sent before';
      return { refund, report: { kind: 'unsettled', callId: call.id, retryAfterMs: 0, reason } };
    }
    const report = await send(deps, subject, await touchCall(deps.db, call), deps.exchangeTimeoutMs);
    return { refund, report };
  }

  /** One attempt to find out what became of an open call: the list first, then in the order of domain/settle.ts. */
  async function settleRefundCall(ref: RefundRef, callId: string): Promise<RefundStepOutcome> {
    const row = await read(ref);
    const subject = refundSubject(deps, row, await refundScene(deps, row));
    const report = (await lookFirst(deps, subject, callId)) ?? (await settleOpenCall(deps, subject, callId));
    return { refund: toRefund(await read(ref)), report };
  }

  return { executeRefund, settleRefundCall };
}

/** undefined: the channel does not show the refund, or cannot be asked now; replaying its key is the next question. */
async function lookFirst(
  deps: ActivityDeps,
  subject: RefundSubject,
  callId: string,
): Promise<RefundReport | undefined> {
  const call = await readCall<'refund'>(deps.db, callId);
  if (call?.state !== 'open') return undefined;
  const found = await quietly(find(deps, subject, call));
  if (found === undefined || !subject.isSettledBy(call, found)) return undefined;
  return { kind: 'answered', callId, answer: { kind: 'done', snapshot: found } };
}

function find(deps: ActivityDeps, subject: RefundSubject, call: RefundCall) {
  return subject.find(call, identityOf(subject.object, call), exchangeOf(deps.exchangeTimeoutMs));
}

async function quietly<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof ChannelFault) return undefined;
    throw error;
  }
}
