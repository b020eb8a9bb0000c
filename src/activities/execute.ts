/** Carries out a command on a hold: its call row is found or written, then sent. May run twice, at any point. */
import { checkHoldAmount } from '../channels/registry';
import { judgeCapture, judgeRelease } from '../domain/commands';
import type { Command } from '../domain/commands';
import type { CallReport, ChannelCall, CREATE_COMMAND_ID } from '../domain/channel-call';
import { EXPIRY_COMMAND_ID } from '../domain/channel-call';
import type { Refusal } from '../domain/errors';
import { holdObject } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import type { NewCall } from '../stores/channel-calls';
import { readCommandNote } from '../stores/command-notes';
import { readPreAuthAndCalls } from '../stores/hold-with-call';
import { readPreAuth, toHold } from '../stores/pre-auths';
import { begin } from './begin';
import { resend, send } from './exchange';
import { recordAtOnce } from './hold-answer';
import { holdSubject, waitsForUs } from './hold-subject';
import type { ActivityDeps, HoldRef } from './deps';
import { speakerOf } from './operator-word';

/** What became of the step. */
export interface StepOutcome {
  /** The hold as it is now; null where recording the answer will tell, so that the history is not filled with it twice. */
  readonly hold: Hold | null;
  readonly report: CallReport;
  /** Of a hold that was made before: its customer has approved, and completePreAuth must follow. */
  readonly completionDue?: boolean;
}

/** A create is the first command of every hold; it has no parameters, and its call was written with the row. */
export type Step = Command | { readonly kind: 'create'; readonly commandId: typeof CREATE_COMMAND_ID };

export function createExecuteActivities(deps: ActivityDeps) {
  /** The first attempt at a command, and the resumption of one that a crash cut off; its answer is recorded with it. */
  async function executeCommand(ref: HoldRef, step: Step): Promise<StepOutcome> {
    const { row, subject, next } = await begin(deps, {
      commandId: step.commandId,
      look: () => mustRead(readPreAuthAndCalls(deps.db, ref, step.commandId), ref),
      subjectOf: (current) => holdSubject(deps, current),
      isOver: (own) => isOver(step, own),
      newCall: step.kind === 'create' ? undefined : (current) => newCall(deps, toHold(current), step),
    });
    const hold = toHold(row);
    if ('report' in next) {
      const isResumed = step.kind === 'create' && next.report.kind === 'settled';
      const completionDue = isResumed && (await waitsForUs(deps, hold));
      return { hold, report: next.report, ...(completionDue ? { completionDue } : {}) };
    }
    const transmit = next.fresh ? send : resend;
    const report = await transmit(deps, subject, next.call, deps.exchangeTimeoutMs);
    if (report.kind === 'answered') {
      const recorded =
        report.reading === undefined ? await recordAtOnce(deps, row, next.call, report.answer) : undefined;
      if (recorded === undefined) return { hold: null, report };
      return { hold: recorded.hold, report: { kind: 'settled', result: recorded.result } };
    }
    const hasChanged = report.kind === 'moved' || report.kind === 'settled';
    if (!hasChanged) return { hold, report };
    return { hold: toHold(await mustRead(readPreAuth(deps.db, ref.merchantId, ref.preAuthNo), ref)), report };
  }

  return { executeCommand };
}

/**
 * Expiry and authorization keep trying under the same name: a release that was refused is tried again, and a customer
 * whose means was declined may approve again. Every other command has one outcome, for good; so has money that is held.
 */
function isOver({ kind, commandId }: Step, own: ChannelCall): boolean {
  return kind === 'authorize' ? own.state === 'executed' : commandId !== EXPIRY_COMMAND_ID;
}

async function newCall(deps: ActivityDeps, hold: Hold, step: Command): Promise<NewCall | Refusal> {
  const base = {
    object: holdObject(hold),
    channelAccountId: hold.channelAccountId,
    currency: hold.currency,
    commandId: step.commandId,
    sentNow: true,
  };
  if (step.kind === 'capture') {
    const judged = judgeCapture(hold, step);
    if ('code' in judged) return judged;
    // The account's contract granted the hold and its currency when it was made.
    const contract = { preAuth: true, currencies: [hold.currency] };
    const refusal = checkHoldAmount(hold.channel, { ...judged, currency: hold.currency }, contract);
    if (refusal !== undefined) return refusal;
    const speaker = speakerOf(deps.box, step, base.object, { ...judged, currency: hold.currency });
    return { ...base, operation: 'capture', ...judged, reason: step.reason, ...speaker };
  }
  const refusal = judgeRelease(hold);
  if (refusal !== undefined) return refusal;
  if (step.kind === 'authorize') return { ...base, operation: 'authorize', amount: hold.amount, final: true };
  if (step.kind === 'expiry')
    return { ...base, operation: 'cancel', amount: 0, final: true, reason: 'expired' };
  const reason = step.reason ?? (await readCommandNote(deps.db, hold.merchantId, step.commandId));
  const speaker = speakerOf(deps.box, step, base.object, { amount: 0 });
  return { ...base, operation: 'cancel', amount: 0, final: true, reason, ...speaker };
}

export async function mustRead<Read>(reading: Promise<Read | undefined>, ref: HoldRef): Promise<Read> {
  const read = await reading;
  if (read === undefined) throw new Error(`there is no hold ${ref.preAuthNo} of merchant ${ref.merchantId}`);
  return read;
}
