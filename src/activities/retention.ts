/** Deletes what has been kept long enough, in small batches that disturb nobody. Safe to run twice and beside itself. */
import { heartbeat } from '@temporalio/activity';
import { deleteGivenUp, deleteOldChannelEvents } from '../stores/retention';
import type { ActivityDeps } from './deps';

const BATCH = 1_000;
const BUDGET_MS = 120_000;
const DAY_SECONDS = 86_400;

/** How long what is kept; the settings of the same names say it. */
export interface RetentionPolicy {
  readonly inboundEventDays: number;
  readonly failedWebhookDays: number;
}

export interface RetentionCounts {
  readonly events: number;
  readonly notifications: number;
}

export function createRetentionActivities({ db, now }: Pick<ActivityDeps, 'db' | 'now'>) {
  async function deleteOutdatedRows(policy: RetentionPolicy): Promise<RetentionCounts> {
    const { inboundEventDays, failedWebhookDays } = policy;
    const events = await batches((limit) =>
      deleteOldChannelEvents(db, inboundEventDays * DAY_SECONDS, limit),
    );
    const notifications = await batches((limit) => deleteGivenUp(db, failedWebhookDays * DAY_SECONDS, limit));
    return { events, notifications };
  }

  /** Batch after batch until one finds nothing or the time is up. @returns how many in all */
  async function batches(work: (limit: number) => Promise<number>): Promise<number> {
    const endMs = now() + BUDGET_MS;
    for (let count = 0; ;) {
      heartbeat();
      const done = await work(BATCH);
      count += done;
      if (done === 0 || now() > endMs) return count;
    }
  }

  return { deleteOutdatedRows };
}
