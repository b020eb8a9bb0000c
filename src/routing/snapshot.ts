/**
 * The routing configuration of one process: a compiled snapshot in memory, exchanged whole, so that no decision ever sees half
 * a change. Redis tells of changes at once; its version is looked at every second, and that of the database now and then, for
 * a change whose news was lost. Without Redis the database is asked every second; without either the copy stays in use. The
 * database is right, even when what it has is older than the copy: then it was restored.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BUILT_IN_CONFIG } from '../domain/routing/default-config';
import { compileConfig } from '../domain/routing/config';
import type { CompiledConfig } from '../domain/routing/config';
import type { ConfigSource, RoutingConfig, RoutingPolicy } from '../domain/routing/types';
import type { Logger } from '../observability/logger';
import type { ChannelCache } from '../redis/channel-cache';
import { CACHE_SECONDS } from '../redis/channel-cache';
import { coalesced } from './coalesce';

const CHECK_MS = 1_000;
const DATABASE_CHECK_MS = 3_000;
/** A server that does not answer in this time is away. */
const ANSWER_LIMIT_MS = 2_000;
/** Read anew although no version tells of a change: the net under everything else. */
const FULL_RELOAD_MS = CACHE_SECONDS * 1000;

export interface SnapshotDeps {
  readonly log: Logger;
  readonly policy: RoutingPolicy;
  readonly cache: ChannelCache;
  /** From the database, each. */
  readonly loadConfig: () => Promise<RoutingConfig>;
  readonly readVersion: () => Promise<number>;
  readonly now: () => number;
}

export interface Snapshot {
  readonly config: CompiledConfig;
  /** Who said last that this is the present configuration. */
  readonly source: ConfigSource;
  /** Of what should be in its place and cannot be used; it is tried again with every look. */
  readonly unusableVersion?: number;
}

export interface SnapshotKeeper {
  current(): Snapshot;
  /** Waits for a first configuration, for a moment at most: then the built-in one has to do. Never rejects. */
  ready(): Promise<void>;
  /** Redis has a configuration of this version, or may have one. Never throws. */
  heard(version?: number): void;
  /** The database has changed: it is read again, and everybody is told. @throws what the database or Redis throws */
  changed(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export function createSnapshotKeeper(deps: SnapshotDeps): SnapshotKeeper {
  const { log, policy, cache } = deps;
  let config = compileConfig(BUILT_IN_CONFIG, policy);
  let snapshot: Snapshot = { config, source: 'built_in' };
  let unusableVersion: number | undefined;
  let loggedVersion: number | undefined;
  let loadedAtMs = -Infinity;
  let databaseCheckedAtMs = -Infinity;
  /** Whether each, when it was asked last, knew nothing newer than the snapshot. */
  const confirmed = { redis: false, database: false };
  const stopping = new AbortController();
  let loops: Promise<unknown> = Promise.resolve();

  const isBuiltIn = () => config.version === BUILT_IN_CONFIG.version;

  function confirm(by: 'redis' | 'database', isConfirmed: boolean): void {
    confirmed[by] = isConfirmed;
    const source = confirmed.redis ? 'redis' : confirmed.database ? 'database' : 'memory';
    // Of a newer one that cannot be used the older one is no confirmation.
    setSource(isBuiltIn() ? 'built_in' : unusableVersion === undefined ? source : 'memory');
  }

  function setSource(source: ConfigSource): void {
    if (source !== snapshot.source)
      log.info({ from: snapshot.source, to: source, version: config.version }, 'routing goes by');
    snapshot = { config, source, ...(unusableVersion !== undefined && { unusableVersion }) };
  }

  /** @returns false: it cannot be used, and what is in use stays */
  function adopt(loaded: RoutingConfig, by: 'redis' | 'database'): boolean {
    try {
      config = compileConfig(loaded, policy);
    } catch (error) {
      // What Redis has may be anybody's: whether it should be in use the database tells.
      if (by === 'database') unusableVersion = loaded.version;
      if (loggedVersion !== loaded.version)
        log.error({ err: error, by, version: loaded.version }, 'a routing configuration cannot be used');
      loggedVersion = loaded.version;
      return false;
    }
    if (by === 'database') unusableVersion = undefined;
    loadedAtMs = deps.now();
    confirm(by, true);
    return true;
  }

  const reload = coalesced(async () => {
    const before = config.version;
    const loaded = await within(deps.loadConfig());
    databaseCheckedAtMs = deps.now();
    // Who brought a newer one meanwhile has it from a later look at the database.
    if (before <= loaded.version && loaded.version < config.version) return;
    if (!adopt(loaded, 'database')) throw new Error(`routing version ${loaded.version} cannot be used`);
    // What was in use before the database was asked was once in there: it was put back to an earlier state.
    const lost = loaded.version < before ? before : undefined;
    if (lost !== undefined)
      log.warn(
        { from: lost, to: loaded.version },
        'the database has an older routing configuration: it is used',
      );
    confirm('redis', await cache.publishChange(loaded, lost).catch(() => false));
  });

  const checkRedis = coalesced(async () => {
    const version = await cache.readVersion();
    const cached = version !== undefined && version > config.version ? await cache.readCached() : undefined;
    if (cached !== undefined && cached.version > config.version) adopt(cached, 'redis');
    const isPresent = version !== undefined && version === config.version;
    confirm('redis', isPresent);
    // Redis has nothing, or something that is older than ours or cannot be used.
    if (!isPresent) await reload();
  });

  const checkDatabase = coalesced(async () => {
    databaseCheckedAtMs = deps.now();
    const isDue = deps.now() - loadedAtMs >= FULL_RELOAD_MS;
    if (isDue || (await within(deps.readVersion())) !== config.version) await reload();
    else {
      unusableVersion = undefined;
      confirm('database', true);
    }
  });

  async function lookAtRedis(): Promise<void> {
    await checkRedis().catch(() => confirm('redis', false));
  }

  async function lookAtDatabase(): Promise<void> {
    await checkDatabase().catch(() => confirm('database', false));
  }

  async function load(): Promise<void> {
    await lookAtRedis();
    if (isBuiltIn()) await lookAtDatabase();
  }

  async function every(work: () => Promise<void>): Promise<void> {
    const { signal } = stopping;
    while (!signal.aborted) {
      await work();
      await sleep(CHECK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    current: () => snapshot,
    ready: () => (isBuiltIn() ? load() : Promise.resolve()),
    heard(version) {
      if (version === undefined || version > config.version) void lookAtRedis();
    },
    changed: () => reload(),
    start() {
      const database = () => {
        const isDue = !confirmed.redis || deps.now() - databaseCheckedAtMs >= DATABASE_CHECK_MS;
        return isDue ? lookAtDatabase() : Promise.resolve();
      };
      loops = Promise.all([every(lookAtRedis), every(database)]);
    },
    async stop() {
      stopping.abort();
      await loops;
    },
  };
}

/** @throws Error when there is no answer in time; the question itself is left to its own limits */
async function within<T>(asking: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), ANSWER_LIMIT_MS);
  });
  return Promise.race([asking, tooLate]).finally(() => clearTimeout(timer));
}
