/** What the wire to Alipay must not do to the rest of the process, and what it can read. */
import { generateKeyPairSync } from 'node:crypto';
import { Socket } from 'node:net';
import { beijingTime, createAlipayClient } from '../../../src/channels/alipay/client';

test('loading the SDK leaves sockets alone: one error may end two of them', () => {
  const error = new Error('the agent is closed');
  const sockets = [new Socket(), new Socket()];
  for (const socket of sockets) socket.on('error', () => undefined);
  expect(() => sockets.forEach((socket) => socket.destroy(error))).not.toThrow();
});

test("times are Alipay's, whatever ours are", () => {
  expect(beijingTime(Date.UTC(2026, 11, 31, 16, 0, 5) / 1000)).toBe('2027-01-01 00:00:05');
});

describe('keys', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const spki = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const sign = (appPrivateKey: string) =>
    createAlipayClient({ appId: '2021', appPrivateKey, alipayPublicKey: spki }, '').sign('alipay.x', {}, {});

  test.each(['pkcs1', 'pkcs8'] as const)('%s as PEM and as bare base64 sign', (type) => {
    const pem = privateKey.export({ type, format: 'pem' }).toString();
    const der = privateKey.export({ type, format: 'der' }).toString('base64');
    for (const text of [pem, `${pem}\n`, der]) expect(sign(text)).toMatch(/&sign=/);
  });

  test('what is no key is said at the call, and not quoted', () => {
    expect(() => sign('no key')).toThrow('the exchange with Alipay failed');
  });
});
