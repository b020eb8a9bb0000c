/** What becomes of requests whose connection goes away. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createApiServer } from '../../src/api/server-limits';
import { eventually } from '../e2e/eventually';

const BEHIND = 20;

it('says to every answer that its client has gone, also to those that wait behind another one', async () => {
  const counted = { open: 0, closed: 0 };
  const server = createApiServer((req: IncomingMessage, res: ServerResponse) => {
    counted.open += 1;
    res.once('close', () => (counted.closed += 1));
    if (req.url !== '/never') res.end('{}');
  });
  const { http } = server;
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const client = connect(port, '127.0.0.1').on('error', () => undefined);
  const ask = (path: string) => client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  ask('/never');
  for (let n = 0; n < BEHIND; n += 1) ask(n % 2 === 0 ? '/at-once' : '/never');
  await eventually(
    'all have come',
    () => Promise.resolve(counted.open),
    (open) => open === BEHIND + 1,
  );
  expect(counted.closed).toBe(0);
  client.destroy();
  await eventually(
    'all are closed',
    () => Promise.resolve(counted.closed),
    (closed) => closed === BEHIND + 1,
    2_000,
  );
  await server.drain(1_000);
  expect(counted).toEqual({ open: BEHIND + 1, closed: BEHIND + 1 });
});
