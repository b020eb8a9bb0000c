/**
 * The life of one refund: one call at the channel, followed until it is known what became of it, then the wait until the
 * money has arrived. Driven by its start arguments and its row, so every run begins by resuming.
 */
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import type { RefundReport } from '../activities/refund-subject';
import { isRefundClosed, refundPollDelayMs } from '../domain/refund';
import type { Refund, RefundStatus } from '../domain/refund';
import * as activities from './activity-proxies';
import type { RefundArgs } from './messages';
import { RefundDesk } from './refund-desk';

/** A channel that could not be asked is asked again after this at the latest. */
const REREAD_AFTER_MS = 60_000;

export async function refund(ref: RefundArgs): Promise<RefundStatus> {
  const desk = new RefundDesk();
  // Money that is on its way cannot be called back: whoever asks for cancellation is told so.
  CancellationScope.current().cancelRequested.catch(() =>
    desk.noteRefusal('cancel: a refund cannot be called back'),
  );
  return CancellationScope.nonCancellable(async () => {
    await giveBack(ref, desk);
    desk.answered = true;
    const status = await keep(ref, desk);
    await condition(allHandlersFinished);
    return status;
  });
}

/** The call, until its outcome is known and recorded. */
async function giveBack(ref: RefundArgs, desk: RefundDesk): Promise<void> {
  const { refund, report } = await activities.executeRefund(ref);
  desk.update(refund);
  // Nobody knows what this run has missed of a refund that was made before.
  if (report.kind === 'settled') desk.resyncAsked = true;
  else await followCall(ref, desk, report);
  desk.decisionWanted = false;
}

async function followCall(ref: RefundArgs, desk: RefundDesk, first: RefundReport): Promise<void> {
  let report = first;
  while (report.kind === 'unsettled') {
    const decided = await desk.waitForTurn(report);
    if (decided !== null) {
      desk.update(await activities.settleRefundByOperator(ref, report.callId, decided));
      return;
    }
    // The call's row is all that the next run needs; whoever waits for an answer is answered first.
    if (workflowInfo().continueAsNewSuggested && allHandlersFinished()) await continueAsNew(ref);
    const outcome = await activities.settleRefundCall(ref, report.callId);
    desk.update(outcome.refund);
    report = outcome.report;
  }
  if (report.kind === 'settled') return;
  if (report.kind !== 'answered') throw new Error(`the call of a refund cannot be ${report.kind}`);
  desk.update(await activities.recordRefundAnswer(ref, report.callId, report.answer));
}

/** Keeps a refund that the channel has accepted until the money has arrived or come back: by its news, and by asking ever more rarely. */
async function keep(ref: RefundArgs, desk: RefundDesk): Promise<RefundStatus> {
  let askAtMs = desk.resyncAsked ? 0 : nextAskAtMs(known(desk), true);
  for (;;) {
    const { status } = known(desk);
    if (isRefundClosed(status)) return status;
    if (workflowInfo().continueAsNewSuggested && !desk.resyncAsked && allHandlersFinished())
      await continueAsNew(ref);
    if (desk.resyncAsked || Date.now() >= askAtMs) {
      desk.resyncAsked = false;
      const read = await activities.readRefundObject(ref);
      desk.update(read.refund);
      askAtMs = nextAskAtMs(read.refund, read.answered);
    } else {
      const summary = `read the refund again at ${new Date(askAtMs).toISOString()}`;
      await condition(() => desk.resyncAsked, Math.max(askAtMs - Date.now(), 1), { summary });
    }
  }
}

function nextAskAtMs({ createdAtMs }: Refund, answered: boolean): number {
  const delayMs = refundPollDelayMs(Date.now() - createdAtMs);
  return Date.now() + (answered ? delayMs : Math.min(delayMs, REREAD_AFTER_MS));
}

function known(desk: RefundDesk): Refund {
  if (desk.object === null) throw new Error('the refund is looked at before it was loaded');
  return desk.object;
}
