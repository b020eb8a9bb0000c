/**
 * Money that is held at the channel for a hold that has ended here: its customer opened it afterwards, where the channel
 * cannot close what nobody has opened. Nobody is waiting for that money, so it is released; the row stays as it is.
 */
import type { PoolClient } from 'pg';
import type { HoldSnapshot } from '../domain/channel';
import { LATE_RELEASE_COMMAND_ID } from '../domain/channel-call';
import type { ObjectRef } from '../domain/ids';
import { holdObject, isHeldLate } from '../domain/pre-auth';
import type { Hold } from '../domain/pre-auth';
import { insertCall } from '../stores/channel-calls';
import { appendNote } from '../stores/outbox';
import type { ActivityDeps } from './deps';

/**
 * Writes the call that releases it, unless it is under way. The hold's own workflow, started again, sends the call and
 * follows it to its end, as every workflow does with a call that an earlier run has left open.
 * @param tx has locked the hold
 * @param snapshot read after the hold was closed
 * @returns the hold whose workflow is to be started after the commit: who forgets it leaves it to the pick-up
 */
export async function noteLateHold(
  deps: ActivityDeps,
  tx: PoolClient,
  hold: Hold,
  snapshot: HoldSnapshot,
): Promise<ObjectRef | undefined> {
  if (!isHeldLate(hold, snapshot)) return undefined;
  const object = holdObject(hold);
  const call = await insertCall(tx, {
    ...{ object, channelAccountId: hold.channelAccountId, currency: hold.currency },
    ...{ operation: 'cancel', amount: 0, final: true, sentNow: false },
    ...{ commandId: LATE_RELEASE_COMMAND_ID, reason: 'held after its end' },
  });
  if (call !== undefined) {
    const { preAuthNo: objectNo, merchantId, status } = hold;
    const amount = snapshot.amountCapturable;
    const subject = { merchantId, objectKind: 'pre_auth', objectNo, status } as const;
    await appendNote(tx, { ...subject, type: 'channel.held_late', data: { amount, n: call.n } });
    deps.log.warn({ preAuthNo: objectNo, amount }, 'money is held for a hold that has ended: it is released');
  }
  return object;
}
