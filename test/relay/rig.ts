/** The relay over a real database and real receivers; only the workflows of retries are noted instead of started. */
import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { FailedWebhook } from '../../src/domain/webhook/failed';
import { createMerchant } from '../../src/stores/merchants';
import { listenToOutbox } from '../../src/stores/outbox-bell';
import { createDatabase } from '../../src/stores/postgres';
import type { Database } from '../../src/stores/postgres';
import { createSecretBox } from '../../src/stores/secret-box';
import type { LaneSettings } from '../../src/stores/webhook-lanes';
import { sendAttempt } from '../../src/webhooks/attempt';
import { createGuardedAgent } from '../../src/webhooks/guarded-agent';
import { createRecorder } from '../../src/webhooks/relay/recorder';
import type { Recorder, RecorderSettings, RetryToStart } from '../../src/webhooks/relay/recorder';
import { createRelay } from '../../src/webhooks/relay/relay';
import type { Relay } from '../../src/webhooks/relay/relay';
import { createTestDatabase } from '../setup/test-database';

export interface Received {
  readonly id: string;
  readonly event: string;
  readonly attempt: number;
  readonly atMs: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Behaviour = (received: Received, response: ServerResponse) => void;

export const ok: Behaviour = (_received, response) => void response.writeHead(200).end('ok');
export const answering =
  (status: number): Behaviour =>
  (_received, response) =>
    void response.writeHead(status).end();
export const hanging: Behaviour = () => undefined;

/** A merchant's server that counts what it gets. */
export class Receiver {
  readonly received: Received[] = [];
  behaviour: Behaviour = ok;
  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { headers } = request;
        const received: Received = {
          id: String(headers['webhook-id']),
          event: String(headers['x-webhook-event']),
          attempt: Number(headers['x-webhook-attempt']),
          atMs: Date.now(),
          headers,
          body: Buffer.concat(chunks).toString(),
        };
        receiver.received.push(received);
        receiver.behaviour(received, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/hooks`;
  }

  ids(): Set<string> {
    return new Set(this.received.map(({ id }) => id));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export interface RigSettings extends LaneSettings, RecorderSettings {
  readonly maxInFlight: number;
  readonly timeoutMs: number;
}

/** Small times, so that a test sees in seconds what takes minutes in production. */
export const QUICK: RigSettings = {
  maxInFlightPerEndpoint: 10,
  leaseSeconds: 5,
  probeIntervalSeconds: 0.5,
  initialBackoffMs: 100,
  maxBackoffMs: 60_000,
  jitter: 0,
  maxInRetryPerEndpoint: 50,
  gateWindowMs: 300,
  disableAfterMs: 3_600_000,
  defaultMaxRetries: 5,
  maxInFlight: 500,
  timeoutMs: 2_000,
};

export interface Notification {
  id: string;
  status: string;
  attempts: number;
  status_code: number | null;
  error: string | null;
  next_retry_at: Date;
}

export class Rig {
  readonly started: RetryToStart[] = [];
  readonly woken: string[] = [];
  readonly failed: FailedWebhook[] = [];
  private readonly relays: Relay[] = [];
  private readonly receivers: Receiver[] = [];

  private constructor(
    readonly db: Database,
    readonly box: ReturnType<typeof createSecretBox>,
    readonly merchantId: string,
    readonly webhookSecret: string,
    readonly settings: RigSettings,
    private readonly database: Awaited<ReturnType<typeof createTestDatabase>>,
  ) {}

  static async start(overrides: Partial<RigSettings> = {}): Promise<Rig> {
    const database = await createTestDatabase();
    const db = createDatabase(database.config, () => undefined);
    const box = createSecretBox(database.config.HOLDFAST_ENCRYPTION_KEYS);
    const { live, webhookSecrets } = await createMerchant(db, box, 'Rig');
    return new Rig(db, box, live.id, webhookSecrets.live, { ...QUICK, ...overrides }, database);
  }

  readonly log = pino({ level: 'silent' });
  private readonly agent = createGuardedAgent({
    urlPolicy: { allowedCidrs: '127.0.0.0/8' },
  });

  recorder(overrides: Partial<RigSettings> = {}): Recorder {
    return createRecorder({
      db: this.db,
      log: this.log,
      workflows: {
        start: (retry) => Promise.resolve(void this.started.push(retry)),
        wake: (ids) => Promise.resolve(void this.woken.push(...ids)),
      },
      noteFailed: (failed) => Promise.resolve(void this.failed.push(...failed)),
      settings: { ...this.settings, ...overrides },
      random: () => 0.5,
    });
  }

  async startRelay(): Promise<Relay> {
    const relay = createRelay({
      db: this.db,
      box: this.box,
      log: this.log,
      settings: this.settings,
      send: (job) =>
        sendAttempt(job, {
          agent: this.agent,
          urlPolicy: { production: false, allowedCidrs: '127.0.0.0/8' },
          timeoutMs: this.settings.timeoutMs,
          now: Date.now,
        }),
      recorder: this.recorder(),
      listen: (onNews) => Promise.resolve(listenToOutbox(this.database.config, this.log, onNews)),
      stopGraceMs: 500,
      now: Date.now,
    });
    await relay.start();
    this.relays.push(relay);
    return relay;
  }

  async receiver(): Promise<Receiver> {
    const receiver = await Receiver.start();
    this.receivers.push(receiver);
    return receiver;
  }

  async endpoint(url: string): Promise<string> {
    const id = randomUUID();
    await this.db.query(
      `INSERT INTO webhook_endpoints (id, merchant_id, kind, url) VALUES ($1, $2, 'explicit', $3)`,
      [id, this.merchantId, url],
    );
    return id;
  }

  /** An endpoint of another merchant; its notifications are that merchant's. */
  async otherMerchantsEndpoint(url: string): Promise<string> {
    const { live } = await createMerchant(this.db, this.box, 'Other');
    const id = await this.endpoint(url);
    await this.db.query('UPDATE webhook_endpoints SET merchant_id = $2 WHERE id = $1', [id, live.id]);
    return id;
  }

  /** Writes `count` notifications as the outbox does. @returns their webhook-ids in order */
  async notify(
    endpointId: string,
    count: number,
    { event = 'payment.success', maxAttempts = 6 }: { event?: string; maxAttempts?: number } = {},
  ): Promise<string[]> {
    const ids = Array.from({ length: count }, () => randomUUID());
    await this.db.query(
      `INSERT INTO webhook_notifications (id, event_id, endpoint_id, merchant_id, payment_no, event, url, payload, body, max_attempts)
       SELECT g.id, g.id, e.id, e.merchant_id, 'P' || g.n, $3, e.url, '{}', '{"n":' || g.n || '}', $4
       FROM unnest($1::uuid[]) WITH ORDINALITY AS g (id, n), webhook_endpoints e WHERE e.id = $2`,
      [ids, endpointId, event, maxAttempts],
    );
    return ids;
  }

  async notification(id: string): Promise<Notification> {
    const { rows } = await this.db.query<Notification>(
      'SELECT id, status, attempts, status_code, error, next_retry_at FROM webhook_notifications WHERE id = $1',
      [id],
    );
    if (rows[0] === undefined) throw new Error(`no notification ${id}`);
    return rows[0];
  }

  /** How many notifications have each status. */
  async counts(endpointId: string): Promise<Record<string, number>> {
    const { rows } = await this.db.query<{ status: string; n: number }>(
      'SELECT status, count(*) AS n FROM webhook_notifications WHERE endpoint_id = $1 GROUP BY status',
      [endpointId],
    );
    return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
  }

  async endpointRow(id: string): Promise<Record<string, unknown>> {
    const { rows } = await this.db.query('SELECT * FROM webhook_endpoints WHERE id = $1', [id]);
    return rows[0] as Record<string, unknown>;
  }

  async close(): Promise<void> {
    await Promise.all(this.relays.map((relay) => relay.stop()));
    await Promise.all(this.receivers.map((receiver) => receiver.close()));
    await this.agent.destroy();
    await this.db.end();
    await this.database.drop();
  }
}

/** Waits until `check` holds. @throws Error after `timeoutMs` */
export async function until(
  what: string,
  check: () => Promise<boolean> | boolean,
  timeoutMs = 10_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!(await check())) {
    if (Date.now() > endMs) throw new Error(`timed out: ${what}`);
    await sleep(20);
  }
}
