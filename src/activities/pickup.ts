/** The pick-up: whatever a crash left between two steps is found here and carried on. Bounded batches, safe to run twice. */
import { heartbeat } from '@temporalio/activity';
import { findWaitingEvents, markProcessed, matchHold, postponeEvent } from '../stores/channel-events';
import type { MatchedHold, WaitingEvent } from '../stores/channel-events';
import { deleteOldCommandNotes } from '../stores/command-notes';
import { deleteExpiredRecords } from '../stores/idempotency';
import {
  findForgottenCalls,
  findUncheckedClosedHolds,
  findUncheckedHolds,
  findUnstartedHolds,
  markOwnerChecked,
} from '../stores/live-objects';
import type { LiveHold } from '../stores/live-objects';
import { appendNote } from '../stores/outbox';
import { withTransaction } from '../stores/postgres';
import { lockPreAuth, toHold } from '../stores/pre-auths';
import { exchangeOf } from './exchange';
import type { ActivityDeps } from './deps';

const BATCH = 500;
const LANES = 8;
const BUDGET_MS = 3 * 60_000;
const DELETE_BATCH = 5_000;
const UNMATCHED_AFTER_SECONDS = 3 * 24 * 3600;

export interface PickupCounts {
  readonly events: number;
  readonly holds: number;
  readonly calls: number;
}

export function createPickupActivities(deps: ActivityDeps) {
  const { db, workflows } = deps;

  /** @param intervalSeconds the pick-up's own period: rows checked within it are left alone */
  async function pickUp(intervalSeconds: number): Promise<PickupCounts> {
    const holds = await untilDone((limit) => findUnstartedHolds(db, limit), ensure);
    await each(await findUncheckedHolds(db, intervalSeconds, BATCH), ensure);
    await each(await findUncheckedClosedHolds(db, BATCH), async (hold) => {
      await workflows.wakePreAuth(hold.merchant_id, hold.pre_auth_no);
      await markOwnerChecked(db, hold);
    });
    const calls = await findForgottenCalls(db, intervalSeconds, BATCH);
    await each(calls, (call) => workflows.resyncPreAuth(call.merchant_id, call.pre_auth_no));
    const events = await untilDone(
      (limit) => findWaitingEvents(db, limit),
      (event) => processOrPostpone(deps, event),
    );
    await deleteExpiredRecords(db, DELETE_BATCH);
    await deleteOldCommandNotes(db, DELETE_BATCH);
    return { events, holds, calls: calls.length };
  }

  async function ensure(hold: LiveHold): Promise<void> {
    await workflows.ensurePreAuth(hold.merchant_id, hold.pre_auth_no);
    await markOwnerChecked(db, hold);
  }

  /** Batch after batch until one is not full, one fails in part, or the time is up. @returns how many were taken up */
  async function untilDone<T>(
    find: (limit: number) => Promise<T[]>,
    work: (item: T) => Promise<void>,
  ): Promise<number> {
    const endMs = deps.now() + BUDGET_MS;
    for (let count = 0; ;) {
      const batch = await find(BATCH);
      const failures = await each(batch, work);
      count += batch.length;
      if (batch.length < BATCH || failures > 0 || deps.now() > endMs) return count;
    }
  }

  /** Some at a time. One object that cannot be helped now keeps nobody waiting. @returns how many failed */
  async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<number> {
    let next = 0;
    let failures = 0;
    const lane = async () => {
      for (let item = items[next++]; item !== undefined; item = items[next++]) {
        heartbeat();
        await work(item).catch((error: unknown) => {
          failures += 1;
          deps.log.warn(
            { err: error },
            'the pick-up could not carry on with an object; it will be tried again',
          );
        });
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return failures;
  }

  return { pickUp };
}

/** An event that cannot be processed now goes to the end of the line, so that others get their turn. */
async function processOrPostpone(deps: ActivityDeps, event: WaitingEvent): Promise<void> {
  try {
    await processEvent(deps, event);
  } catch (error) {
    await postponeEvent(deps.db, event.id, UNMATCHED_AFTER_SECONDS);
    throw error;
  }
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
