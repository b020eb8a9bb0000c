/** An endpoint gets another address while a delivery to the old one is under way. */
import { Rig, until } from './rig';

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.close());

test('a 410 from the old address leaves the new one on', async () => {
  const [old, moved] = [await rig.receiver(), await rig.receiver()];
  let answer: () => void = () => undefined;
  old.behaviour = (_received, response) => {
    answer = () => void response.writeHead(410).end();
  };
  const endpoint = await rig.endpoint(old.url);
  const [id = ''] = await rig.notify(endpoint, 1);
  await rig.startRelay();
  await until('under way', () => old.received.length === 1);
  await rig.db.query('UPDATE webhook_endpoints SET url = $2 WHERE id = $1', [endpoint, moved.url]);
  answer();
  await until('ended', async () => (await rig.notification(id)).status === 'failed');
  expect(await rig.endpointRow(endpoint)).toMatchObject({ enabled: true, failures_in_row: 0 });
  await rig.notify(endpoint, 3);
  await until('the new address', () => moved.received.length === 3);
});

test('what fails at the old address while the endpoint moves is tried at the new one at once', async () => {
  const [old, moved] = [await rig.receiver(), await rig.receiver()];
  let answer: () => void = () => undefined;
  old.behaviour = (_received, response) => {
    answer = () => void response.writeHead(503, { 'retry-after': '3000' }).end();
  };
  const endpoint = await rig.endpoint(old.url);
  const [id = ''] = await rig.notify(endpoint, 1);
  await rig.startRelay();
  await until('under way', () => old.received.length === 1);
  await rig.db.query('UPDATE webhook_endpoints SET url = $2 WHERE id = $1', [endpoint, moved.url]);
  answer();
  await until('recorded', async () => (await rig.notification(id)).attempts === 1);
  const { rows } = await rig.db.query<{ due: boolean }>(
    'SELECT next_retry_at <= now() AS due FROM webhook_notifications WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ due: true }]);
});
