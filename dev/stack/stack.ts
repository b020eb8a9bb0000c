/**
 * The embedded stack: PostgreSQL, Redis, Temporal, the codec server, the channels' sandboxes, the API, the worker of payments and
 * the worker of webhooks, each a process of its own on 127.0.0.1. `npm start`, the demo, the tests and the benchmarks all start it here.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { workflowBundle } from './bundle';
import { createDatabaseIfMissing, migrateDatabase } from './database';
import { FLEETS } from './fleets';
import type { Fleet } from './fleets';
import { startService } from './node-services';
import { CORE_PARTS, PORTS_OF } from './parts';
import type { Part } from './parts';
import { assertPortsFree, choosePorts, freePort } from './ports';
import type { StackPorts } from './ports';
import { startPostgres } from './postgres';
import { giveUp, takeOver } from './process-table';
import { allOrFirstFailure, givenServer } from './processes';
import type { Server } from './processes';
import { startRedis } from './redis';
import { devSecrets } from './secrets';
import type { ServerOptions } from './server-options';
import { addressOf, SANDBOX_PARTS, SANDBOXES, sandboxAddresses } from './sandboxes';
import type { SandboxPart } from './sandboxes';
import { codecEndpoint, codecEnvironment, LOOPBACK, stackEnvironment, whatIsGiven } from './settings';
import type { Environment, Given } from './settings';
import { startTemporal } from './temporal';
import { startWatchdog } from './watchdog';

export type { Part } from './parts';

/** Told of progress, one line each; `done` marks a part that now runs, `note` everything else. */
export type Report = (line: string, kind: 'done' | 'note') => void;

export interface StackOptions {
  readonly dataDir: string;
  /** `default`: the documented ports or what the variables of `given` say; `free`: any, for tests */
  readonly ports: 'default' | 'free';
  /** No Web UI of Temporal. */
  readonly headlessUi?: boolean;
  readonly apiCount?: number;
  readonly workerCount?: number;
  readonly webhooksCount?: number;
  /** Settings that win over the stack's own, for every process of it. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where DB_HOST, REDIS_HOST, TEMPORAL_ADDRESS, STRIPE_SECRET_KEY, PAYPAL_API_BASE and the like are looked for; default: nowhere. */
  readonly given?: Environment;
  /** Parts to start; default: everything but the sandboxes of the channels beside Stripe. */
  readonly only?: readonly Part[];
  /** The data folder is removed when the stack ends, however it ends. */
  readonly temporary?: boolean;
  readonly report?: Report;
  /** Called when a process ends that nobody stopped. */
  readonly onUnexpectedExit?: (server: Server, how: string) => void;
}

export interface Stack {
  /** Throws when the part was not asked for (`only`). */
  readonly postgres: Server;
  readonly redis: Server;
  readonly temporal: Server;
  readonly sandbox: Server;
  readonly apis: readonly Server[];
  /** False: this channel's sandbox is not part of the stack, or the environment names the channel itself. */
  readonly startsSandbox: (part: SandboxPart) => boolean;
  /** Processes of the payments role. */
  readonly workers: readonly Server[];
  /** Processes of the webhooks and relay roles. */
  readonly webhooks: readonly Server[];
  readonly ports: StackPorts;
  /** The settings every process of the stack has; give them to a child on top of process.env. */
  readonly environment: Record<string, string>;
  /** Stops API, workers, then the servers; within 10 s. */
  stop(): Promise<void>;
}

/** @throws StackError, a sentence that says what to do; whatever had been started is stopped again */
export async function startStack(options: StackOptions): Promise<Stack> {
  mkdirSync(options.dataDir, { recursive: true, mode: 0o755 });
  const starter = new Starter(options, await choosePorts(options.ports, options.given ?? {}));
  try {
    await starter.start();
    return starter;
  } catch (error) {
    await starter.stop();
    throw error;
  }
}

class Starter implements Stack {
  environment: Record<string, string> = {};
  readonly apis: Server[] = [];
  readonly workers: Server[] = [];
  readonly webhooks: Server[] = [];
  private readonly servers = new Map<Part, Server>();
  private readonly parts: ReadonlySet<Part>;
  private readonly given: Given;
  private codecSettings: Record<string, string> = {};
  private ownsData = false;

  constructor(
    private readonly options: StackOptions,
    readonly ports: StackPorts,
  ) {
    this.parts = new Set(options.only ?? CORE_PARTS);
    this.given = whatIsGiven(options.given ?? {});
  }

