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
import { lockPreAuthAndCall } from '../stores/hold-with-call';
import { movePreAuth, toHold } from '../stores/pre-auths';
import type { PreAuthRow } from '../stores/pre-auths';
import { changing } from './changing';
import type { ActivityDeps, HoldRef } from './deps';
import { endCreate, endUnsent } from './failover';
import type { Given, Orphan } from './failover';
import { saveTransition } from './hold-saving';

/** A hold, one of its creates, and the transaction that has locked both. */
export interface LockedHold {
  readonly tx: PoolClient;
  readonly row: PreAuthRow;
  readonly call: ChannelCall;
}

/** Ends the create, and gives the hold to its next channel or ends it too, as `endCreate` does. */
export function endHoldCreate(
  deps: ActivityDeps,
  { tx, row, call }: LockedHold,
  end: CreateEnd,
  providerCode?: string,
): Promise<Given<{ readonly hold: Hold }> | undefined> {
  const hold = toHold(row);
  return endCreate(
    deps,
    tx,
    { orphan: orphanOf(row), call },
    { end, providerCode },
    {
      async move({ id: channelAccountId, channel, contract }) {
        const multipleCaptures =
          capabilitiesOf(channel, contract).multipleCaptures || contract.multipleCaptures === true;
        await movePreAuth(tx, hold, { channel, accountId: channelAccountId, multipleCaptures });
        const moved = { channel, channelAccountId, multipleCaptures, needsAttention: null };
        return { hold: { ...hold, ...moved, version: hold.version + 1 } };
      },
      async end(as, settles) {
        const code = codeOfEnd(end);
        const [transition, declineCode] =
          as === 'expired' ? [applyUntaken(hold, 'expired')] : [applyCreateDecline(hold, code), code];
        return { hold: await saveTransition(deps, tx, row, transition, { settles, declineCode }) };
      },
    },
  );
}

function orphanOf(row: PreAuthRow): Orphan {
  const hold = toHold(row);
  const { world, channel, status, amount, currency, expiresAtMs } = hold;
  return {
    object: { ...holdObject(hold), kind: 'pre_auth' },
    ...{ world, channel, status, amount, currency, expiresAtMs },
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
      const saving = await endUnsent(deps, tx, holdObject(hold), call, command);
      const transition = applyUntaken(hold, command.kind === 'cancel' ? 'canceled' : 'expired');
      const next = await saveTransition(deps, tx, row, transition, saving);
      return { hold: next, isEnded: true };
    });
  }

  return { endUntakenHold };
}
