/** An event that the API has stored and nobody has taken up: whose it is, and who reads the object again. */
import { markProcessed, matchEvent, postponeEvent, workflowToTell } from '../stores/channel-events';
import type { WaitingEvent } from '../stores/channel-events';
import { reviewObject } from './closed-objects';
import type { ActivityDeps } from './deps';

const UNMATCHED_AFTER_SECONDS = 3 * 24 * 3600;

/** An event that cannot be processed now goes to the end of the line, so that others get their turn. */
export async function processOrPostpone(deps: ActivityDeps, event: WaitingEvent): Promise<void> {
  try {
    await processEvent(deps, event);
  } catch (error) {
    await postponeEvent(deps.db, event.id, UNMATCHED_AFTER_SECONDS);
    throw error;
  }
}

async function processEvent(deps: ActivityDeps, event: WaitingEvent): Promise<void> {
  const { id, subject, type: eventType, channel_refund_no: channelRefundNo } = event;
  const match = await matchEvent(deps.db, {
    accountId: event.channel_account_id,
    subject,
    objectId: event.object_id,
    channelRefundNo,
    holdfastId: event.holdfast_id,
  });
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
  await reviewObject(deps, match.object.object, { subject, eventType, channelRefundNo, within });
}
