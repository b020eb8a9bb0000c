/** Capture and cancel: the record first, then the workflow's one slot, whose answer is what it wrote to the row. */
import { resultOf } from '../../domain/channel-call';
import { BY_API, closedRefusal } from '../../domain/commands';
import type { CancelCommand, CaptureCommand, CommandResult } from '../../domain/commands';
import { fail, HoldfastError } from '../../domain/errors';
import { holdObject, isClosed } from '../../domain/pre-auth';
import { findCalls } from '../../stores/channel-calls';
import { dropCommandNote, keepCommandNote } from '../../stores/command-notes';
import { readPreAuth, toHold } from '../../stores/pre-auths';
import type { PreAuthRow } from '../../stores/pre-auths';
import type { AskOutcome } from '../../temporal/command-gateway';
import type { IdempotentRequest, Ownership } from '../idempotency';
import type { RouteAnswer } from '../route';
import type { PreAuthDeps } from './deps';
import { showCancel, showCapture, showPreAuth } from './view';

type CommandOutcome = Exclude<AskOutcome<'pre_auth'>, { kind: 'closed' }>;

export interface CaptureFields {
  readonly amount?: number | undefined;
  readonly currency?: string | undefined;
  readonly final?: boolean | undefined;
}

export async function capturePreAuth(
  deps: PreAuthDeps,
  row: PreAuthRow,
  fields: CaptureFields,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  if (fields.currency !== undefined && fields.currency !== row.currency) {
    throw fail('CURRENCY_MISMATCH', { currency: fields.currency, expected: row.currency });
  }
  return idem.runCommand(async (own) => {
    const command: CaptureCommand = {
      kind: 'capture',
      commandId: own.recordId,
      ...(fields.amount !== undefined ? { amount: fields.amount } : {}),
      ...(fields.final !== undefined ? { final: fields.final } : {}),
      by: BY_API,
    };
    const outcome = await carryOut(deps, row, command, own);
    if (outcome.kind === 'accepted') return acceptedAnswer(deps, await mustRead(deps, row));
    return { status: 200, data: showCapture(row, outcome), message: 'Captured' };
  });
}

export async function cancelPreAuth(
  deps: PreAuthDeps,
  row: PreAuthRow,
  fields: { readonly reason?: string | undefined },
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  return idem.runCommand(async (own) => {
    const command: CancelCommand = { kind: 'cancel', commandId: own.recordId, by: BY_API };
    if (fields.reason !== undefined)
      await keepCommandNote(deps.db, row.merchant_id, own.recordId, fields.reason);
    const outcome = await carryOut(deps, row, command, own).catch(async (error: unknown) => {
      const isRefused = error instanceof HoldfastError && error.code !== 'TEMPORARILY_UNAVAILABLE';
      if (isRefused && fields.reason !== undefined) await dropCommandNote(deps.db, own.recordId);
      throw error;
    });
    if (outcome.kind === 'accepted') return acceptedAnswer(deps, await mustRead(deps, row));
    return { status: 200, data: showCancel(row, outcome.hold), message: 'Canceled' };
  });
}

type Carried = { readonly kind: 'accepted' } | Extract<CommandResult, { kind: 'done' }>;

/** @throws HoldfastError with the refusal, or TEMPORARILY_UNAVAILABLE when nobody knows whether the command was taken */
async function carryOut(
  deps: PreAuthDeps,
  row: PreAuthRow,
  command: CaptureCommand | CancelCommand,
  own: Ownership,
): Promise<Carried> {
  const earlier = own.takenOver ? await outcomeInRows(deps, row, command.commandId) : undefined;
  // A call that is still open is joined by asking; a settled one answers by itself.
  const known = earlier?.kind === 'result' ? earlier : undefined;
  const outcome = known ?? (isClosed(row.status) ? closed(row) : await ask(deps, row, command));
  const isRefused = outcome.kind === 'result' && outcome.result.kind === 'refused';
  // Refused because of the state it may itself have brought about: an answer lost on the way, then asked again.
  const final = isRefused ? ((await outcomeInRows(deps, row, command.commandId)) ?? outcome) : outcome;
  if (final.kind === 'accepted') return final;
  if (final.result.kind === 'refused') throw new HoldfastError(final.result.refusal);
  return final.result;
}

/** What the rows say of this very command, workflow alive or closed; undefined when it never got as far as a call. */
async function outcomeInRows(
  deps: PreAuthDeps,
  row: PreAuthRow,
  commandId: string,
): Promise<CommandOutcome | undefined> {
  const object = holdObject({ merchantId: row.merchant_id, preAuthNo: row.pre_auth_no });
  const { own } = await findCalls(deps.db, object, commandId);
  if (own === undefined) return undefined;
  if (own.state === 'open') return { kind: 'accepted' };
  const hold = toHold(await mustRead(deps, row));
  return { kind: 'result', result: resultOf(own, own.state, own.declineCode, hold) };
}

function closed(row: PreAuthRow): CommandOutcome {
  return { kind: 'result', result: { kind: 'refused', refusal: closedRefusal(row.status) } };
}

async function ask(
  deps: PreAuthDeps,
  row: PreAuthRow,
  command: CaptureCommand | CancelCommand,
): Promise<CommandOutcome> {
  const object = { merchantId: row.merchant_id, kind: 'pre_auth', no: row.pre_auth_no } as const;
  try {
    const isLive = async () => !isClosed((await mustRead(deps, row)).status);
    const outcome = await deps.gateway.ask({ object, command, timeoutMs: deps.waitTimeoutMs, isLive });
    return outcome.kind === 'closed' ? closed(await mustRead(deps, row)) : outcome;
  } catch (error) {
    deps.log.error(
      { err: error, preAuthNo: row.pre_auth_no },
      'a command could not be handed to its workflow',
    );
    throw fail('TEMPORARILY_UNAVAILABLE');
  }
}

function acceptedAnswer(deps: PreAuthDeps, row: PreAuthRow): RouteAnswer {
  const location = `/api/v1/pre-auth/${row.pre_auth_no}`;
  const message = `Accepted; ask ${location} for the outcome`;
  return { status: 202, data: showPreAuth(row, deps.box), message, headers: { Location: location } };
}

async function mustRead(deps: PreAuthDeps, row: PreAuthRow): Promise<PreAuthRow> {
  const now = await readPreAuth(deps.db, row.merchant_id, row.pre_auth_no);
  if (now === undefined) throw new Error(`the row of hold ${row.pre_auth_no} is gone`);
  return now;
}
