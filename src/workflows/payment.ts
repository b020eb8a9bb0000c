/**
 * The life of one payment. Driven by its start arguments and its row: whatever was lost with a crash (an update, a whole
 * run) is found again in PostgreSQL, so every run begins by resuming.
 */
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import type { PaymentStep } from '../activities/payment-execute';
import type { PaymentReading, PaymentRecordOutcome } from '../activities/payment-records';
import type { PaymentReport } from '../activities/payment-subject';
import { CREATE_COMMAND_ID, EXPIRY_COMMAND_ID } from '../domain/channel-call';
import { releaseRetryDelayMs } from '../domain/expiry';
import { isPaymentClosed } from '../domain/payment';
import type { Payment, PaymentStatus } from '../domain/payment';
import { COMPLETE_COMMAND_ID, paymentClosedRefusal } from '../domain/payment-commands';
import type { PaymentResult } from '../domain/payment-commands';
import * as activities from './activity-proxies';
import type { PaymentArgs } from './messages';
import { PaymentDesk } from './payment-desk';

const REREAD_AFTER_MS = 10_000;
const CREATE = { kind: 'create', commandId: CREATE_COMMAND_ID } as const;

/** A create came to nothing, and its successor at another channel waits to be sent. */
interface Moved {
  readonly kind: 'moved';
  readonly callId: string;
}

export async function payment(ref: PaymentArgs): Promise<PaymentStatus> {
  const desk = new PaymentDesk();
  // Rejects when somebody asks for cancellation; the payment lives on until the channel has closed it.
  CancellationScope.current().cancelRequested.catch(() => desk.requestCancel());
  return CancellationScope.nonCancellable(async () => {
    await run(ref, desk, CREATE);
    const status = await keep(ref, desk);
    desk.close();
    await condition(allHandlersFinished);
    return status;
  });
}

/** When to do again by itself what did not come to an end; Infinity: news are waited for. */
interface Clock {
  rereadAtMs: number;
  /** The end of its time is not looked at before: the channel refused to close it, or is at work on it. */
  endAtMs: number;
  tries: number;
}

/** Keeps the payment until it is closed: commands as they come, news from the channel, its completion, its end. */
async function keep(ref: PaymentArgs, desk: PaymentDesk): Promise<PaymentStatus> {
  const clock: Clock = { rereadAtMs: Infinity, endAtMs: 0, tries: 0 };
  for (;;) {
    const payment = known(desk);
    if (isPaymentClosed(payment.status)) return payment.status;
    if (workflowInfo().continueAsNewSuggested && !desk.hasWork && allHandlersFinished())
      await continueAsNew(ref);

    const command = desk.take();
    const endAtMs = Math.max(payment.expiresAtMs, clock.endAtMs);
    if (command !== null) {
      await run(ref, desk, command);
    } else if (desk.completionDue) {
      await complete(ref, desk, clock);
    } else if (desk.resyncAsked || Date.now() >= clock.rereadAtMs) {
      desk.resyncAsked = false;
      clock.rereadAtMs = (await reread(ref, desk)).answered ? Infinity : Date.now() + REREAD_AFTER_MS;
    } else if (Date.now() >= endAtMs) {
      await end(ref, desk, clock);
    } else {
      const wakeAtMs = Math.min(endAtMs, clock.rereadAtMs);
      const summary =
        wakeAtMs === endAtMs
          ? `end the payment at ${new Date(endAtMs).toISOString()}`
          : 'read the payment again';
      await condition(() => desk.hasWork, Math.max(wakeAtMs - Date.now(), 1), { summary });
    }
  }
}

function known(desk: PaymentDesk): Payment {
  if (desk.object === null) throw new Error('the payment is looked at before it was loaded');
  return desk.object;
}

/** Occupies the slot with a command and carries it out. */
async function run(ref: PaymentArgs, desk: PaymentDesk, step: PaymentStep): Promise<PaymentResult> {
  desk.running = step;
  const result = await carryOut(ref, desk, step);
  desk.finish(step.commandId, result);
  return result;
}

/** The customer has approved. What the channel makes of it is looked at again later, never at once: it may not end. */
async function complete(ref: PaymentArgs, desk: PaymentDesk, clock: Clock): Promise<void> {
  await run(ref, desk, { kind: 'complete', commandId: COMPLETE_COMMAND_ID });
  desk.completionDue = false;
  if (known(desk).status === 'processing')
    clock.rereadAtMs = Math.min(clock.rereadAtMs, Date.now() + releaseRetryDelayMs(++clock.tries));
}

/**
 * Its time is over. What the customer can still pay is closed at the channel; where the channel is at work on what the
 * customer has paid, only the channel can tell how it ends, and is asked. What it does not know any more it is not at work on.
 */
