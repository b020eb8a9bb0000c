/** Sweeps the notifications once; a Temporal Schedule starts it. The steps do not depend on each other. */
import { deleteOutdated, endUndeliverable, startOverdueRetries } from './webhook-activity-proxies';

export async function webhookSweep(): Promise<string> {
  const [started, ended, deleted] = await Promise.all([
    said(
      startOverdueRetries(),
      ({ overdue, started }) => `${started} of ${overdue} overdue retries taken up`,
    ),
    said(endUndeliverable(), (count) => `${count.deleted + count.disabled} ended as undeliverable`),
    said(
      deleteOutdated(),
      ({ notifications, leases, endpoints }) =>
        `${notifications} delivered ones, ${leases} leases and ${endpoints} endpoints deleted`,
    ),
  ]);
  return [started, ended, deleted].join('; ');
}

/** A step that fails is named in the result, and the next run is another chance: it must not fail the others. */
async function said<T>(step: Promise<T>, tell: (result: T) => string): Promise<string> {
  try {
    return tell(await step);
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  }
}
