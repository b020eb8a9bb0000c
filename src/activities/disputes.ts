/** Disputes: what a read of them changes, and what the merchant is told of it. */
import type { PoolClient } from 'pg';
import type { ChannelName } from '../domain/channel';
import type { DisputeSnapshot } from '../domain/channel-payment';
import { disputeChange } from '../domain/dispute';
import type { DisputeChange } from '../domain/dispute';
import type { RefundedRef } from '../domain/refund';
import { readDisputesOf, saveDispute } from '../stores/disputes';
import type { DisputedPlace, DisputeRow } from '../stores/disputes';
import { nextEventOf } from '../stores/event-subjects';
import { appendEvent, appendNote } from '../stores/outbox';
import type { ActivityDeps } from './deps';

/** Whose money is disputed, and at which channel it is. */
export interface Disputed extends DisputedPlace {
  readonly object: RefundedRef;
  readonly channel: ChannelName;
  readonly status: string;
}

/**
 * Takes over what the channel shows. Safe to repeat.
 * @param tx has locked the payment or hold, under whose lock disputes are written; ring the outbox after it
 */
export async function reviewDisputes(
  deps: ActivityDeps,
  tx: PoolClient,
  subject: Disputed,
  snapshots: readonly DisputeSnapshot[],
): Promise<void> {
  const known = await readDisputesOf(tx, subject.object);
  for (const snapshot of snapshots) {
    const before = known.find((row) => row.channel_dispute_no === snapshot.channelDisputeNo);
    const change = disputeChange(before, snapshot);
    if (change === null) continue;
    const row = await saveDispute(tx, subject.object, subject, snapshot, change);
    if (row === undefined) {
      deps.log.error({ disputeNo: snapshot.channelDisputeNo }, 'a dispute is shown under two objects');
      continue;
    }
    if (change.isCorrection) await noteCorrection(tx, subject, row);
    for (const type of change.events) await tell(deps, tx, subject, row, type);
  }
}

async function noteCorrection(
  tx: PoolClient,
  { object, status }: Pick<Disputed, 'object' | 'status'>,
  row: DisputeRow,
): Promise<void> {
  const { merchantId, kind: objectKind, no: objectNo } = object;
  const data = { dispute_id: row.id, dispute_status: row.status, amount: row.amount };
  await appendNote(tx, { merchantId, objectKind, objectNo, type: 'channel.dispute_corrected', status, data });
}

async function tell(
  deps: ActivityDeps,
  tx: PoolClient,
  { object, channel }: Pick<Disputed, 'object' | 'channel'>,
  row: DisputeRow,
  type: DisputeChange['events'][number],
): Promise<void> {
  const subject = await nextEventOf(tx, object);
  await appendEvent(tx, {
    merchantId: object.merchantId,
    objectKind: object.kind,
    objectNo: object.no,
    orderNo: subject.order_no,
    sequence: subject.event_sequence,
    type,
    status: subject.status,
    amount: row.amount,
    currency: row.currency,
    at: new Date(deps.now()),
    extra: {
      dispute_id: row.id,
      channel,
      channel_dispute_no: row.channel_dispute_no,
      dispute_status: type === 'dispute.opened' ? 'open' : row.status,
      reason: row.reason,
    },
    notifyUrl: subject.notify_url,
    defaultMaxRetries: deps.defaultMaxRetries,
  });
}
