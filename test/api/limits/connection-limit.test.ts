/** One address may have so many connections open, and no more; the others go on. */
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { createAddressOf } from '../../../src/api/limits/client-address';
import { createConnectionLimit } from '../../../src/api/limits/connection-limit';
import { createApiServer } from '../../../src/api/server-limits';
import type { ApiServer } from '../../../src/api/server-limits';
import { eventually } from '../../e2e/eventually';

const LIMIT = 5;

let server: ApiServer;
let refused: number;
let clients: Socket[];

async function start(trusted: readonly string[] = []): Promise<void> {
  [refused, clients] = [0, []];
  const limit = createConnectionLimit(createAddressOf(trusted), LIMIT, () => (refused += 1));
  server = createApiServer((_, res) => res.end('{}'), {}, limit);
  await new Promise<void>((resolve) => server.http.listen(0, '127.0.0.1', resolve));
}
afterEach(async () => {
  for (const client of clients) client.destroy();
  await server.drain(1_000);
});

/** @returns whether it was answered */
function open(localAddress = '127.0.0.1'): Promise<boolean> {
  const { port } = server.http.address() as AddressInfo;
  return new Promise((resolve) => {
    const client = connect({ port, host: '127.0.0.1', localAddress }, () =>
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'),
    );
    clients.push(client);
    client.once('data', () => resolve(true));
    client.once('close', () => resolve(false));
    client.on('error', () => undefined);
  });
}
const openMany = async (count: number, from?: string) => {
  const answered: boolean[] = [];
  for (let n = 0; n < count; n += 1) answered.push(await open(from));
  return answered.filter(Boolean).length;
};

it('closes what is beyond the limit at once, and counts each address by itself', async () => {
  await start();
  expect(await openMany(LIMIT + 3)).toBe(LIMIT);
  expect(refused).toBe(3);
  expect(await openMany(LIMIT + 1, '127.0.0.2')).toBe(LIMIT);
  expect(refused).toBe(4);
});

it('gives a place back when its connection is closed, whoever closes it', async () => {
  await start();
  expect(await openMany(LIMIT)).toBe(LIMIT);
  clients[0]?.destroy();
  clients[1]?.end();
  await eventually('a place', open, (isOpen) => isOpen);
  await eventually('another', open, (isOpen) => isOpen);
  const before = refused;
  expect(await openMany(2)).toBe(0);
  expect(refused).toBe(before + 2);
});

it('does not count a trusted proxy, whose connections are those of many', async () => {
  await start(['127.0.0.0/8']);
  expect(await openMany(3 * LIMIT)).toBe(3 * LIMIT);
  expect(refused).toBe(0);
});

it('takes an IPv6 /64 for one address, and forgets who has none', () => {
  const limit = createConnectionLimit(createAddressOf([]), 2, () => undefined);
  const closing: (() => void)[] = [];
  const from = (remoteAddress: string) =>
    limit({ remoteAddress, once: (_: string, end: () => void) => closing.push(end) } as unknown as Socket);
  expect([from('2001:db8::1'), from('2001:db8::2'), from('2001:db8::3')]).toEqual([true, true, false]);
  expect(from('2001:db8:0:1::1')).toBe(true);
  closing.forEach((end) => end());
  expect([from('2001:db8::1'), from('2001:db8::2'), from('2001:db8::3')]).toEqual([true, true, false]);
});
