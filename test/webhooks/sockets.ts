/** Receivers on real sockets, and attempts at them. Everything is closed after each test. */
import { createServer as createHttpServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { AttemptResult, DeliveryJob } from '../../src/domain/webhook/delivery-policy';
import { sendAttempt } from '../../src/webhooks/attempt';
import type { AttemptDeps } from '../../src/webhooks/attempt';
import { createGuardedAgent } from '../../src/webhooks/guarded-agent';
import type { GuardedAgentSettings } from '../../src/webhooks/guarded-agent';

/** 127.0.0.1 plays the public address; every other one of loopback is out of bounds. */
export const POLICY = { production: false, allowedCidrs: '127.0.0.1/32' };

const closers: (() => Promise<unknown>)[] = [];
export const afterTest = (close: () => Promise<unknown>) => closers.push(close);

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

export async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  afterTest(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** A receiver that speaks HTTP. @returns its port */
export function receive(listener: RequestListener, host?: string, port?: number): Promise<number> {
  return listen(createHttpServer(listener), host, port);
}

/** A receiver that may do anything once the first bytes of a request are in. @returns its port */
export function receiveRaw(onRequest: (socket: Socket) => void): Promise<number> {
  return listen(createTcpServer((socket) => socket.once('data', () => onRequest(socket))));
}

export function openAgent(settings: Partial<GuardedAgentSettings> = {}): AttemptDeps['agent'] {
  const agent = createGuardedAgent({ urlPolicy: POLICY, ...settings });
  afterTest(() => agent.destroy());
  return agent;
}

export const job = (url: string, other: Partial<DeliveryJob> = {}): DeliveryJob => ({
  notificationId: 'c5f8a3e0-0000-4000-8000-000000000001',
  eventId: 'c5f8a3e0-0000-5000-8000-000000000002',
  event: 'payment.success',
  body: '{"amount":1}',
  url,
  attempt: 1,
  secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  ...other,
});

export function attempt(
  url: string,
  deps: Partial<AttemptDeps> = {},
  other: Partial<DeliveryJob> = {},
): Promise<AttemptResult> {
  const agent = deps.agent ?? openAgent();
  return sendAttempt(job(url, other), { urlPolicy: POLICY, timeoutMs: 5_000, now: Date.now, ...deps, agent });
}
