/** Carries out a command: its call row is found or written, then sent. May run twice, at any point. */
import { checkHoldAmount } from '../channels/registry';
import { judgeCapture, judgeRelease } from '../domain/commands';
import type { Command } from '../domain/commands';
import type { CallReport, ChannelCall, CREATE_COMMAND_ID, HoldOperation } from '../domain/channel-call';
import { EXPIRY_COMMAND_ID, resultOf } from '../domain/channel-call';
import type { Refusal } from '../domain/errors';
import { holdObject } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { mayReplay } from '../domain/settle';
import { findCalls, insertCall, touchCall } from '../stores/channel-calls';
import type { NewCall } from '../stores/channel-calls';
import { readCommandNote } from '../stores/command-notes';
import { readPreAuth, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { evidenceOf, limitsOf, send, unsettled } from './exchange';
import type { ActivityDeps, HoldRef } from './deps';

const MAX_LOOKS = 5;
const UNCOUNTED_MS = 2_000;

/** A hold as it is now, and what became of the step. */
export interface StepOutcome {
  readonly hold: Hold;
  readonly report: CallReport;
}

/** A create is the first command of every hold; it has no parameters, and its call was written with the row. */
export type Step = Command | { readonly kind: 'create'; readonly commandId: typeof CREATE_COMMAND_ID };

export function createExecuteActivities(deps: ActivityDeps) {
  /** The first attempt at a command, and the resumption of one that a crash cut off. */
  async function executeCommand(ref: HoldRef, step: Step): Promise<StepOutcome> {
    const { row, next } = await begin(deps, ref, step);
    const hold = toHold(row);
    if ('report' in next) return { hold, report: next.report };
    const report = next.fresh
      ? await send(deps, row, hold, next.call, deps.exchangeTimeoutMs)
      : await resend(deps, row, hold, next.call, deps.exchangeTimeoutMs);
    return { hold, report };
  }

  return { executeCommand };
}

/** Either the call to send (`fresh`: written just now, so nobody has sent it), or the end of the step. */
type Begun = { readonly call: ChannelCall; readonly fresh: boolean } | { readonly report: CallReport };

/**
 * Looks, judges and writes the call, the last only if the hold is still as it was judged: an attempt that stalled since
 * it looked writes nothing, looks again and finds what a later one did.
 */
async function begin(
  deps: ActivityDeps,
  ref: HoldRef,
  step: Step,
): Promise<{ row: PreAuthRow; next: Begun }> {
  for (let look = 1; look <= MAX_LOOKS; look++) {
    const row = await mustRead(readPreAuth(deps.db, ref.merchantId, ref.preAuthNo), ref);
    const hold = toHold(row);
    const calls = await findCalls(deps.db, holdObject(hold), step.commandId);
    if (hasBegun(calls, step)) {
      // The row was read first, so it may be older than what its calls say; not so before anything was sent.
      const isUntouched = calls.open?.attempts === 0;
      const current = isUntouched
        ? row
        : await mustRead(readPreAuth(deps.db, ref.merchantId, ref.preAuthNo), ref);
      return { row: current, next: resume(calls, toHold(current), step) };
    }
    // The API writes it with the row; that it is missing would mean the transaction was torn.
    if (step.kind === 'create') throw new Error(`hold ${ref.preAuthNo} has no create call`);
    const call = await newCall(deps, hold, step);
    if ('code' in call) return { row, next: { report: { kind: 'refused', refusal: call } } };
    const inserted = await insertCall(deps.db, call, hold.version);
    if (inserted !== undefined) return { row, next: { call: inserted, fresh: true } };
  }
  throw new Error(`hold ${ref.preAuthNo} changed at each of ${MAX_LOOKS} looks`);
}

type Calls = Awaited<ReturnType<typeof findCalls<HoldOperation>>>;

/** The expiry keeps trying under the same name; every other command has one outcome, for good. */
function hasBegun({ open, own }: Calls, step: Step): boolean {
  return open !== undefined || (own !== undefined && step.commandId !== EXPIRY_COMMAND_ID);
}

/** What the call rows say of a step that was begun, or that has to wait for another one. */
function resume({ open, own }: Calls, hold: Hold, step: Step): Begun {
  if (open?.commandId === step.commandId) return { call: open, fresh: false };
  if (open !== undefined) return { report: { kind: 'other_open', callId: open.id } };
  if (own === undefined) throw new Error(`command ${step.commandId} has no call to go on with`);
  return { report: { kind: 'settled', result: resultOf(own, own.state, own.declineCode, hold) } };
}

/** Sends an open call's key again, as long as the channel still knows what it did under it. */
export async function resend(
  deps: ActivityDeps,
  row: PreAuthRow,
  hold: Hold,
  call: ChannelCall,
  timeoutMs: number,
): Promise<CallReport> {
  if (!mayReplay(evidenceOf(call), limitsOf(deps, hold), deps.now())) {
    return unsettled(deps, hold, call, 'the key cannot be replayed');
  }
  // A create that was written a moment ago and not counted yet: its row says well enough when it was sent, and a create
  // moves no money before the customer, who has not been given its secret yet, confirms it.
  const isFirst =
    call.operation === 'create' && call.attempts === 0 && deps.now() - call.createdAtMs < UNCOUNTED_MS;
  return send(deps, row, hold, isFirst ? call : await touchCall(deps.db, call), timeoutMs);
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
    const refusal = checkHoldAmount(hold.channel, { amount: judged.amount, currency: hold.currency });
    if (refusal !== undefined) return refusal;
    return { ...base, operation: 'capture', ...judged, by: step.by, reason: step.reason };
  }
  const refusal = judgeRelease(hold);
  if (refusal !== undefined) return refusal;
  if (step.kind === 'expiry')
    return { ...base, operation: 'cancel', amount: 0, final: true, reason: 'expired' };
  const reason = step.reason ?? (await readCommandNote(deps.db, hold.merchantId, step.commandId));
  const { by } = step;
  return { ...base, operation: 'cancel', amount: 0, final: true, by, reason };
}

export async function mustRead(reading: Promise<PreAuthRow | undefined>, ref: HoldRef): Promise<PreAuthRow> {
  const row = await reading;
  if (row === undefined) throw new Error(`there is no hold ${ref.preAuthNo} of merchant ${ref.merchantId}`);
  return row;
}
