/** The refund of late money: reserved on the late row and not on the object, whose books stay as they were closed. */
import { createHash, randomBytes } from 'node:crypto';
import type { ChannelName } from '../domain/channel';
import { CREATE_COMMAND_ID } from '../domain/channel-call';
import { generateNumber } from '../domain/ids';
import { insertCall } from './channel-calls';
import type { EventSubject } from './event-subjects';
import { reserveLatePayment } from './late-payments';
import type { LatePaymentRow } from './late-payments';
import type { Queryable } from './postgres';
import { insertRefund } from './refunds';

const CHANNEL_OF = 'SELECT channel FROM channel_accounts WHERE id = $1';

/**
 * Reserves all of it and writes its refund with the first call; whoever commits starts the refund's workflow, or the
 * pick-up does.
 * @returns the refund's number; undefined: it is being given back already, and nothing is written
 */
export async function insertLateRefund(
  tx: Queryable,
  late: LatePaymentRow,
  subject: Pick<EventSubject, 'order_no' | 'world' | 'channel' | 'notify_url'>,
  now: Date,
): Promise<string | undefined> {
  if (!(await reserveLatePayment(tx, late.id))) return undefined;
  const refundNo = generateNumber('RF', now, randomBytes(8));
  const { merchant_id: merchantId, channel_account_id: channelAccountId, amount, currency } = late;
  // It goes back where it came from, which need not be where the object is.
  const at = (await tx.query<{ channel: ChannelName }>(CHANNEL_OF, [channelAccountId])).rows[0];
  const inserted = await insertRefund(tx, {
    merchant_id: merchantId,
    refund_no: refundNo,
    object_kind: late.object_kind,
    object_no: late.object_no,
    late_payment_id: late.id,
    order_no: subject.order_no,
    world: subject.world,
    channel: at?.channel ?? subject.channel,
    channel_account_id: channelAccountId,
    currency,
    amount,
    reason: null,
    notify_url: subject.notify_url,
    body_hash: createHash('sha256').update(late.id).digest(),
  });
  if (!inserted) throw new Error(`refund ${refundNo} exists already`);
  await insertCall<'refund'>(tx, {
    object: { merchantId, kind: 'refund', no: refundNo },
    channelAccountId,
    operation: 'refund',
    amount,
    currency,
    final: true,
    commandId: CREATE_COMMAND_ID,
    sentNow: false,
  });
  return refundNo;
}
