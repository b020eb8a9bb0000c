/** An event that the API has stored and nobody has taken up: whose it is, and who reads the object again. */
import { ChannelFault } from '../domain/channel';
import { markProcessed, matchEvent, postponeEvent, workflowToTell } from '../stores/channel-events';
import type { EventMatch, WaitingEvent } from '../stores/channel-events';
import { setLeftAttention } from '../stores/left-objects';
import { appendNote } from '../stores/outbox';
import { afterCommit, withTransaction } from '../stores/postgres';
import type { Queryable } from '../stores/postgres';
import { lockRefundable } from '../stores/refund-reservations';
import { reviewObject } from './closed-objects';
import type { ActivityDeps } from './deps';
import { reviewLeft } from './left-channel';

const UNMATCHED_AFTER_SECONDS = 3 * 24 * 3600;

/** An event that cannot be processed now goes to the end of the line, so that others get their turn. */
export async function processOrPostpone(deps: ActivityDeps, event: WaitingEvent): Promise<void> {
  try {
    await processEvent(deps, event);
  } catch (error) {
    await postpone(deps, event, error);
    throw error;
  }
}

async function processEvent(deps: ActivityDeps, event: WaitingEvent): Promise<void> {
  const { id, subject, type: eventType, channel_refund_no: channelRefundNo } = event;
  const match = await matchOf(deps.db, event);
  if (match === undefined) {
    // Events that speak of no object of ours (another system on the same account) wait like early ones, then end unmatched.
    await postponeEvent(deps.db, id, UNMATCHED_AFTER_SECONDS);
    return;
  }
  const told = workflowToTell(match, subject);
  if (told !== undefined) {
    await deps.workflows.resync(told.object);
    await markProcessed(deps.db, id);
    return;
  }
  const within = (tx: Parameters<typeof markProcessed>[0]) => markProcessed(tx, id);
  if (match.left !== undefined) {
    const { channelNo } = match.left;
    if (channelNo === null) throw new ChannelFault('maybe_executed', 'left_object_not_named');
    const accountId = event.channel_account_id;
    const news = { accountId, channelNo, subject, channelRefundNo, eventType, within };
    return reviewLeft(deps, match.object.object, news);
  }
  await reviewObject(deps, match.object.object, { subject, eventType, channelRefundNo, within });
}

function matchOf(q: Queryable, event: WaitingEvent): Promise<EventMatch | undefined> {
  return matchEvent(q, {
    accountId: event.channel_account_id,
    subject: event.subject,
    objectId: event.object_id,
    channelRefundNo: event.channel_refund_no,
    holdfastId: event.holdfast_id,
  });
}

/** The news may be nowhere but in this event: when it is given up an operator is called to its object. */
async function postpone(deps: ActivityDeps, event: WaitingEvent, error: unknown): Promise<void> {
  await withTransaction(deps.db, async (tx) => {
    const match = await matchOf(tx, event);
    const object = match?.object.object;
    const row = object === undefined ? undefined : await lockRefundable(tx, object);
    const isGivenUp = await postponeEvent(tx, event.id, UNMATCHED_AFTER_SECONDS);
    if (!isGivenUp || object === undefined || row === undefined) return;
    const { merchantId, kind: objectKind, no: objectNo } = object;
    const cause = error instanceof ChannelFault ? error.message : 'internal';
    await appendNote(tx, {
      ...{ merchantId, objectKind, objectNo, type: 'channel.event_given_up', status: row.status },
      data: { event_type: event.type, channel_refund_no: event.channel_refund_no, reason: cause },
    });
    const reason = `news of it was given up: ${cause}`;
    const channelNo = match?.left?.channelNo;
    if (channelNo != null)
      await setLeftAttention(tx, { accountId: event.channel_account_id, channelNo }, reason);
    afterCommit(tx, () => deps.callOperator(object, row.channel, reason));
  });
}
