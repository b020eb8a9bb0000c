/** Statements that take several rows and do not wait for each other's endpoint lock must take them in one order. */
import { randomUUID } from 'node:crypto';
import { withTransaction } from '../../src/stores/postgres';
import { releaseWaiting } from '../../src/stores/webhook-endpoint-health';
import { endWaiting } from '../../src/stores/webhook-endings';
import { recordSuccesses } from '../../src/stores/webhook-outcomes';
import type { Attempted } from '../../src/stores/webhook-outcomes';
import { Rig } from './rig';

const ROUNDS = 12;
const ROWS = 400;

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.close());

/** Successes whose leases ran out long ago, so that somebody else has the rows too. */
function lateSuccesses(endpointId: string, ids: readonly string[]): Attempted[] {
  const { merchantId } = rig;
  return ids.map((notificationId) => ({
    lease: {
      job: {
        ...{ notificationId, eventId: notificationId, event: 'payment.success', body: '{}' },
        ...{ url: 'http://127.0.0.1:9/', attempt: 2, secrets: [] },
      },
      ...{ token: randomUUID(), endpointId, merchantId, kind: 'retry' },
    },
    result: {
      ...{ startedAtMs: Date.now(), durationMs: 5, statusCode: 200, response: '', error: null },
      retryAfterMs: null,
    },
  }));
}

/** Rows in retry, oldest first; which of them a scan meets first is up to the table. */
async function retrying(endpointId: string): Promise<string[]> {
  const ids = await rig.notify(endpointId, ROWS);
  await rig.db.query(
    `UPDATE webhook_notifications SET status = 'retrying', attempts = 1, next_retry_at = now() + interval '1 hour'
     WHERE endpoint_id = $1`,
    [endpointId],
  );
  return ids;
}

test.each(['released', 'ended'])(
  'rows that are %s while their late successes are recorded, in any order',
  async (fate) => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const endpoint = await rig.endpoint(`http://127.0.0.1:9/${round}`);
      const ids = await retrying(endpoint);
      const given = round % 2 === 0 ? [...ids].reverse() : ids;
      const halves = [given.slice(0, ROWS / 2), given.slice(ROWS / 2)];
      const outcomes = await Promise.allSettled([
        withTransaction<unknown>(rig.db, (tx) =>
          fate === 'released' ? releaseWaiting(tx, endpoint) : endWaiting(tx, endpoint, ROWS),
        ),
        recordSuccesses(rig.db, lateSuccesses(endpoint, halves.flat())),
        recordSuccesses(rig.db, lateSuccesses(endpoint, [...halves.flat()].reverse())),
      ]);
      expect(outcomes.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))).toEqual([]);
      expect(await rig.counts(endpoint)).toEqual({ success: ROWS });
    }
  },
);
