/** API processes that check signatures, several in one, each with a pool and a key cache of its own; and a merchant that signs. */
import { createHash, createHmac, randomUUID } from 'node:crypto';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { z } from 'zod';
import { createApp } from '../../../src/api/app';
import { createAuthenticate } from '../../../src/api/auth';
import { createOperators } from '../../../src/api/operators';
import { defineRoute } from '../../../src/api/route';
import type { Route } from '../../../src/api/route';
import { requestSigningRoutes } from '../../../src/api/routes/request-signing';
import { createSignatureCheck } from '../../../src/api/signing/check';
import { createApiKey } from '../../../src/stores/api-keys';
import { createMerchant } from '../../../src/stores/merchants';
import { createDatabase } from '../../../src/stores/postgres';
import type { Database } from '../../../src/stores/postgres';
import { createSecretBox } from '../../../src/stores/secret-box';
import { createTestDatabase } from '../../setup/test-database';
import { startLimits } from '../test-limits';

export const SIGNING = '/api/v1/request-signing';

export interface Merchant {
  readonly id: string;
  readonly key: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly json: { code: string; data: Record<string, unknown>; details?: Record<string, unknown> };
}

export interface Sent {
  readonly method: string;
  readonly target: string;
  readonly body?: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Process {
  readonly url: string;
  readonly db: Database;
  send(sent: Sent): Promise<Answer>;
}

export interface SigningRig {
  readonly processes: readonly [Process, Process];
  readonly adminKey: string;
  readonly logLines: readonly string[];
  /** Moves the clocks of both processes. */
  advanceMs(ms: number): void;
  nowSeconds(): number;
  newMerchant(): Promise<Merchant>;
  close(): Promise<void>;
}

/** Routes that take a body, and none. */
function echoRoutes(): Route[] {
  const common = { tag: 'Test', auth: 'merchant', errors: [], responses: {}, summary: 'Echo' } as const;
  const done = () => Promise.resolve({ status: 200, data: {} });
  const body = z.looseObject({});
  return [
    defineRoute({ ...common, method: 'get', path: '/t/echo', request: {}, handler: done }),
    defineRoute({ ...common, method: 'get', path: '/t/other', request: {}, handler: done }),
    defineRoute({ ...common, method: 'delete', path: '/t/echo', request: {}, handler: done }),
    defineRoute({ ...common, method: 'post', path: '/t/bare', request: {}, handler: done }),
    defineRoute({
      ...{ ...common, method: 'post', path: '/t/echo' },
      request: { body: z.strictObject({ amount: z.int().optional(), text: z.string().optional() }) },
      handler: (given) => Promise.resolve({ status: 200, data: body.parse(given.body) }),
    }),
  ];
}

export async function startSigningRig(): Promise<SigningRig> {
  const database = await createTestDatabase();
  const { config } = database;
  const box = createSecretBox(config.HOLDFAST_ENCRYPTION_KEYS);
  const logLines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void logLines.push(line) });
  let offsetMs = 0;
  const nowMs = () => Date.now() + offsetMs;
  const stops: (() => Promise<void>)[] = [];

  async function startProcess(): Promise<Process> {
    const db = createDatabase(config, () => undefined);
    const adminKey = config.HOLDFAST_ADMIN_KEY;
    const limits = await startLimits(config, logger, db);
    const app = createApp({
      routes: [...requestSigningRoutes({ db, box }), ...echoRoutes()],
      logger,
      authenticate: createAuthenticate({ db, adminKey, nowMs }),
      idempotency: { db, box, waitTimeoutMs: 5_000 },
      checkSignature: createSignatureCheck({ db, box, log: logger, nowMs }),
      operators: createOperators({ db, log: logger }),
      ...limits.frame,
    });
    const server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    stops.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await limits.stop();
      await db.end();
    });
    return { url: `http://127.0.0.1:${port}`, db, send: (sent) => send(port, sent) };
  }

  const processes = [await startProcess(), await startProcess()] as const;
  return {
    ...{ processes, logLines, adminKey: config.HOLDFAST_ADMIN_KEY },
    advanceMs: (ms) => void (offsetMs += ms),
    nowSeconds: () => Math.floor(nowMs() / 1000),
    async newMerchant() {
      const { db } = processes[0];
      const { live } = await createMerchant(db, box, 'Signing');
      const { key } = await createApiKey(db, { merchantId: live.id, world: 'live', name: 'tests' });
      return { id: live.id, key };
    },
    async close() {
      await Promise.all(stops.map((stop) => stop()));
      await database.drop();
    },
  };
}

/** The request line and the body go out exactly as given. */
function send(port: number, { method, target, body = '', headers = {} }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body);
    const length = bytes.length > 0 ? { 'content-length': String(bytes.length) } : {};
    const sending = request({ port, method, path: target, headers: { ...headers, ...length } }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (part: string) => (text += part));
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text, json: JSON.parse(text) as never }));
    });
    sending.on('error', reject).end(bytes);
  });
}

export interface Signed extends Sent {
  readonly key: string;
  readonly secret: string;
  /** Unix seconds. */
  readonly timestamp: number | string;
  readonly nonce?: string;
}

/** Written after docs/signing.md, not after what checks it. */
export function signed({ key, secret, timestamp, nonce = randomUUID(), ...sent }: Signed): Sent {
  const hash = createHash('sha256')
    .update(sent.body ?? '')
    .digest('hex');
  const text = [timestamp, nonce, sent.method, sent.target, hash].join('.');
  const mac = createHmac('sha256', secret).update(text).digest('hex');
  return {
    ...sent,
    headers: {
      authorization: `Bearer ${key}`,
      ...((sent.body ?? '').length > 0 && { 'content-type': 'application/json' }),
      'x-holdfast-timestamp': String(timestamp),
      'x-holdfast-nonce': nonce,
      'x-holdfast-signature': `v1=${mac}`,
      ...sent.headers,
    },
  };
}
