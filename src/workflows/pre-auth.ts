/**
 * The life of one hold. Driven by its start arguments and its row: whatever was lost with a crash (an update, a whole
 * run) is found again in PostgreSQL, so every run begins by resuming.
 */
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import type { Step } from '../activities/execute';
import type { RecordOutcome } from '../activities/records';
import type { HoldReading } from '../activities/settle';
import { CREATE_COMMAND_ID, EXPIRY_COMMAND_ID } from '../domain/channel-call';
import type { CallReport } from '../domain/channel-call';
import { AUTHORIZE_COMMAND_ID, closedRefusal } from '../domain/commands';
import type { CommandResult } from '../domain/commands';
import { releaseRetryDelayMs, warnAtMs, warningDue } from '../domain/expiry';
import { isClosed, isHeld, isNeverHeld } from '../domain/pre-auth';
import type { Hold, PreAuthStatus } from '../domain/pre-auth';
import * as activities from './activity-proxies';
import type { PreAuthArgs } from './messages';
import { HoldDesk } from './pre-auth-desk';

const REREAD_AFTER_MS = 10_000;
const CREATE = { kind: 'create', commandId: CREATE_COMMAND_ID } as const;

/** A create came to nothing, and its successor at another channel waits to be sent. */
interface Moved {
  readonly kind: 'moved';
  readonly callId: string;
}

export async function preAuth(ref: PreAuthArgs): Promise<PreAuthStatus> {
  const desk = new HoldDesk();
  // Rejects when somebody asks for cancellation; the hold itself lives on until the channel has released it.
  CancellationScope.current().cancelRequested.catch(() => desk.requestCancel());
  return CancellationScope.nonCancellable(async () => {
    desk.finish(CREATE_COMMAND_ID, await carryOut(ref, desk, CREATE));
    const status = await keep(ref, desk);
    desk.close();
    await condition(allHandlersFinished);
    return status;
  });
}

/** Keeps the hold until it is closed: commands as they come, news from the channel, the warning, the expiry. */
async function keep(ref: PreAuthArgs, desk: HoldDesk): Promise<PreAuthStatus> {
  let refusedReleases = 0;
  let releaseAtMs = 0;
  let rereadAtMs = Infinity;
  let completions = 0;
  for (;;) {
    const hold = known(desk);
    if (isClosed(hold.status)) return hold.status;
    if (workflowInfo().continueAsNewSuggested && !desk.hasWork && allHandlersFinished())
      await continueAsNew(ref);

    const command = desk.take();
    if (command !== null) {
      desk.finish(command.commandId, await carryOut(ref, desk, command));
    } else if (desk.completionDue) {
      await complete(ref, desk);
      // Not held yet: declined, or at work. Looked at again later, never at once: it may not end.
      if (isNeverHeld(known(desk).status) || known(desk).status === 'processing')
        rereadAtMs = Math.min(rereadAtMs, Date.now() + releaseRetryDelayMs(++completions));
    } else if (desk.resyncAsked || Date.now() >= rereadAtMs) {
      desk.resyncAsked = false;
      rereadAtMs = (await reread(ref, desk)) ? Infinity : Date.now() + REREAD_AFTER_MS;
    } else if (Date.now() >= Math.max(hold.expiresAtMs, releaseAtMs)) {
      const result = await expire(ref, desk);
      if (result.kind === 'refused') releaseAtMs = Date.now() + releaseRetryDelayMs(++refusedReleases);
    } else if (warningDue(hold, Date.now())) {
      desk.update(await activities.warnExpiring(ref, Date.now()));
    } else {
      const wake = nextWake(hold, releaseAtMs, rereadAtMs);
      await condition(() => desk.hasWork, Math.max(wake.atMs - Date.now(), 1), { summary: wake.summary });
    }
  }
}

function known(desk: HoldDesk): Hold {
  if (desk.object === null) throw new Error('the hold is looked at before it was loaded');
  return desk.object;
}

function nextWake(hold: Hold, releaseAtMs: number, rereadAtMs: number): { atMs: number; summary: string } {
  const releaseMs = Math.max(hold.expiresAtMs, releaseAtMs);
  const wakes = [
    { atMs: releaseMs, summary: `release the hold at ${new Date(releaseMs).toISOString()}` },
    { atMs: rereadAtMs, summary: 'read the hold again' },
  ];
  if (isHeld(hold.status) && hold.warnedAtMs === null && Date.now() < warnAtMs(hold)) {
    wakes.push({
      atMs: warnAtMs(hold),
      summary: `warn that the hold ends at ${new Date(hold.expiresAtMs).toISOString()}`,
    });
  }
  return wakes.reduce((first, wake) => (wake.atMs < first.atMs ? wake : first));
}

/** The customer has approved: now the money is held. */
async function complete(ref: PreAuthArgs, desk: HoldDesk): Promise<void> {
  const command = { kind: 'authorize', commandId: AUTHORIZE_COMMAND_ID } as const;
  desk.running = command;
  desk.finish(command.commandId, await carryOut(ref, desk, command));
  desk.completionDue = false;
}

async function expire(ref: PreAuthArgs, desk: HoldDesk): Promise<CommandResult> {
  const command = { kind: 'expiry', commandId: EXPIRY_COMMAND_ID } as const;
  desk.running = command;
  const result = await carryOut(ref, desk, command);
  desk.finish(command.commandId, result);
  return result;
}

