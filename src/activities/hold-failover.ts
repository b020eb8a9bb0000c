/** What becomes of a hold whose create certainly came to nothing: it goes to its next channel, or it ends. */
import type { PoolClient } from 'pg';
import { capabilitiesOf, checkHoldAmount } from '../channels/registry';
import { isCertainlyUnsent, resultOf } from '../domain/channel-call';
import type { CallReport, ChannelCall } from '../domain/channel-call';
import type { CancelCommand, ExpiryCommand } from '../domain/commands';
import { codeOfEnd } from '../domain/failover';
import type { CreateEnd } from '../domain/failover';
import { applyCreateDecline, applyUntaken, holdObject, isClosed } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { readCommandNote } from '../stores/command-notes';
import { lockPreAuthAndCall } from '../stores/hold-with-call';
import { movePreAuth, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { changing } from './changing';
import type { ActivityDeps, HoldRef } from './deps';
import { callEndOf, nextStepOf, unsentEnd, writeSuccessor } from './failover';
import type { Orphan } from './failover';
import { saveTransition } from './hold-saving';

/** A hold, one of its creates, and the transaction that has locked both. */
export interface LockedHold {
  readonly tx: PoolClient;
  readonly row: PreAuthRow;
  readonly call: ChannelCall;
}

export interface GivenHold {
  readonly hold: Hold;
  /** The create that follows, at another channel; absent: the hold has ended. */
  readonly movedTo?: string;
}

/** @returns undefined: nothing was written, because the hold waits for this very channel. Never for a decline */
export async function endHoldCreate(
  deps: ActivityDeps,
  { tx, row, call }: LockedHold,
  end: CreateEnd,
  providerCode?: string,
): Promise<GivenHold | undefined> {
  const hold = toHold(row);
  const orphan = orphanOf(row, call);
  const settles = callEndOf(call.id, end, providerCode);
  const step = await nextStepOf(deps, tx, orphan, end);
  switch (step.kind) {
    case 'stay':
      return undefined;
    case 'move': {
      const { id: channelAccountId, channel, contract } = step.account;
      const multipleCaptures =
        capabilitiesOf(channel, contract).multipleCaptures || contract.multipleCaptures === true;
      const movedTo = await writeSuccessor(deps, tx, orphan, call, settles, step.account);
      await movePreAuth(tx, hold, { channel, accountId: channelAccountId, multipleCaptures });
      const moved = { channel, channelAccountId, multipleCaptures, needsAttention: null };
      return { hold: { ...hold, ...moved, version: hold.version + 1 }, movedTo };
    }
    case 'end': {
      const code = codeOfEnd(end);
      const transition =
        step.as === 'expired' ? applyUntaken(hold, 'expired') : applyCreateDecline(hold, code);
      const declineCode = step.as === 'failed' ? code : undefined;
      return { hold: await saveTransition(deps, tx, row, transition, { settles, declineCode }) };
    }
  }
}

function orphanOf(row: PreAuthRow, { maybeSent }: Pick<ChannelCall, 'maybeSent'>): Orphan {
  const hold = toHold(row);
  const { world, channel, status, amount, currency, expiresAtMs } = hold;
  return {
    object: { ...holdObject(hold), kind: 'pre_auth' },
    ...{ world, channel, status, amount, currency, expiresAtMs },
    maybeSent,
    handedOut: hold.channelPreAuthNo !== null || row.customer_step_sealed !== null || isClosed(status),
    refusalOf: (other, contract) => checkHoldAmount(other, { amount, currency }, contract),
  };
}

/** The same for a create that no decline has ended. @returns undefined: nothing was written, the call stays open */
export async function giveUpHoldCreate(
  deps: ActivityDeps,
  ref: HoldRef,
  { id: callId }: ChannelCall,
  end: CreateEnd,
): Promise<CallReport | undefined> {
  return changing<CallReport | undefined>(deps, async (tx) => {
    const { row, call } = await lockPreAuthAndCall(tx, ref, callId);
    // Another run of this step may have settled it, or be sending it at this moment.
    if (call.state !== 'open' || (end.kind === 'not_sent' && !isCertainlyUnsent(call))) return undefined;
    const given = await endHoldCreate(deps, { tx, row, call }, end);
    if (given === undefined) return undefined;
    return given.movedTo !== undefined
      ? { kind: 'moved', callId: given.movedTo }
      : { kind: 'settled', result: resultOf(call, 'declined', codeOfEnd(end), given.hold) };
  });
}

export function createHoldFailoverActivities(deps: ActivityDeps) {
  /**
   * Ends a hold between two channels, on request or because its time is over: the one it was given to has not been asked.
   * @returns `isEnded` false: it has been asked, so that its answer comes first
   */
  async function endUntakenHold(
    ref: HoldRef,
    callId: string,
    command: CancelCommand | ExpiryCommand,
  ): Promise<{ readonly hold: Hold; readonly isEnded: boolean }> {
    return changing(deps, async (tx) => {
      const { row, call } = await lockPreAuthAndCall(tx, ref, callId);
      const hold = toHold(row);
      if (call.state !== 'open' || call.attempts > 0) return { hold, isEnded: isClosed(hold.status) };
      const isCancel = command.kind === 'cancel';
      const transition = applyUntaken(hold, isCancel ? 'canceled' : 'expired');
      const cancelReason = isCancel
        ? (command.reason ?? (await readCommandNote(tx, ref.merchantId, command.commandId)))
        : undefined;
      const settles = unsentEnd(callId, command.kind);
      const next = await saveTransition(deps, tx, row, transition, { settles, cancelReason });
      return { hold: next, isEnded: true };
    });
  }

  return { endUntakenHold };
}
