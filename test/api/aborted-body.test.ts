/** A client that goes away before its body was read: nothing is done in its name, least of all what an empty body would mean. */
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { createApp } from '../../src/api/app';
import type { AppDeps } from '../../src/api/app';
import { defineRoute } from '../../src/api/route';

const nothing = (): void => undefined;
const BODY = '{"amount":100}';
const HEAD = `POST /t/capture HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n`;

describe.each([
  ['its whole body', HEAD + BODY],
  ['half of it', HEAD + BODY.slice(0, 5)],
  ['none of it', HEAD],
])('a client that has sent %s and goes while its key is looked up', (_, bytes) => {
  test.each(['end', 'destroy'] as const)('by %s', async (how) => {
    const done: unknown[] = [];
    let letGo = nothing;
    const lookedUp = new Promise<void>((resolve) => (letGo = resolve));
    const app = createApp({
      routes: [
        defineRoute({
          ...{
            method: 'post',
            path: '/t/capture',
            summary: 'x',
            tag: 'x',
            auth: 'admin',
            errors: [],
            responses: {},
          },
          request: { body: z.strictObject({ amount: z.int().optional() }) },
          handler: ({ body }) => {
            done.push(body);
            return Promise.resolve({ status: 200, data: {} });
          },
        }),
      ],
      logger: pino({ level: 'silent' }),
      authenticate: () => lookedUp.then(() => ({ kind: 'admin', name: 'root', role: 'admin', keyId: null })),
      idempotency: {} as AppDeps['idempotency'],
      checkSignature: () => Promise.resolve(),
      operators: { refusalOf: () => undefined, carryOut: (_route, _asked, work) => work() },
      limits: {
        beforeAuthentication: nothing,
        refuseBlocked: nothing,
        noteStranger: nothing,
        admit: () => Promise.resolve(),
      },
      observer: { works: nothing, rests: nothing, left: nothing },
    });
    const server = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1', () => client.write(bytes));
    client.on('error', nothing);
    await sleep(100);
    client[how]();
    await sleep(100);
    letGo();
    await sleep(100);
    await new Promise((resolve) => server.close(resolve));
    expect(done).toEqual([]);
  });
});
