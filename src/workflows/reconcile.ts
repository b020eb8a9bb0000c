/** Compares what is live or was closed lately with the channels, account by account; a Temporal Schedule starts it. */
import { isCancellation } from '@temporalio/workflow';
import type { ReconcileCounts } from '../activities/reconcile';
import { accountsToReconcile, reconcileAccount } from './activity-proxies';

/** Accounts at once. Each is read by a few requests at a time. */
const LANES = 4;

/** @param closedDays objects closed longer ago are left alone @returns the summary, for people to read in the Web UI */
export async function reconciliation(closedDays: number): Promise<string> {
  const { accountIds, startedAt } = await accountsToReconcile(closedDays);
  const total = { seen: 0, repaired: 0, differing: 0, resolved: 0, skipped: 0 };
  let failed = 0;
  let next = 0;
  const reconcile = async (accountId: string) => {
    for (let done = false; !done;) {
      const part = await reconcileAccount({ accountId, startedAt, closedDays });
      add(total, part);
      done = part.done;
    }
  };
  const lane = async () => {
    for (let id = accountIds[next++]; id !== undefined; id = accountIds[next++]) {
      try {
        await reconcile(id);
      } catch (error) {
        // The others are looked at all the same, and the next run begins with this one.
        if (isCancellation(error)) throw error;
        failed += 1;
      }
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const accounts = `${accountIds.length} accounts${failed > 0 ? `, ${failed} of them failed` : ''}`;
  const { seen, repaired, differing, resolved, skipped } = total;
  return `${accounts}: ${seen} objects, ${repaired} told to read again, ${differing} differing, ${resolved} discrepancies resolved, ${skipped} skipped`;
}

function add(total: { -readonly [K in keyof ReconcileCounts]: number }, part: ReconcileCounts): void {
  total.seen += part.seen;
  total.repaired += part.repaired;
  total.differing += part.differing;
  total.resolved += part.resolved;
  total.skipped += part.skipped;
}
