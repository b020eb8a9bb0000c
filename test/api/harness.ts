/** The API's frame on an ephemeral port, over a database of its own, with whatever routes a test wants. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from '../../src/api/app';
import { createAuthenticate } from '../../src/api/auth';
import { createOperators } from '../../src/api/operators';
import type { Route } from '../../src/api/route';
import { adminRoutes } from '../../src/api/routes/admin';
import type { Config } from '../../src/config/config';
import { createApiKey } from '../../src/stores/api-keys';
import type { Limits } from '../../src/api/limits/limits';
import { createSignatureCheck } from '../../src/api/signing/check';
import { createMerchant } from '../../src/stores/merchants';
import type { Merchant } from '../../src/stores/merchants';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import { urlPolicyOf } from '../../src/webhooks/ssrf-guard';
import type { SecretBox } from '../../src/stores/secret-box';
import { createTestDatabase } from '../setup/test-database';
import { startLimits } from './test-limits';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: {
    code: string;
    message: string;
    data: Record<string, unknown>;
    details?: { issues?: { path: string; message: string }[] };
    request_id?: string;
  };
}

export interface ApiHarness {
  readonly config: Config;
  readonly db: Database;
  readonly box: SecretBox;
  readonly limits: Limits;
  readonly port: number;
  readonly merchant: Merchant;
  readonly merchantKey: string;
  /** What was logged so far. */
  readonly logLines: Record<string, unknown>[];
  /** Moves the clock of the key cache. */
  advanceMs(ms: number): void;
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>;
  close(): Promise<void>;
}

export interface RequestOptions {
  readonly key?: string;
  readonly json?: unknown;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
}

export type Parts = Pick<ApiHarness, 'db' | 'box' | 'config' | 'limits'>;

export async function startApi(
  routesOf: (parts: Parts) => Route[],
  waitTimeoutMs = 15_000,
  environment: Readonly<Record<string, string>> = {},
): Promise<ApiHarness> {
  const database = await createTestDatabase(environment);
  const { config } = database;
  const db = createDatabase(config, () => undefined);
  const box = createSecretBox(config.HOLDFAST_ENCRYPTION_KEYS);
  const clock = { offsetMs: 0 };
  const nowMs = (): number => Date.now() + clock.offsetMs;
  const logLines: Record<string, unknown>[] = [];
  const write = (line: string): void => void logLines.push(JSON.parse(line) as Record<string, unknown>);
  const logger = pino({ level: 'info' }, { write });
  const { limits, frame, stop: stopLimits } = await startLimits(config, logger, db);
  const app = createApp({
    routes: [
      ...adminRoutes({ db, box, webhookUrlPolicy: urlPolicyOf(config) }),
      ...routesOf({ db, box, config, limits }),
    ],
    logger,
    authenticate: createAuthenticate({ db, adminKey: config.HOLDFAST_ADMIN_KEY, nowMs }),
    idempotency: { db, box, waitTimeoutMs },
    checkSignature: createSignatureCheck({ db, box, log: logger }),
    operators: createOperators({ db, log: logger }),
    ...frame,
  });
  const server = createServer(app);
  const port = await listen(server);
  const { live } = await createMerchant(db, box, 'Harness');
  const { key } = await createApiKey(db, { merchantId: live.id, world: 'live', name: 'tests' });
  return {
    config,
    db,
    box,
    limits,
    port,
    merchant: live,
    merchantKey: key,
    logLines,
    advanceMs: (ms) => void (clock.offsetMs += ms),
    request: (method, path, options = {}) => ask(port, method, path, options),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await stopLimits();
      await db.end().catch(() => undefined);
      await database.drop();
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function ask(port: number, method: string, path: string, options: RequestOptions): Promise<Answer> {
  const { key, json, body, headers } = options;
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
  });
  const text = await response.text();
  const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : {};
  return { status: response.status, headers: response.headers, text, json: parsed as Answer['json'] };
}
