/**
 * The sweep: takes up the retries that a crash left without their workflow, ends what nobody will ever fetch, and
 * deletes what is old. Bounded batches in short transactions, safe to run twice and beside itself.
 */
import { heartbeat } from '@temporalio/activity';
import { failDeletedEndpoints, failDisabledTooLong } from '../stores/webhook-endings';
import type { EndedNotifications } from '../stores/webhook-endings';
import {
  deleteDeadLeases,
  deleteDeletedEndpoints,
  deleteDelivered,
  deleteOldAttempts,
  findOverdueRetries,
} from '../stores/webhook-upkeep';
import type { WebhookActivityDeps } from './webhook-deps';

const MAX_STARTS = 1_000;
const START_LANES = 16;
/** After so many failures the fault is Temporal's, not the notification's, and the next run tries again. */
const MAX_START_FAILURES = 20;
const BATCH = 1_000;
const BUDGET_MS = 120_000;
const DAY_SECONDS = 86_400;
const DEAD_LEASE_SECONDS = 3_600;

export function createWebhookSweepActivities(deps: WebhookActivityDeps) {
  const { db } = deps;
  const retentionSeconds = deps.retentionDays * DAY_SECONDS;

  /** Starts or wakes the workflows of retries that are overdue and carried by nobody. */
  async function startOverdueRetries(): Promise<{ overdue: number; started: number }> {
    const overdue = await findOverdueRetries(db, deps.overdueSeconds, MAX_STARTS);
    let next = 0;
    let started = 0;
    let failures = 0;
    const lane = async () => {
      for (let row = overdue[next++]; row !== undefined; row = overdue[next++]) {
        heartbeat();
        if (failures >= MAX_START_FAILURES) return;
        try {
          await deps.ensureWorkflow(row);
          started += 1;
        } catch (error) {
          failures += 1;
          const { notificationId } = row;
          deps.log.warn({ err: error, notificationId }, 'an overdue retry could not be started');
        }
      }
    };
    await Promise.all(Array.from({ length: START_LANES }, lane));
    return { overdue: overdue.length, started };
  }

  /** Ends what waits for deleted endpoints, and what has waited too long for disabled ones. */
  async function endUndeliverable(): Promise<{ deleted: number; disabled: number }> {
    const deleted = await batches((limit) => told(failDeletedEndpoints(db, limit)));
    const disabled = await batches((limit) => told(failDisabledTooLong(db, retentionSeconds, limit)));
    return { deleted, disabled };
  }

  /** @returns how many have ended */
  async function told(ending: Promise<EndedNotifications>): Promise<number> {
    const { failed, retryingIds } = await ending;
    await deps.noteFailed(failed);
    await deps.wake(retryingIds);
    return failed.length;
  }

  async function deleteOutdated(): Promise<{ notifications: number; leases: number; endpoints: number }> {
    const notifications = await batches((limit) => deleteDelivered(db, retentionSeconds, limit));
    // An endpoint that never answers is probed 2 880 times a day, whatever becomes of its notifications.
    await batches((limit) => deleteOldAttempts(db, retentionSeconds, limit));
    const leases = await batches((limit) => deleteDeadLeases(db, DEAD_LEASE_SECONDS, limit));
    const endpoints = await batches((limit) => deleteDeletedEndpoints(db, retentionSeconds, limit));
    return { notifications, leases, endpoints };
  }

  /** Batch after batch until one finds nothing or the time is up. @returns how many in all */
  async function batches(work: (limit: number) => Promise<number>): Promise<number> {
    const endMs = deps.now() + BUDGET_MS;
    for (let count = 0; ;) {
      heartbeat();
      const done = await work(BATCH);
      count += done;
      if (done === 0 || deps.now() > endMs) return count;
    }
  }

  return { startOverdueRetries, endUndeliverable, deleteOutdated };
}
