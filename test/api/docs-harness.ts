/** The API's frame without a database, for what asks none: documents, and how refusals are told. */
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from '../../src/api/app';
import type { AppDeps } from '../../src/api/app';
import type { Route } from '../../src/api/route';

export interface BareApi {
  readonly url: string;
  ask(path: string, init?: RequestInit): Promise<{ status: number; headers: Headers; text: string }>;
  close(): Promise<void>;
}

const nothing = (): void => undefined;

export async function startBareApi(routes: readonly Route[]): Promise<BareApi> {
  const app = createApp({
    routes,
    logger: pino({ level: 'silent' }),
    authenticate: () => Promise.resolve(undefined),
    idempotency: {} as AppDeps['idempotency'],
    checkSignature: () => Promise.resolve(),
    operators: { refusalOf: () => undefined, carryOut: (_route, _asked, work) => work() },
    limits: {
      ...{ beforeAuthentication: nothing, refuseBlocked: nothing, noteStranger: nothing },
      admit: () => Promise.resolve(),
    },
    observer: { works: nothing, rests: nothing, left: nothing },
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    ask: async (path, init) => {
      const response = await fetch(url + path, init);
      return { status: response.status, headers: response.headers, text: await response.text() };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
