/** Finds out what became of a hold's call whose answer was lost, and what became of a hold we have news of. */
import type { HoldSnapshot } from '../domain/channel';
import { ChannelFault } from '../domain/channel';
import type { HoldOperation } from '../domain/channel-call';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import { applySnapshot, holdObject, isClosed } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { findCalls } from '../stores/channel-calls';
import { lockPreAuth, readPreAuth, toHold } from '../stores/pre-auths';
import type { ActivityDeps, HoldRef } from './deps';
import { changing } from './changing';
import { exchangeOf } from './exchange';
import { mustRead } from './execute';
import type { StepOutcome } from './execute';
import { saveTransition } from './hold-saving';
import { holdSubject, waitsForUs } from './hold-subject';
import { settleOpenCall } from './settle-call';

export interface HoldReading {
  readonly hold: Hold;
  /** false: the channel could not be asked. */
  readonly answered: boolean;
  /** The customer has approved: completePreAuth must follow. */
  readonly completionDue?: boolean;
  /** A call that a task which never ended left open. */
  readonly openCall?: { readonly id: string; readonly operation: HoldOperation; readonly commandId: string };
}

export function createSettleActivities(deps: ActivityDeps) {
  const read = (ref: HoldRef) => mustRead(readPreAuth(deps.db, ref.merchantId, ref.preAuthNo), ref);

  /** One attempt to find out what became of an open call, in the order of domain/settle.ts. */
  async function settleCall(ref: HoldRef, callId: string): Promise<StepOutcome & { readonly hold: Hold }> {
    const report = await settleOpenCall(deps, holdSubject(deps, await read(ref)), callId);
    return { hold: toHold(await read(ref)), report };
  }

  /**
   * Reads the object and takes over what it says: news from the channel, a capture asked for before we heard of the
   * confirmation. While a call is open its own answer comes first: the call is named and nothing is taken over.
   */
  async function readHold(ref: HoldRef): Promise<HoldReading> {
    const hold = toHold(await read(ref));
    const snapshot = await ask(hold);
    if (snapshot === 'no answer') return { hold, answered: false };
    const reading = await changing<HoldReading>(deps, async (tx) => {
      const row = await mustRead(lockPreAuth(tx, ref.merchantId, ref.preAuthNo), ref);
      const { open } = await findCalls(tx, holdObject(ref), CREATE_COMMAND_ID);
      if (open !== undefined) {
        const { id, operation, commandId } = open;
        return { hold: toHold(row), answered: true, openCall: { id, operation, commandId } };
      }
      const transition = snapshot === undefined ? null : applySnapshot(toHold(row), snapshot, 'channel');
      return { hold: await saveTransition(deps, tx, row, transition), answered: true };
    });
    // What the channel does not know (any more) cannot be completed, whatever the row still says.
    const isKnown = snapshot !== undefined && reading.openCall === undefined;
    const completionDue = isKnown && (await waitsForUs(deps, reading.hold));
    return completionDue ? { ...reading, completionDue } : reading;
  }

  async function ask(hold: Hold): Promise<HoldSnapshot | undefined | 'no answer'> {
    if (isClosed(hold.status) || hold.channelPreAuthNo === null) return undefined;
    const adapter = await deps.adapterOf(hold.channelAccountId);
    try {
      return await adapter.queryPreAuth(hold.channelPreAuthNo, exchangeOf(deps.exchangeTimeoutMs));
    } catch (error) {
      if (error instanceof ChannelFault) return 'no answer';
      throw error;
    }
  }

  return { settleCall, readHold };
}
