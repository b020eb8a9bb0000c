/** A second outbox on the same servers, with many notifications that were delivered long ago, and a worker of its own. */
import { createDatabaseIfMissing, migrateDatabase, withClient } from '../dev/stack/database';
import { startService } from '../dev/stack/node-services';
import { freePort } from '../dev/stack/ports';
import { note, took } from '../dev/terminal';
import { loadConfig } from '../src/config/config';
import { addEndpoint, openOutbox } from './webhooks-site';
import type { Outbox, Site } from './webhooks-site';

const DATABASE = 'grown';
/** Endpoints the old rows belong to. */
const OLD_ENDPOINTS = 1_000;
const OLD_RECEIVER = 'https://old.example.com';

// Of the last 20 days, younger than what retention deletes, and like rows that were delivered at the first attempt.
const FILL = `
INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, status, attempts,
  max_attempts, status_code, response, succeeded_at, created_at, updated_at, next_retry_at, rank, last_attempt_at)
SELECT gen_random_uuid(), gen_random_uuid(), old.ids[1 + n % array_length(old.ids, 1)], $1::uuid, 'OLD' || n, 'payment.success',
  '${OLD_RECEIVER}', b.body::jsonb, b.body, 'success', 1, 6, 200, 'ok', at, at, at, at, at, at
FROM generate_series(1, $2::int) n
CROSS JOIN LATERAL (SELECT now() - interval '20 days' * (n::float8 / $2::int) AS at) times
CROSS JOIN LATERAL (SELECT rpad('{"payment_no":"' || n || '","note":"', 498, 'x') || '"}' AS body) b
CROSS JOIN (SELECT array_agg(id) AS ids FROM webhook_endpoints WHERE url = '${OLD_RECEIVER}') old`;
const FILL_ATTEMPTS = `
INSERT INTO webhook_attempts (notification_id, attempt, kind, url, started_at, duration_ms, status_code, response)
SELECT id, 1, 'first', url, succeeded_at, 5, 200, 'ok' FROM webhook_notifications`;

/** Runs `work` with an outbox of `oldRows` delivered notifications and an endpoint to tell. */
export async function withGrownOutbox(
  { stack, dataDir, receiverOrigin }: Site,
  oldRows: number,
  work: (grown: Outbox, endpointId: string) => Promise<void>,
): Promise<void> {
  const environment = { ...stack.environment, DB_NAME: DATABASE };
  const config = loadConfig(environment);
  await createDatabaseIfMissing(config, DATABASE);
  await migrateDatabase({ ...process.env, ...environment });
  const port = await freePort();
  const worker = await startService('webhooks', 'webhooks-grown', {
    dataDir,
    port,
    report: note,
    // A queue of its own: a retry of one database means nothing to the worker of another.
    environment: {
      ...process.env,
      ...environment,
      WORKER_HEALTH_PORT: String(port),
      WEBHOOKS_TASK_QUEUE: 'webhooks-grown',
    },
  });
  try {
    const grown = await openOutbox(environment, DATABASE, worker);
    try {
      const startedAt = Date.now();
      for (let i = 0; i < OLD_ENDPOINTS; i += 1) await addEndpoint(grown, OLD_RECEIVER);
      await withClient(config, DATABASE, async (client) => {
        await client.query(FILL, [grown.merchantId, oldRows]);
        await client.query(FILL_ATTEMPTS);
        await client.query('VACUUM (ANALYZE)');
        await client.query('CHECKPOINT');
      });
      note(`${oldRows} old notifications written (${took(startedAt)})`);
      await work(grown, await addEndpoint(grown, `${receiverOrigin}/grown`));
    } finally {
      await grown.db.end();
    }
  } finally {
    await worker.stop();
  }
}
