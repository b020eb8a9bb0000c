/** Four API processes on a PostgreSQL and a Redis of their own, any of which may be killed, and a merchant who asks too much. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Pool, PoolClient } from 'pg';
import { Agent } from 'undici';
import { createDemoMerchant } from '../../dev/demo-client';
import type { DemoMerchant } from '../../dev/demo-client';
import { temporaryDataDir } from '../../dev/stack/paths';
import { startStack } from '../../dev/stack/stack';
import type { Stack } from '../../dev/stack/stack';
import { createDatabase } from '../../src/stores/postgres';

export const API_COUNT = 4;
export const LEASE_SECONDS = 3;
const READ_PATH = '/api/v1/pre-auth/no-such-hold';
const REQUEST_TIMEOUT_MS = 30_000;

export interface Reply {
  /** 0: no answer. */
  readonly status: number;
  readonly window?: string;
}

/** What a merchant may ask; a name that is missing stays the starter tier's. */
export type OwnLimits = Readonly<Record<string, number>>;

export async function startTown(): Promise<Town> {
  const stack = await startStack({
    dataDir: temporaryDataDir('limits'),
    ports: 'free',
    temporary: true,
    headlessUi: true,
    only: ['postgres', 'redis', 'api'],
    apiCount: API_COUNT,
    environment: {
      LOG_LEVEL: 'info',
      // Each finds a port of its own, and its log says which.
      API_METRICS_ADDRESS: '127.0.0.1:0',
      RATE_LIMIT_MULTIPLIER: '1',
      RATE_LIMIT_LEASE_SECONDS: String(LEASE_SECONDS),
      // A machine that is busy with four processes is not a Redis that is slow.
      RATE_LIMIT_TIMEOUT: '1',
    },
  });
  const town = new Town(stack);
  try {
    await town.prepare();
    return town;
  } catch (error) {
    await town.stop();
    throw error;
  }
}

export class Town {
  readonly db: Pool;
  readonly redis: Redis;
  readonly agent = new Agent({ connections: 400, pipelining: 1 });
  merchant!: DemoMerchant;

  constructor(readonly stack: Stack) {
    const { environment } = stack;
    const text = (name: string) => environment[name] ?? '';
    this.db = createDatabase(
      {
        ...{ DB_HOST: text('DB_HOST'), DB_PORT: Number(text('DB_PORT')), DB_USER: text('DB_USER') },
        ...{ DB_PASSWORD: text('DB_PASSWORD'), DB_NAME: text('DB_NAME'), DB_SSL: false, DB_POOL_SIZE: 5 },
      },
      () => undefined,
    );
    this.redis = new Redis(Number(text('REDIS_PORT')), text('REDIS_HOST'), { lazyConnect: true });
    this.redis.on('error', () => undefined); // it is killed here
  }

  async prepare(): Promise<void> {
    await this.redis.connect();
    const adminKey = this.stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
    this.merchant = await createDemoMerchant(this.urlOf(0), adminKey, 'Too Much');
    for (let at = 0; at < API_COUNT; at += 1) await this.read(at);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
    await this.agent.destroy();
    await this.db.end();
    await this.stack.stop();
  }

  urlOf(at: number): string {
    return `http://127.0.0.1:${this.stack.apis[at]?.address.port}`;
  }

  /** Another merchant, of the starter tier with limits of its own. @returns its id and its key */
  async newMerchant(own: OwnLimits): Promise<DemoMerchant> {
    const adminKey = this.stack.environment['HOLDFAST_ADMIN_KEY'] ?? '';
    const merchant = await createDemoMerchant(this.urlOf(0), adminKey, 'Too Much');
    const response = await fetch(`${this.urlOf(0)}/api/v1/admin/merchants/${merchant.merchantId}/limits`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tier: 'starter', overrides: own }),
    });
    if (!response.ok) throw new Error(`the limits were refused: ${await response.text()}`);
    return merchant;
  }

  /** Asks one of the processes for a hold that there is none of: 404 is an answer. Never rejects. */
  async read(at: number, { apiKey }: DemoMerchant = this.merchant): Promise<Reply> {
    const headers = { authorization: `Bearer ${apiKey}` };
    const [origin, path] = [this.urlOf(at % API_COUNT), READ_PATH];
    try {
      const answer = await this.agent.request({
        ...{ origin, path, headers, method: 'GET' },
        ...{ headersTimeout: REQUEST_TIMEOUT_MS, bodyTimeout: REQUEST_TIMEOUT_MS },
      });
      const { details } = (await answer.body.json()) as { details?: { window?: string } };
      const window = details?.window;
      return { status: answer.statusCode, ...(window !== undefined && { window }) };
    } catch {
      return { status: 0 };
    }
  }

  /** Microseconds by the clock of Redis. */
  async redisTime(): Promise<number> {
    const [seconds, microseconds] = await this.redis.time();
    return Number(seconds) * 1e6 + Number(microseconds);
  }

  /** Leases that have not run out, by the clock of Redis. */
  async leases({ merchantId }: DemoMerchant): Promise<number> {
    const now = await this.redisTime();
    return this.redis.zcount(`ratelimit:{${merchantId}}:concurrent`, `(${now}`, '+inf');
  }

  /** Holds up every read of a hold until it is released. */
  async holdUpReads(): Promise<() => Promise<void>> {
    const client: PoolClient = await this.db.connect();
    await client.query('BEGIN');
    await client.query('LOCK TABLE pre_auths IN ACCESS EXCLUSIVE MODE');
    return async () => {
      await client.query('ROLLBACK');
      client.release();
    };
  }

  async metric(at: number, name: string): Promise<number> {
    const log = readFileSync(this.stack.apis[at]?.logFile ?? '', 'utf8').split('\n');
    const shown = log.findLast((line) => line.includes('metrics are shown')) ?? '{}';
    const { port } = (JSON.parse(shown) as { at?: { port?: number } }).at ?? {};
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
  }

  /** Asks at this pace, by turns, until it is told to end. @returns the answers */
  async keepAsking(merchant: DemoMerchant, perSecond: number, signal: AbortSignal): Promise<Reply[]> {
    const answers: Promise<Reply>[] = [];
    const startedAt = performance.now();
    for (let n = 0; !signal.aborted; n += 1) {
      answers.push(this.read(n, merchant));
      await sleep(Math.max(0, startedAt + (n * 1000) / perSecond - performance.now()));
    }
    return Promise.all(answers);
  }
}