  get postgres(): Server {
    return this.server('postgres');
  }
  get redis(): Server {
    return this.server('redis');
  }
  get temporal(): Server {
    return this.server('temporal');
  }
  get sandbox(): Server {
    return this.server('sandbox');
  }

  readonly startsSandbox = (part: SandboxPart): boolean => this.parts.has(part) && !this.isGiven(part);

  async start(): Promise<void> {
    const { dataDir } = this.options;
    const ended = await takeOver(dataDir);
    this.ownsData = true;
    if (ended.length > 0) this.note(`An earlier start had left ${ended.join(', ')} running: ended`);
    startWatchdog(dataDir, this.options.temporary === true);
    const { ports, options } = this;
    const { given = {} } = options;
    const secrets = devSecrets(dataDir);
    const settings = stackEnvironment(this.given, given, ports, secrets);
    const sandboxes = sandboxAddresses(this.parts, this.given, given, ports);
    this.codecSettings = codecEnvironment(given, ports, secrets);
    this.environment = { ...settings, ...sandboxes, ...this.options.environment };
    const owned = [...this.parts].filter((part) => !this.isGiven(part));
    await assertPortsFree(
      owned.flatMap((part) => [...PORTS_OF[part]]),
      this.ports,
    );
    const wanted = (part: Part, start: () => Promise<unknown>) => (this.parts.has(part) ? [start()] : []);
    // First and alone, because it is soon known to be missing, and Temporal may have to be built for minutes.
    await allOrFirstFailure(wanted('redis', () => this.startRedis()));
    await allOrFirstFailure([
      ...wanted('postgres', () => this.startDatabase()),
      ...wanted('temporal', () => this.startTemporal()),
      ...wanted('codec', () => this.startCodec()),
      ...SANDBOX_PARTS.flatMap((part) => wanted(part, () => this.startSandbox(part))),
      ...(this.hasWorker ? [this.prepareBundle()] : []),
    ]);
    const { apiCount = 1, workerCount = 1, webhooksCount = 1 } = this.options;
    await allOrFirstFailure([
      ...wanted('api', () => this.startMany('api', this.apis, apiCount)),
      ...wanted('worker', () => this.startMany('worker', this.workers, workerCount)),
      ...wanted('webhooks', () => this.startMany('webhooks', this.webhooks, webhooksCount)),
    ]);
  }

  async stop(): Promise<void> {
    // Nothing may come in before what answers it is gone; and Temporal goes before the database its worker uses.
    await Promise.all(this.apis.map((server) => server.stop()));
    await Promise.all([...this.workers, ...this.webhooks].map((server) => server.stop()));
    await Promise.all([...this.servers.values()].map((server) => server.stop()));
    if (this.ownsData) giveUp(this.options.dataDir);
  }

  private server(part: Part): Server {
    const server = this.servers.get(part);
    if (server === undefined) throw new Error(`this stack was started without ${part}`);
    return server;
  }

  private isGiven(part: Part): boolean {
    const ours = { codec: false, api: false, worker: false, webhooks: false };
    return { ...this.given, ...ours, sandbox: this.given.stripe }[part];
  }

  private get hasWorker(): boolean {
    return this.parts.has('worker') || this.parts.has('webhooks');
  }

  private note(line: string): void {
    this.options.report?.(line, 'note');
  }

  /** Keeps the server (stop() must find it, whatever fails later) and tells how long it took. */
  private async started<T extends Server>(label: string, what: string, starting: Promise<T>): Promise<T> {
    const startedAt = Date.now();
    const server = await starting;
    const { host, port } = server.address;
    const took = server.owned ? ` (${((Date.now() - startedAt) / 1000).toFixed(1)} s)` : '';
    const note = server.owned ? what : 'given by the environment, used as it is';
    this.options.report?.(`${label.padEnd(15)} ${`${host}:${port}`.padEnd(16)} ${note}${took}`, 'done');
    return server;
  }

  private serverOptions(port: number, environment: Readonly<Record<string, string>> = {}): ServerOptions {
    return {
      dataDir: this.options.dataDir,
      port,
      report: (line) => this.note(line),
      environment: { ...process.env, ...environment },
      ...(this.options.onUnexpectedExit && { onUnexpectedExit: this.options.onUnexpectedExit }),
    };
  }

  private keep(part: Part, starting: Promise<Server>): Promise<Server> {
    return starting.then((server) => {
      this.servers.set(part, server);
      return server;
    });
  }