async function end(ref: PaymentArgs, desk: PaymentDesk, clock: Clock): Promise<void> {
  const isAtWork = known(desk).status === 'processing' && (await reread(ref, desk)).unknownThere !== true;
  if (!isAtWork) await run(ref, desk, { kind: 'expiry', commandId: EXPIRY_COMMAND_ID });
  clock.endAtMs = Date.now() + releaseRetryDelayMs(++clock.tries);
}

/** One command from its judgement to its recorded end. Another command's open call is settled first, then it is judged again. */
async function carryOut(ref: PaymentArgs, desk: PaymentDesk, step: PaymentStep): Promise<PaymentResult> {
  for (;;) {
    const { payment, report } = await activities.executePayment(ref, step);
    desk.update(payment);
    switch (report.kind) {
      case 'settled':
        // Nobody knows what this run has missed of a payment that was made before.
        if (step.kind === 'create') desk.resyncAsked = true;
        return report.result;
      case 'other_open':
        await settle(ref, desk, {
          kind: 'unsettled',
          callId: report.callId,
          retryAfterMs: 0,
          reason: 'left open',
        });
        break;
      case 'refused':
        return report;
      case 'moved':
      case 'answered':
      case 'unsettled': {
        const result = report.kind === 'moved' ? report : await settle(ref, desk, report);
        const end = result.kind === 'moved' ? await endBetween(ref, desk, result) : result;
        if (end !== null) return end;
      }
    }
  }
}

/** Between two channels whoever wants the payment to end comes first, and so does its time. @returns null: it goes on */
async function endBetween(
  ref: PaymentArgs,
  desk: PaymentDesk,
  { callId }: Moved,
): Promise<PaymentResult | null> {
  const isOver = Date.now() >= known(desk).expiresAtMs;
  const command =
    desk.waiting('cancel') ?? (isOver ? ({ kind: 'expiry', commandId: EXPIRY_COMMAND_ID } as const) : null);
  if (command === null) return null;
  const { payment, isEnded } = await activities.endUntakenPayment(ref, callId, command);
  desk.update(payment);
  if (!isEnded) return null;
  if (command.kind === 'cancel') desk.finishWaiting(command.commandId, { kind: 'done' });
  return { kind: 'refused', refusal: paymentClosedRefusal(payment.status) };
}

/** Follows one call until its outcome is known and recorded. The slot stays taken, and expiry waits. */
async function settle(
  ref: PaymentArgs,
  desk: PaymentDesk,
  first: PaymentReport,
): Promise<PaymentResult | Moved> {
  try {
    return await followCall(ref, desk, first);
  } finally {
    desk.decisionWanted = false;
    // News that came meanwhile was answered by asking for the outcome; the payment itself is read again now.
    desk.resyncAsked ||= desk.newsWhileSettling;
    desk.newsWhileSettling = false;
  }
}

async function followCall(
  ref: PaymentArgs,
  desk: PaymentDesk,
  first: PaymentReport,
): Promise<PaymentResult | Moved> {
  let report = first;
  while (report.kind === 'unsettled') {
    const decided = await desk.waitForTurn(report);
    if (decided !== null) {
      const outcome = await activities.settlePaymentByOperator(ref, report.callId, decided);
      desk.update(outcome.payment);
      return resultOf(outcome);
    }
    // The call's row is all that the next run needs; whoever waits for an answer is answered first.
    if (workflowInfo().continueAsNewSuggested && !desk.hasWork && allHandlersFinished())
      await continueAsNew(ref);
    const outcome = await activities.settlePaymentCall(ref, report.callId);
    desk.update(outcome.payment);
    report = outcome.report;
  }
  if (report.kind === 'moved') return report;
  if (report.kind === 'settled') return report.result;
  if (report.kind !== 'answered') throw new Error(`a call that is being settled cannot be ${report.kind}`);
  const outcome = await activities.recordPaymentAnswer(ref, report.callId, report.answer, report.reading);
  desk.update(outcome.payment);
  desk.completionDue = outcome.completionDue;
  return resultOf(outcome);
}

function resultOf({ result, movedTo }: PaymentRecordOutcome): PaymentResult | Moved {
  return movedTo === undefined ? result : { kind: 'moved', callId: movedTo };
}

async function reread(ref: PaymentArgs, desk: PaymentDesk): Promise<PaymentReading> {
  const read = await activities.readPaymentObject(ref);
  desk.update(read.payment);
  desk.completionDue = read.completionDue;
  if (read.openCall !== undefined) {
    const { id: callId, operation: kind, commandId } = read.openCall;
    desk.running = { kind, commandId };
    const left = { kind: 'unsettled', callId, retryAfterMs: 0, reason: 'left open' } as const;
    const result = await settle(ref, desk, left);
    desk.finish(commandId, result.kind === 'moved' ? await carryOut(ref, desk, CREATE) : result);
  }
  return read;
}
