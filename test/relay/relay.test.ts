/** The relay: what it sends, how many at once, and what becomes of an endpoint that does not answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { withTransaction } from '../../src/stores/postgres';
import { readDefaultSecret, rotateDefaultSecret } from '../../src/stores/webhook-default-secret';
import { leaseForRetry } from '../../src/stores/webhook-lanes';
import { signBody } from '../../src/webhooks/sign';
import { answering, hanging, ok, Rig, until } from './rig';
import type { RigSettings } from './rig';

let rig: Rig;
const start = async (settings: Partial<RigSettings> = {}) => {
  rig = await Rig.start(settings);
  return rig;
};
afterEach(() => rig.close());

describe('a receiver that answers', () => {
  test('gets every notification once, each recorded with its attempt', async () => {
    const { db } = await start();
    const shop = await rig.receiver();
    const endpoint = await rig.endpoint(shop.url);
    const ids = await rig.notify(endpoint, 300);
    await rig.startRelay();
    await until('all delivered', async () => (await rig.counts(endpoint)).success === 300);
    expect(shop.received).toHaveLength(300);
    expect(shop.ids()).toEqual(new Set(ids));
    const { rows } = await db.query(
      `SELECT count(*) AS n, count(DISTINCT notification_id) AS of FROM webhook_attempts WHERE kind = 'first' AND attempt = 1 AND status_code = 200`,
    );
    expect(rows[0]).toEqual({ n: 300, of: 300 });
    expect((await db.query('SELECT 1 FROM webhook_leases')).rowCount).toBe(0);
  });

  test('is never sent more at once than its limit, by three relays', async () => {
    await start();
    const shop = await rig.receiver();
    let atOnce = 0;
    let most = 0;
    shop.behaviour = (_received, response) => {
      most = Math.max(most, ++atOnce);
      setTimeout(() => {
        atOnce -= 1;
        response.writeHead(200).end();
      }, 15);
    };
    const endpoint = await rig.endpoint(shop.url);
    await rig.notify(endpoint, 200);
    await Promise.all([rig.startRelay(), rig.startRelay(), rig.startRelay()]);
    await until('all delivered', async () => (await rig.counts(endpoint)).success === 200);
    expect(shop.received).toHaveLength(200);
    expect(most).toBeGreaterThan(5);
    expect(most).toBeLessThanOrEqual(10);
  });

  test('hears of a new notification at the ring, not at the next poll', async () => {
    await start();
    const shop = await rig.receiver();
    const endpoint = await rig.endpoint(shop.url);
    await rig.startRelay();
    await sleep(1_500);
    const before = Date.now();
    await rig.notify(endpoint, 1);
    await rig.db.query('NOTIFY holdfast_outbox');
    await until('delivered', () => shop.received.length === 1);
    expect((shop.received[0]?.atMs ?? Infinity) - before).toBeLessThan(500);
  });
});

describe('a receiver that fails', () => {
  test('has at most so many notifications carried by workflows; the relay carries the others', async () => {
    await start({ maxInRetryPerEndpoint: 5, gateWindowMs: 3_600_000 });
    const shop = await rig.receiver();
    const endpoint = await rig.endpoint(shop.url);
    // One success, so that the gate stays open for its window.
    const [first] = await rig.notify(endpoint, 1);
    await rig.startRelay();
    await until('the first', async () => (await rig.notification(first ?? '')).status === 'success');
    shop.behaviour = answering(503);
    await rig.notify(endpoint, 40, { maxAttempts: 3 });
    await until('40 tried', () => shop.ids().size === 41);
    await until('5 in retry', () => rig.started.length >= 5);
    const counts = await rig.counts(endpoint);
    expect(counts.retrying).toBe(5);
    // Those the relay carries run their ladder to the end: 3 attempts each, and are given up.
    await until('35 given up', async () => (await rig.counts(endpoint)).failed === 35);
    expect(rig.failed).toHaveLength(35);
    expect(rig.failed[0]).toMatchObject({ attempts: 3, statusCode: 503 });
    expect(new Set(rig.started.map(({ notificationId }) => notificationId)).size).toBe(5);
  });

  test('is gated after 20 failures, probed, and served at once when it answers again', async () => {
    await start({ maxInRetryPerEndpoint: 10 });
    const shop = await rig.receiver();
    shop.behaviour = answering(500);
    const endpoint = await rig.endpoint(shop.url);
    await rig.notify(endpoint, 100);
    await rig.startRelay();
    await until('the gate', async () => (await rig.endpointRow(endpoint)).gated_at !== null);
    await sleep(300);
    const atGate = shop.received.length;
    expect(atGate).toBeLessThanOrEqual(20 + 2 * 10 + 1);
    await sleep(2_000);
    // A probe each half second, and nothing else.
    expect(shop.received.length - atGate).toBeGreaterThanOrEqual(2);
    expect(shop.received.length - atGate).toBeLessThanOrEqual(5);
    expect((await rig.counts(endpoint)).failed).toBeUndefined();
    shop.behaviour = ok;
    await until('everything', async () => (await rig.counts(endpoint)).success === 100, 5_000);
    const row = await rig.endpointRow(endpoint);
    expect(row).toMatchObject({ gated_at: null, next_probe_at: null, failures_in_row: 0, ramp: null });
    expect(rig.woken.length).toBe(rig.started.length);
  });

  test('a hanging endpoint holds its own places only', async () => {
    await start({ timeoutMs: 1_500 });
    const [bad, good] = [await rig.receiver(), await rig.receiver()];
    bad.behaviour = hanging;
    const badEndpoint = await rig.endpoint(bad.url);
    const goodEndpoint = await rig.endpoint(good.url);
    await rig.notify(badEndpoint, 100);
    await rig.startRelay();
    await until('it hangs', () => bad.received.length === 10);
    const before = Date.now();
    await rig.notify(goodEndpoint, 100);
    await rig.db.query('NOTIFY holdfast_outbox');
    await until('good ones', async () => (await rig.counts(goodEndpoint)).success === 100);
    expect(Date.now() - before).toBeLessThan(1_200);
  });

  test('410 switches the endpoint off and what follows waits', async () => {
    await start();
    const [gone, other] = [await rig.receiver(), await rig.receiver()];
    gone.behaviour = answering(410);
    const endpoint = await rig.endpoint(gone.url);
    await rig.endpoint(other.url);
    const [first] = await rig.notify(endpoint, 1);
    await rig.startRelay();
    await until('off', async () => (await rig.endpointRow(endpoint)).enabled === false);
    expect(await rig.endpointRow(endpoint)).toMatchObject({ disabled_reason: 'GONE' });
    expect(await rig.notification(first ?? '')).toMatchObject({
      status: 'failed',
      status_code: 410,
      attempts: 1,
    });
    await until('the other is told', () =>
      other.received.some(({ event }) => event === 'webhook.endpoint_disabled'),
    );
    await rig.notify(endpoint, 3);
    await sleep(500);
    expect(gone.received).toHaveLength(1);
    expect(await rig.counts(endpoint)).toEqual({ failed: 1, pending: 3 });
  });
});

test('after a rotation of the default secret both sign for implicit endpoints', async () => {
  await start();
  const shop = await rig.receiver();
  const endpoint = await rig.endpoint(new URL(shop.url).origin);
  await rig.db.query(`UPDATE webhook_endpoints SET kind = 'implicit' WHERE id = $1`, [endpoint]);
  await withTransaction(rig.db, (tx) => rotateDefaultSecret(tx, rig.box, rig.merchantId));
  const { secret } = await readDefaultSecret(rig.db, rig.box, rig.merchantId);
  await rig.notify(endpoint, 1);
  await rig.startRelay();
  await until('delivered', () => shop.received.length === 1);
  const { headers = {}, body = '' } = shop.received[0] ?? {};
  for (const known of [secret, rig.webhookSecret]) {
    const given = headers as Record<string, string>;
    expect(new Webhook(known).verify(body, given)).toEqual({ n: 1 });
  }
  // The header with room for one has the one that every receiver has.
  expect(headers['x-webhook-signature']).toBe(signBody(body, rig.webhookSecret));
  await rig.db.query(`UPDATE merchants SET previous_webhook_secret_until = now() WHERE id = $1`, [
    rig.merchantId,
  ]);
  await rig.notify(endpoint, 1);
  await rig.db.query('NOTIFY holdfast_outbox');
  await until('the next', () => shop.received.length === 2);
  expect(shop.received[1]?.headers['x-webhook-signature']).toBe(signBody(body, secret));
});

describe('what must not hold up others', () => {
  test('an endpoint whose secret cannot be opened', async () => {
    await start();
    const [bad, good] = [await rig.receiver(), await rig.receiver()];
    const badEndpoint = await rig.endpoint(bad.url);
    await rig.db.query(`UPDATE webhook_endpoints SET secret_sealed = 'gone:AAAA' WHERE id = $1`, [
      badEndpoint,
    ]);
    const goodEndpoint = await rig.endpoint(good.url);
    const [poor = ''] = await rig.notify(badEndpoint, 5);
    await rig.notify(goodEndpoint, 20);
    await rig.startRelay();
    await until('good ones', async () => (await rig.counts(goodEndpoint)).success === 20);
    await until('said so', async () => (await rig.notification(poor)).error === 'SECRET_UNREADABLE');
    expect(bad.received).toHaveLength(0);
  });

  test('an endpoint whose row somebody keeps locked', async () => {
    await start();
    const [slow, good] = [await rig.receiver(), await rig.receiver()];
    const slowEndpoint = await rig.endpoint(slow.url);
    const goodEndpoint = await rig.endpoint(good.url);
    let answer: () => void = () => undefined;
    slow.behaviour = (_received, response) => {
      answer = () => void response.writeHead(200).end();
    };
    await rig.notify(slowEndpoint, 1);
    await rig.startRelay();
    await until('the slow one has it', () => slow.received.length === 1);
    const holder = await rig.db.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM webhook_endpoints WHERE id = $1 FOR UPDATE', [slowEndpoint]);
      answer();
      await sleep(300);
      await rig.notify(goodEndpoint, 20);
      await until('good ones', async () => (await rig.counts(goodEndpoint)).success === 20, 3_000);
    } finally {
      await holder.query('ROLLBACK');
      holder.release();
    }
    await until('the slow one', async () => (await rig.counts(slowEndpoint)).success === 1);
  });

  test('a merchant with more hanging endpoints than a process has places', async () => {
    await start({ maxInFlight: 40, timeoutMs: 2_000 });
    const [bad, good] = [await rig.receiver(), await rig.receiver()];
    bad.behaviour = hanging;
    for (let i = 0; i < 8; i += 1) await rig.notify(await rig.endpoint(`${bad.url}/${i}`), 10);
    await rig.startRelay();
    await until('as many hang as one merchant may have', () => bad.received.length >= 10);
    const other = await rig.otherMerchantsEndpoint(good.url);
    const before = Date.now();
    await rig.notify(other, 1);
    await until('delivered', () => good.received.length === 1);
    expect(Date.now() - before).toBeLessThan(1_500);
  });
});

describe('leases', () => {
  test('what an operator wants early is in the audit, once', async () => {
    await start({ leaseSeconds: 5, timeoutMs: 200, maxInFlight: 1 });
    const [id = ''] = await rig.notify(await rig.endpoint((await rig.receiver()).url), 1);
    await rig.db.query(
      `UPDATE webhook_notifications SET status = 'retrying', attempts = 1, next_retry_at = now() + interval '1 hour' WHERE id = $1`,
      [id],
    );
    const lease = (early: boolean) => leaseForRetry(rig.db, rig.box, rig.settings, id, early);
    for (const [early, kind] of [
      [false, 'wait'],
      [true, 'leased'],
      [true, 'wait'],
    ] as const)
      expect([early, (await lease(early)).kind]).toEqual([early, kind]);
    const { rows } = await rig.db.query(
      'SELECT actor, action, entity FROM admin_audit WHERE entity_id = $1',
      [id],
    );
    expect(rows).toEqual([{ actor: 'temporal', action: 'signal.retry_now', entity: 'notification' }]);
  });

  test('a late failure changes nothing, a late success counts', async () => {
    await start({ leaseSeconds: 0.2, timeoutMs: 200, maxInFlight: 1 });
    const shop = await rig.receiver();
    const endpoint = await rig.endpoint(shop.url);
    const [id = ''] = await rig.notify(endpoint, 1);
    await rig.db.query(`UPDATE webhook_notifications SET status = 'retrying', attempts = 1 WHERE id = $1`, [
      id,
    ]);
    const first = await leaseForRetry(rig.db, rig.box, rig.settings, id);
    if (first.kind !== 'leased') throw new Error(first.kind);
    expect((await leaseForRetry(rig.db, rig.box, rig.settings, id)).kind).toBe('wait');
    await sleep(300);
    const second = await leaseForRetry(rig.db, rig.box, rig.settings, id);
    if (second.kind !== 'leased') throw new Error(second.kind);
    const recorder = rig.recorder();
    const answered = (statusCode: number) => ({
      startedAtMs: Date.now(),
      durationMs: 5,
      statusCode,
      response: '',
      error: null,
      retryAfterMs: null,
    });
    expect(await recorder.record([{ lease: first.lease, result: answered(404) }])).toEqual([]);
    expect(await rig.notification(id)).toMatchObject({ status: 'retrying', attempts: 1 });
    const failed = await recorder.record([{ lease: second.lease, result: answered(404) }]);
    expect(failed).toMatchObject([{ status: 'failed', attempts: 2 }]);
    const late = await recorder.record([{ lease: first.lease, result: answered(200) }]);
    expect(late).toMatchObject([{ status: 'success' }]);
    expect(await recorder.record([{ lease: second.lease, result: answered(200) }])).toEqual([]);
  });
});
