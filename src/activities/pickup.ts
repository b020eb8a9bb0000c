/** The pick-up: whatever a crash left between two steps is found here and carried on. Bounded batches, safe to run twice. */
import { heartbeat } from '@temporalio/activity';
import { findWaitingEvents, markProcessed, matchHold, postponeEvent } from '../stores/channel-events';
import type { MatchedHold, WaitingEvent } from '../stores/channel-events';
import { deleteExpiredRecords } from '../stores/idempotency';
import {
  findForgottenCalls,
  findUncheckedClosedHolds,
  findUncheckedHolds,
  markOwnerChecked,
} from '../stores/live-objects';
import { appendNote } from '../stores/outbox';
import { withTransaction } from '../stores/postgres';
import { lockPreAuth, toHold } from '../stores/pre-auths';
import { exchangeOf } from './exchange';
import type { ActivityDeps } from './deps';

const EVENT_BATCH = 500;
const HOLD_BATCH = 500;
const DELETE_BATCH = 5_000;
const UNMATCHED_AFTER_SECONDS = 3 * 24 * 3600;

export interface PickupCounts {
  readonly events: number;
  readonly holds: number;
  readonly calls: number;
}

export function createPickupActivities(deps: ActivityDeps) {
  /** @param intervalSeconds the pick-up's own period: rows checked within it are left alone */
  async function pickUp(intervalSeconds: number): Promise<PickupCounts> {
    const events = await findWaitingEvents(deps.db, EVENT_BATCH);
    for (const event of events) {
      heartbeat();
      await attempt(() => processEvent(deps, event));
    }
    const holds = await findUncheckedHolds(deps.db, intervalSeconds, HOLD_BATCH);
    for (const hold of holds) {
      heartbeat();
      await attempt(async () => {
        await deps.workflows.ensurePreAuth(hold.merchant_id, hold.pre_auth_no);
        await markOwnerChecked(deps.db, hold);
      });
    }
    for (const hold of await findUncheckedClosedHolds(deps.db, HOLD_BATCH)) {
      heartbeat();
      await attempt(async () => {
        await deps.workflows.wakePreAuth(hold.merchant_id, hold.pre_auth_no);
        await markOwnerChecked(deps.db, hold);
      });
    }
    const calls = await findForgottenCalls(deps.db, intervalSeconds, HOLD_BATCH);
    for (const call of calls) {
      heartbeat();
      await attempt(() => deps.workflows.resyncPreAuth(call.merchant_id, call.pre_auth_no));
    }
    await deleteExpiredRecords(deps.db, DELETE_BATCH);
    return { events: events.length, holds: holds.length, calls: calls.length };
  }

  /** One object that cannot be helped now must not keep the others waiting: it is tried again at the next run. */
  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      deps.log.warn({ err: error }, 'the pick-up could not carry on with an object; it will be tried again');
    }
  }

  return { pickUp };
}

async function processEvent(deps: ActivityDeps, event: WaitingEvent): Promise<void> {
  const match = await matchHold(deps.db, {
    accountId: event.channel_account_id,
    objectId: event.object_id,
    holdfastId: event.holdfast_id,
  });
  if (match === undefined) {
    // Events that speak of no object of ours (another system on the same account) wait like early ones, then end unmatched.
    await postponeEvent(deps.db, event.id, UNMATCHED_AFTER_SECONDS);
    return;
  }
  if (match.closed) await noteLateEvent(deps, event, match);
  else await deps.workflows.resyncPreAuth(match.merchant_id, match.pre_auth_no);
  await markProcessed(deps.db, event.id);
}

/** News of a closed hold: the object is read again and what it shows is kept beside the row, whose state is final. */
async function noteLateEvent(deps: ActivityDeps, event: WaitingEvent, match: MatchedHold): Promise<void> {
  const adapter = await deps.adapterOf(event.channel_account_id);
  const reading =
    event.object_id === null
      ? undefined
      : await adapter.queryPreAuth(event.object_id, exchangeOf(deps.exchangeTimeoutMs));
  await withTransaction(deps.db, async (tx) => {
    const row = await lockPreAuth(tx, match.merchant_id, match.pre_auth_no);
    if (row === undefined) return;
    const hold = toHold(row);
    const differs = reading !== undefined && reading.amountCaptured !== hold.amountCaptured;
    await appendNote(tx, {
      merchantId: hold.merchantId,
      objectKind: 'pre_auth',
      objectNo: hold.preAuthNo,
      type: differs ? 'channel.differs' : 'channel.late_event',
      status: hold.status,
      data: {
        event_type: event.type,
        channel_status: reading?.status ?? null,
        amount_captured: reading?.amountCaptured ?? null,
      },
    });
    if (differs) deps.log.error({ preAuthNo: hold.preAuthNo }, 'a closed hold differs from the channel');
  });
}
