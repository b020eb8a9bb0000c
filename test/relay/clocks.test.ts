/** Every decision is made by the clock of the database: that of the process may be wrong by hours. */
import { leaseForRetry } from '../../src/stores/webhook-lanes';
import type { RetryLease } from '../../src/stores/webhook-lanes';
import { claimProbes } from '../../src/stores/webhook-probes';
import type { AttemptResult } from '../../src/domain/webhook/delivery-policy';
import { QUICK, Rig } from './rig';
import type { RigSettings } from './rig';

const HOUR_MS = 3_600_000;

let rig: Rig;
const start = async (settings: Partial<RigSettings> = {}) => {
  rig = await Rig.start(settings);
  return rig;
};
/** What the process believes the time to be. */
const skew = (ms: number) => {
  const real = Date.now.bind(Date);
  jest.spyOn(Date, 'now').mockImplementation(() => real() + ms);
};
afterEach(async () => {
  jest.restoreAllMocks();
  await rig.close();
});

const answered = (statusCode: number): AttemptResult => ({
  ...{ startedAtMs: Date.now(), durationMs: 5, statusCode, response: '', error: null, retryAfterMs: null },
});

/** A notification that a workflow carries, due in so many seconds. */
async function retrying(endpointId: string, dueInSeconds: number): Promise<string> {
  const [id = ''] = await rig.notify(endpointId, 1);
  await rig.db.query(
    `UPDATE webhook_notifications SET status = 'retrying', attempts = 1, next_retry_at = now() + make_interval(secs => $2) WHERE id = $1`,
    [id, dueInSeconds],
  );
  return id;
}

const lease = (id: string): Promise<RetryLease> => leaseForRetry(rig.db, rig.box, rig.settings, id);

async function leased(id: string) {
  const given = await lease(id);
  if (given.kind !== 'leased') throw new Error(`${given.kind} instead of a lease`);
  return given.lease;
}

test.each([-HOUR_MS, HOUR_MS])('a process %d ms off leases what is due, and nothing else', async (ms) => {
  await start();
  const endpoint = await rig.endpoint('http://127.0.0.1:9/');
  const [due, early] = [await retrying(endpoint, 0), await retrying(endpoint, 60)];
  skew(ms);
  const wait = await lease(early);
  if (wait.kind !== 'wait') throw new Error(wait.kind);
  expect(wait.pauseMs).toBeGreaterThan(50_000);
  expect(wait.pauseMs).toBeLessThanOrEqual(60_000);
  await leased(due);
  // Nobody else gets it while the lease runs, and is told for how long it does.
  const taken = await lease(due);
  if (taken.kind !== 'wait') throw new Error(taken.kind);
  expect(taken.pauseMs).toBeGreaterThan((QUICK.leaseSeconds - 2) * 1_000);
  expect(taken.pauseMs).toBeLessThanOrEqual(QUICK.leaseSeconds * 1_000);
});

test.each([-HOUR_MS, HOUR_MS])('a process %d ms off makes a pause as long as it is', async (ms) => {
  await start({ initialBackoffMs: 20_000 });
  const endpoint = await rig.endpoint('http://127.0.0.1:9/');
  const id = await retrying(endpoint, 0);
  skew(ms);
  const recorded = await rig.recorder().record([{ lease: await leased(id), result: answered(500) }]);
  expect(recorded).toMatchObject([{ status: 'retrying', attempts: 2, pauseMs: 40_000 }]);
  const { rows } = await rig.db.query<{ seconds: number }>(
    'SELECT extract(epoch FROM next_retry_at - now())::float8 AS seconds FROM webhook_notifications WHERE id = $1',
    [id],
  );
  expect(rows[0]?.seconds).toBeGreaterThan(35);
  expect(rows[0]?.seconds).toBeLessThanOrEqual(40);
});

test.each([
  ['ahead shuts no gate early', HOUR_MS, '1 second', false],
  ['behind shuts it in time', -HOUR_MS, '60 seconds', true],
])('a process an hour %s', async (_what, ms, lastSuccess, gated) => {
  await start({ gateWindowMs: 10_000 });
  const endpoint = await rig.endpoint('http://127.0.0.1:9/');
  await rig.db.query(
    `UPDATE webhook_endpoints SET failures_in_row = 19, failing_since = now() - interval '1 minute',
       last_success_at = now() - $2::interval WHERE id = $1`,
    [endpoint, lastSuccess],
  );
  const id = await retrying(endpoint, 0);
  skew(ms);
  await rig.recorder().record([{ lease: await leased(id), result: answered(500) }]);
  expect((await rig.endpointRow(endpoint))['gated_at'] !== null).toBe(gated);
});

test('a probe whose process is an hour behind does not ask with the same notification for ever', async () => {
  await start({ probeIntervalSeconds: 0 });
  const endpoint = await rig.endpoint('http://127.0.0.1:9/');
  const ids = await rig.notify(endpoint, 3);
  // A while ago: an attempt is said to have taken 5 ms, and must not have begun before the gate was shut.
  await rig.db.query(
    `UPDATE webhook_endpoints SET gated_at = now() - interval '1 s', next_probe_at = now() WHERE id = $1`,
    [endpoint],
  );
  skew(-HOUR_MS);
  const asked = new Set<string>();
  for (let i = 0; i < 3; i += 1) {
    const [probe] = await claimProbes(rig.db, rig.box, rig.settings);
    if (probe === undefined) throw new Error('no probe was due');
    asked.add(probe.job.notificationId);
    await rig.recorder().record([{ lease: probe, result: answered(500) }]);
    // The turn of the newest, each time.
    await rig.db.query('UPDATE webhook_endpoints SET probes = 0 WHERE id = $1', [endpoint]);
  }
  expect(asked).toEqual(new Set(ids));
});