  private async startDatabase(): Promise<void> {
    const {
      DB_HOST = '',
      DB_PORT = '',
      DB_USER = '',
      DB_PASSWORD = '',
      DB_NAME = '',
      DB_SSL,
    } = this.environment;
    const starting = this.given.postgres
      ? Promise.resolve(givenServer('PostgreSQL', { host: DB_HOST, port: Number(DB_PORT) }))
      : startPostgres(this.serverOptions(this.ports.postgres));
    await this.started('PostgreSQL', `database ${DB_NAME}`, this.keep('postgres', starting));
    if (!this.parts.has('api') && !this.hasWorker) return;
    const connection = { DB_HOST, DB_PORT: Number(DB_PORT), DB_USER, DB_PASSWORD, DB_SSL: DB_SSL === 'true' };
    await createDatabaseIfMissing(connection, DB_NAME);
    const applied = await migrateDatabase({ ...process.env, ...this.environment });
    if (applied.length > 0) this.note(`Migrations applied to ${DB_NAME}: ${applied.join(', ')}`);
  }

  private async startRedis(): Promise<void> {
    const { REDIS_HOST = '', REDIS_PORT = '' } = this.environment;
    const starting = this.given.redis
      ? Promise.resolve(givenServer('Redis', { host: REDIS_HOST, port: Number(REDIS_PORT) }))
      : startRedis(this.serverOptions(this.ports.redis));
    await this.started('Redis', 'append-only file', this.keep('redis', starting));
  }

  private async startTemporal(): Promise<void> {
    const { TEMPORAL_ADDRESS = '', TEMPORAL_NAMESPACE = '' } = this.environment;
    const [host = '', port = '7233'] = TEMPORAL_ADDRESS.split(':');
    const starting = this.given.temporal
      ? Promise.resolve(givenServer('Temporal', { host, port: Number(port) }))
      : startTemporal({
          ...this.serverOptions(this.ports.temporal),
          namespace: TEMPORAL_NAMESPACE,
          ...(this.options.headlessUi !== true && { uiPort: this.ports.temporalUi }),
          ...(this.parts.has('codec') && { codecEndpoint: codecEndpoint(this.codecSettings) }),
        });
    const what = this.options.headlessUi === true ? 'no Web UI' : `Web UI on ${this.ports.temporalUi}`;
    await this.started('Temporal', what, this.keep('temporal', starting));
  }

  /** It knows the payload keys and who may ask, and nothing else. */
  private async startCodec(): Promise<void> {
    const { LOG_LEVEL = '', HOLDFAST_PAYLOAD_KEYS = '', HOLDFAST_PAYLOAD_ENCRYPTION = '' } = this.environment;
    const shared = { LOG_LEVEL, HOLDFAST_PAYLOAD_KEYS, HOLDFAST_PAYLOAD_ENCRYPTION };
    const options = this.serverOptions(this.ports.codec, { ...shared, ...this.codecSettings });
    const starting = startService('codec', 'codec', options);
    await this.started('Codec server', 'opens payloads for the Web UI', this.keep('codec', starting));
  }

  private async startSandbox(part: SandboxPart): Promise<void> {
    const { label, what, folder, variable, environment } = SANDBOXES[part];
    const port = this.ports[part];
    const settings = {
      ...this.options.environment,
      ...environment,
      PORT: String(port),
      HOST: LOOPBACK,
      SANDBOX_DATA_DIR: join(this.options.dataDir, folder),
    };
    const starting = this.isGiven(part)
      ? Promise.resolve(givenServer(label, addressOf(this.options.given?.[variable])))
      : startService(part, part, this.serverOptions(port, settings));
    await this.started(label, what, this.keep(part, starting));
  }

  private async prepareBundle(): Promise<void> {
    this.environment['WORKFLOW_BUNDLE'] ||= await workflowBundle({ ...process.env, ...this.environment });
  }

  private async startMany(kind: Fleet, kept: Server[], count: number): Promise<void> {
    const fleet = FLEETS[kind];
    const starting = Array.from({ length: count }, async (_, i) => {
      const port = i === 0 ? this.ports[fleet.port] : await freePort();
      const name = i === 0 ? kind : `${kind}-${i + 1}`;
      const environment = { ...this.environment, [fleet.variable]: String(port) };
      const server = startService(kind, name, this.serverOptions(port, environment));
      kept.push(await this.started(fleet.label, fleet.what, server));
    });
    await allOrFirstFailure(starting);
  }
}
