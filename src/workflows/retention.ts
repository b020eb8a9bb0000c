/** Deletes once what has been kept long enough; a Temporal Schedule starts it. */
import type { RetentionPolicy } from '../activities/retention';
import { deleteOutdatedRows } from './activity-proxies';

export async function retention(policy: RetentionPolicy): Promise<string> {
  const { events, notifications } = await deleteOutdatedRows(policy);
  return `${events} events of channels and ${notifications} given-up notifications deleted`;
}
