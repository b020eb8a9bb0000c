/** The pick-up: whatever a crash left between two steps is found here and carried on. Bounded batches, safe to run twice. */
import { heartbeat } from '@temporalio/activity';
import type { ObjectRef } from '../domain/ids';
import { findWaitingEvents } from '../stores/channel-events';
import { deleteOldCommandNotes } from '../stores/command-notes';
import { deleteExpiredRecords } from '../stores/idempotency';
import {
  findForgottenCalls,
  findUnchecked,
  findUncheckedClosed,
  findUnstarted,
  markOwnerChecked,
} from '../stores/live-objects';
import { reviewOnceClosed } from './closed-objects';
import type { ActivityDeps } from './deps';
import { processOrPostpone } from './inbound';

const BATCH = 500;
const LANES = 8;
const BUDGET_MS = 3 * 60_000;
const DELETE_BATCH = 5_000;

export interface PickupCounts {
  readonly events: number;
  readonly objects: number;
  readonly calls: number;
}

export function createPickupActivities(deps: ActivityDeps) {
  const { db, workflows } = deps;

  /** @param intervalSeconds the pick-up's own period: rows checked within it are left alone */
  async function pickUp(intervalSeconds: number): Promise<PickupCounts> {
    const objects = await untilDone((limit) => findUnstarted(db, limit), ensure);
    await each(await findUnchecked(db, intervalSeconds, BATCH), ensure);
    await each(await findUncheckedClosed(db, BATCH), async (object) => {
      await workflows.wake(object);
      await reviewOnceClosed(deps, object);
      await markOwnerChecked(db, object);
    });
    const calls = await findForgottenCalls(db, intervalSeconds, BATCH);
    await each(calls, (object) => workflows.resync(object));
    const events = await untilDone(
      (limit) => findWaitingEvents(db, limit),
      (event) => processOrPostpone(deps, event),
    );
    await deleteExpiredRecords(db, DELETE_BATCH);
    await deleteOldCommandNotes(db, DELETE_BATCH);
    return { events, objects, calls: calls.length };
  }

  async function ensure(object: ObjectRef): Promise<void> {
    await workflows.ensure(object);
    await markOwnerChecked(db, object);
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
