/** Where webhooks are measured: a stack of its own, and receiver, generator and bare sender as processes beside it. */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startStack } from '../dev/stack/stack';
import type { Part, Stack } from '../dev/stack/stack';
import type { Server } from '../dev/stack/processes';
import { note } from '../dev/terminal';
import { loadConfig } from '../src/config/config';
import { createMerchant } from '../src/stores/merchants';
import { createDatabase } from '../src/stores/postgres';
import type { Database } from '../src/stores/postgres';
import { createSecretBox } from '../src/stores/secret-box';
import type { SenderCalls } from './bare/sender';
import { startChild } from './webhooks-child';
import type { Child } from './webhooks-child';
import type { GeneratorCalls } from './webhooks-generator';
import type { ReceiverCalls } from './webhooks-receiver';

const POLL_MS = 50;
const PATIENCE_MS = 180_000;

export interface Site {
  readonly stack: Stack;
  readonly dataDir: string;
  /** The stack's own database, served by its webhooks worker. */
  readonly outbox: Outbox;
  readonly receiver: Child<ReceiverCalls>;
  readonly receiverOrigin: string;
  readonly generator: Child<GeneratorCalls>;
  readonly sender: Child<SenderCalls>;
}

/** A database with a merchant, and the worker that serves it. */
export interface Outbox {
  readonly database: string;
  readonly db: Database;
  readonly merchantId: string;
  readonly worker: Server;
}

export interface SiteOptions {
  /** Parts of the stack; default all. */
  readonly only?: readonly Part[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts everything, runs `work` and removes everything, whatever becomes of it. */
export async function withSite(options: SiteOptions, work: (site: Site) => Promise<void>): Promise<void> {
  const dataDir = join(tmpdir(), `holdfast-bench-${process.pid}`);
  const stack = await startStack({
    dataDir,
    ports: 'free',
    headlessUi: true,
    temporary: true,
    report: (line) => note(line),
    ...options,
  });
  const { environment } = stack;
  const receiver = startChild<ReceiverCalls>('webhooks-receiver.ts');
  const generator = startChild<GeneratorCalls>('webhooks-generator.ts', environment);
  const sender = startChild<SenderCalls>('bare/sender.ts');
  try {
    const receiverOrigin = `http://127.0.0.1:${await receiver.ask('listen')}`;
    const worker = stack.webhooks[0];
    if (worker === undefined) throw new Error('the stack has no webhooks worker');
    const outbox = await openOutbox(environment, environment['DB_NAME'] ?? '', worker);
    try {
      await work({ stack, dataDir, outbox, receiver, receiverOrigin, generator, sender });
    } finally {
      await outbox.db.end();
    }
  } finally {
    await Promise.all([receiver.stop(), generator.stop(), sender.stop()]);
    await stack.stop();
  }
}

export async function openOutbox(
  environment: Readonly<Record<string, string>>,
  database: string,
  worker: Server,
): Promise<Outbox> {
  const config = loadConfig({ ...environment, DB_NAME: database });
  const db = createDatabase(config, () => undefined);
  const box = createSecretBox(config.HOLDFAST_ENCRYPTION_KEYS);
  const { live } = await createMerchant(db, box, 'Bench');
  return { database, db, merchantId: live.id, worker };
}

/** @returns its id; it starts as one that has just answered, so that its gate is open */
export async function addEndpoint({ db, merchantId }: Outbox, url: string): Promise<string> {
  const id = randomUUID();
  await db.query(
    `INSERT INTO webhook_endpoints (id, merchant_id, kind, url, last_success_at) VALUES ($1, $2, 'explicit', $3, now())`,
    [id, merchantId, url],
  );
  return id;
}

/** Waits until every outcome is recorded. */
export function untilRecorded({ db }: Outbox): Promise<void> {
  return until('every outcome is recorded', async () => {
    const { rows } = await db.query<{ busy: boolean }>(
      `SELECT EXISTS (SELECT FROM webhook_leases) OR EXISTS (SELECT FROM webhook_notifications WHERE status = 'pending' AND attempts = 0) AS busy`,
      [],
    );
    return rows[0]?.busy === false;
  });
}

/** @throws Error after three minutes: a bench that hangs says where */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error(`timed out waiting until ${what}`);
    await sleep(POLL_MS);
  }
}
