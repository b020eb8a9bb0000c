/** However a notification ends, its row says why, and operators are told. */
import { leaseForRetry } from '../../src/stores/webhook-lanes';
import { answering, Rig, until } from './rig';
import type { Receiver } from './rig';

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.close());

/** An endpoint that is deleted while its one delivery is under way. */
async function deletedMeanwhile(shop: Receiver): Promise<{ id: string; answer: (status: number) => void }> {
  let answer: (status: number) => void = () => undefined;
  shop.behaviour = (received, response) => {
    answer = (status) => answering(status)(received, response);
  };
  const endpoint = await rig.endpoint(shop.url);
  const [id = ''] = await rig.notify(endpoint, 1);
  await rig.startRelay();
  await until('under way', () => shop.received.length === 1);
  await rig.db.query('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = $1', [endpoint]);
  return { id, answer: (status) => answer(status) };
}

test.each([
  [503, 'ENDPOINT_DELETED'],
  [404, null],
])('a late %d of a deleted endpoint ends it with error %s', async (status, error) => {
  const { id, answer } = await deletedMeanwhile(await rig.receiver());
  answer(status);
  await until('ended', async () => (await rig.notification(id)).status === 'failed');
  expect(await rig.notification(id)).toMatchObject({ error, status_code: status, attempts: 1 });
  await until('noted', () => rig.failed.length === 1);
  expect(rig.failed).toMatchObject([{ notificationId: id, error, statusCode: status, attempts: 1 }]);
});

test('a late 2xx of a deleted endpoint is a success', async () => {
  const { id, answer } = await deletedMeanwhile(await rig.receiver());
  answer(200);
  await until('ended', async () => (await rig.notification(id)).status === 'success');
  expect(rig.failed).toEqual([]);
});

test('a retry that finds its endpoint deleted ends, and says what it ended', async () => {
  const endpoint = await rig.endpoint('http://127.0.0.1:9/');
  const [id = ''] = await rig.notify(endpoint, 1);
  await rig.db.query(
    `UPDATE webhook_notifications SET status = 'retrying', attempts = 2, status_code = 500 WHERE id = $1`,
    [id],
  );
  await rig.db.query('UPDATE webhook_endpoints SET deleted_at = now() WHERE id = $1', [endpoint]);
  const ended = await leaseForRetry(rig.db, rig.box, rig.settings, id);
  if (ended.kind !== 'ended') throw new Error(ended.kind);
  expect(ended.failed).toMatchObject([
    { notificationId: id, paymentNo: 'P1', attempts: 2, statusCode: 500, error: 'ENDPOINT_DELETED' },
  ]);
  expect(await rig.notification(id)).toMatchObject({ status: 'failed', error: 'ENDPOINT_DELETED' });
  // Told once.
  expect(await leaseForRetry(rig.db, rig.box, rig.settings, id)).toEqual({ kind: 'ended', failed: [] });
});
