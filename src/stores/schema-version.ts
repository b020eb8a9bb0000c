/**
 * Whether this version and the database's schema fit, by the names of the migrations that each knows. Migrations come in two
 * kinds (docs/versioning.md): those that only add, which the versions before them live with, and those that take away,
 * whose name says so: `0014-contract-normal-url.sql`. These are applied last, when nobody needs what they take.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Config } from '../config/config';
import type { Logger } from '../observability/logger';

export const MIGRATIONS = join(__dirname, '../../db/migrations');
export const MIGRATIONS_TABLE = 'schema_migrations';

const CONNECT_TIMEOUT_MS = 5_000;
const AGAIN_MS = 1_000;
const NO_SUCH_TABLE = '42P01';

/** Migrations of this version, in order: `0001-foundation`. */
export function knownMigrations(): string[] {
  return readdirSync(MIGRATIONS)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort();
}

/** A contract migration takes away what older versions need. */
export function isContract(migration: string): boolean {
  return /^\d+-contract-/.test(migration);
}

export interface SchemaVerdict {
  /** Why this version must not work on that schema; undefined: it may. */
  readonly refusal: string | undefined;
  /** What is worth saying although it fits. */
  readonly notices: readonly string[];
}

/**
 * @param known migrations of this version
 * @param applied those of the database; none: it has no schema yet
 */
export function judgeSchema(known: readonly string[], applied: readonly string[]): SchemaVerdict {
  const unknown = applied.filter((name) => !known.includes(name));
  const taken = unknown.filter(isContract);
  const missing = known.filter((name) => !applied.includes(name));
  const needed = missing.filter((name) => !isContract(name));
  const latest = known.at(-1) ?? 'none';
  if (taken.length > 0) {
    const refusal = `The database is too new for this version, which knows its schema up to ${latest}: ${taken.join(', ')} took away what this version needs. Start the version that the schema belongs to.`;
    return { refusal, notices: [] };
  }
  if (needed.length > 0) {
    const refusal = `The database is too old for this version: it lacks ${needed.join(', ')}. Run the migrations first (src/stores/migrate-main), then start again.`;
    return { refusal, notices: [] };
  }
  const notices = [
    ...(unknown.length > 0
      ? [`the database is newer than this version (${unknown.join(', ')}), which can live with that`]
      : []),
    ...(missing.length > 0
      ? [`contract migrations wait to be applied when every process runs this version: ${missing.join(', ')}`]
      : []),
  ];
  return { refusal: undefined, notices };
}

type DatabaseConfig = Pick<Config, 'DB_HOST' | 'DB_PORT' | 'DB_USER' | 'DB_PASSWORD' | 'DB_NAME' | 'DB_SSL'>;

/** Of the database; empty when it has no schema yet. @throws when it cannot be asked */
export async function appliedMigrations(config: DatabaseConfig): Promise<string[]> {
  const client = new Client({
    host: config.DB_HOST,
    port: config.DB_PORT,
    user: config.DB_USER,
    password: config.DB_PASSWORD,
    database: config.DB_NAME,
    ssl: config.DB_SSL,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ name: string }>(
      `SELECT name FROM ${MIGRATIONS_TABLE} ORDER BY name`,
    );
    return rows.map(({ name }) => name);
  } catch (error) {
    if ((error as { code?: string }).code === NO_SUCH_TABLE) return [];
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Which migrations are left alone: the contract ones that are not applied yet, unless they are asked for.
 * @throws Error when others stand behind them: those can only be applied after them
 */
export function heldBack(
  known: readonly string[],
  applied: readonly string[],
  takesContract: boolean,
): string[] {
  if (takesContract) return [];
  const missing = known.filter((name) => !applied.includes(name));
  const held = missing.filter(isContract);
  const [first] = held;
  if (first !== undefined && missing.slice(missing.indexOf(first)).some((name) => !isContract(name)))
    throw new Error(
      `${first} must be applied before what follows it: when every process runs the version it came with, or a newer one, run the migrations with --contract`,
    );
  return held;
}

/** This version must not work on the database's schema; the message says why and what to do. */
export class SchemaMisfit extends Error {
  override readonly name = 'SchemaMisfit';
}

/**
 * Looks before anything is done. Where the database is away the process may start all the same, as it may lose it later: it
 * is looked again every second, and `onMisfit` is called when it comes back with a schema that does not fit.
 * @throws SchemaMisfit
 */
export async function assertSchemaFits(
  config: DatabaseConfig,
  log: Pick<Logger, 'warn'>,
  onMisfit: (error: SchemaMisfit) => void,
): Promise<void> {
  const applied = await appliedMigrations(config).catch((error: unknown) => {
    log.warn({ err: error }, 'the schema of the database is not known yet; it is looked at again');
    return undefined;
  });
  if (applied !== undefined) return conclude(applied, log);
  void lookAgain(config, log).catch((error: unknown) => onMisfit(error as SchemaMisfit));
}

async function lookAgain(config: DatabaseConfig, log: Pick<Logger, 'warn'>): Promise<void> {
  for (;;) {
    await sleep(AGAIN_MS, undefined, { ref: false });
    const applied = await appliedMigrations(config).catch(() => undefined);
    if (applied !== undefined) return conclude(applied, log);
  }
}

function conclude(applied: readonly string[], log: Pick<Logger, 'warn'>): void {
  const { refusal, notices } = judgeSchema(knownMigrations(), applied);
  if (refusal !== undefined) throw new SchemaMisfit(refusal);
  for (const notice of notices) log.warn(notice);
}
