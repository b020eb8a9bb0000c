/** A transaction after which merchants may have to be told something. */
import type { PoolClient } from 'pg';
import { takeNews } from '../stores/outbox';
import { withTransaction } from '../stores/postgres';
import type { ActivityDeps } from './deps';

export async function changing<T>(deps: ActivityDeps, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const { outcome, hasNews } = await withTransaction(deps.db, async (tx) => {
    const done = await work(tx);
    return { outcome: done, hasNews: takeNews(tx) };
  });
  if (hasNews) deps.ringOutbox();
  return outcome;
}