/** One command from its judgement to its recorded end. Another command's open call is settled first, then it is judged again. */
async function carryOut(ref: PreAuthArgs, desk: HoldDesk, step: Step): Promise<CommandResult> {
  let reread = false;
  for (;;) {
    const { hold, report, completionDue } = await activities.executeCommand(ref, step);
    if (hold !== null) desk.update(hold);
    desk.completionDue ||= completionDue === true;
    switch (report.kind) {
      case 'settled':
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
        // The customer may have confirmed a moment ago: ask the channel once before saying no.
        if (report.refusal.code !== 'PRE_AUTH_NOT_CAPTURABLE' || reread)
          return { kind: 'refused', refusal: report.refusal };
        reread = true;
        await rereadHold(ref, desk);
        break;
      case 'moved':
      case 'answered':
      case 'unsettled': {
        const result = await resultOf(ref, desk, report);
        const end = result.kind === 'moved' ? await endBetween(ref, desk, result) : result;
        if (end !== null) return end;
      }
    }
  }
}

function resultOf(
  ref: PreAuthArgs,
  desk: HoldDesk,
  report: Extract<CallReport, { kind: 'moved' | 'answered' | 'unsettled' }>,
): Promise<CommandResult | Moved> | Moved {
  if (report.kind === 'moved') return report;
  return report.kind === 'answered' ? record(ref, desk, report) : settle(ref, desk, report);
}

/** Between two channels whoever wants the hold to end comes first, and so does its time. @returns null: it goes on */
async function endBetween(
  ref: PreAuthArgs,
  desk: HoldDesk,
  { callId }: Moved,
): Promise<CommandResult | null> {
  const isOver = Date.now() >= known(desk).expiresAtMs;
  const command =
    desk.waiting('cancel') ?? (isOver ? ({ kind: 'expiry', commandId: EXPIRY_COMMAND_ID } as const) : null);
  if (command === null) return null;
  const { hold, isEnded } = await activities.endUntakenHold(ref, callId, command);
  desk.update(hold);
  if (!isEnded) return null;
  const { status, channelPreAuthNo, amountCapturable, amountCaptured } = hold;
  const figures = { status, channelPreAuthNo, amountCapturable, amountCaptured };
  if (command.kind === 'cancel')
    desk.finishWaiting(command.commandId, { kind: 'done', amount: 0, hold: figures });
  return { kind: 'refused', refusal: closedRefusal(status) };
}

/** Follows one call until its outcome is known and recorded. The slot stays taken, and expiry waits. */
async function settle(ref: PreAuthArgs, desk: HoldDesk, first: CallReport): Promise<CommandResult | Moved> {
  try {
    return await followCall(ref, desk, first);
  } finally {
    desk.decisionWanted = false;
    // News that came meanwhile was answered by asking for the outcome; the hold itself is read again now.
    desk.resyncAsked ||= desk.newsWhileSettling;
    desk.newsWhileSettling = false;
  }
}

async function followCall(
  ref: PreAuthArgs,
  desk: HoldDesk,
  first: CallReport,
): Promise<CommandResult | Moved> {
  let report = first;
  while (report.kind === 'unsettled') {
    const decided = await desk.waitForTurn(report);
    if (decided !== null) {
      return taken(desk, await activities.settleByOperator(ref, report.callId, decided));
    }
    // The call's row is all that the next run needs; whoever waits for an answer is answered first.
    if (workflowInfo().continueAsNewSuggested && !desk.hasWork && allHandlersFinished())
      await continueAsNew(ref);
    const outcome = await activities.settleCall(ref, report.callId);
    desk.update(outcome.hold);
    report = outcome.report;
  }
  if (report.kind === 'moved') return report;
  if (report.kind === 'settled') return report.result;
  if (report.kind !== 'answered') throw new Error(`a call that is being settled cannot be ${report.kind}`);
  return record(ref, desk, report);
}

async function record(
  ref: PreAuthArgs,
  desk: HoldDesk,
  { callId, answer, reading }: Extract<CallReport, { kind: 'answered' }>,
): Promise<CommandResult | Moved> {
  return taken(desk, await activities.recordAnswer(ref, callId, answer, reading));
}

function taken(desk: HoldDesk, { hold, result, movedTo }: RecordOutcome): CommandResult | Moved {
  desk.update(hold);
  return movedTo === undefined ? result : { kind: 'moved', callId: movedTo };
}

/** @returns false when the channel could not be asked */
async function reread(ref: PreAuthArgs, desk: HoldDesk): Promise<boolean> {
  const read = await rereadHold(ref, desk);
  if (read.openCall !== undefined) {
    const { id: callId, operation: kind, commandId } = read.openCall;
    desk.running = { kind, commandId };
    const left = { kind: 'unsettled', callId, retryAfterMs: 0, reason: 'left open' } as const;
    const result = await settle(ref, desk, left);
    desk.finish(commandId, result.kind === 'moved' ? await carryOut(ref, desk, CREATE) : result);
    // Whether it is to be made again is seen by the next look at the hold.
    if (kind === 'authorize') desk.resyncAsked = true;
  }
  return read.answered;
}

async function rereadHold(ref: PreAuthArgs, desk: HoldDesk): Promise<HoldReading> {
  const read = await activities.readHold(ref);
  desk.update(read.hold);
  desk.completionDue = read.completionDue === true;
  return read;
}
