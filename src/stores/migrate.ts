/** Migrations: the numbered files of db/migrations, each applied once, by one process at a time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Config } from '../config/config';
import { appliedMigrations, heldBack, knownMigrations, MIGRATIONS, MIGRATIONS_TABLE } from './schema-version';

type DatabaseConfig = Pick<Config, 'DB_HOST' | 'DB_PORT' | 'DB_USER' | 'DB_PASSWORD' | 'DB_NAME' | 'DB_SSL'>;
type Log = (line: string) => void;

/** How long a statement waits for its lock, and how often, with what pause, the migration is tried. */
export interface LockPatience {
  readonly timeoutMs: number;
  readonly tries: number;
  readonly pauseMs: number;
}

/** While a migration waits for a table's lock, everybody else waits behind it: so not for long, and then they go first. */
const PATIENCE: LockPatience = { timeoutMs: 3_000, tries: 5, pauseMs: 2_000 };
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Applies every migration that is missing, each in a transaction of its own: when one fails, those before it stay. Several
 * processes may call it at once: one works, the others wait for it (an advisory lock) and find nothing left to do.
 * @param takesContract applies those too that take away what the versions before need
 * @returns the names of the migrations applied, in order; empty when the schema was up to date
 * @throws Error when one is held back that others wait for, when one fails, or when its locks cannot be had
 */
export async function migrate(config: DatabaseConfig, takesContract: boolean, log: Log): Promise<string[]> {
  const held = heldBack(knownMigrations(), await appliedMigrations(config), takesContract);
  for (const name of held) log(`${name} is left for later: apply it with --contract`);
  // An ES module, and needed only here: loaded when asked for.
  const { runner, PG_MIGRATE_LOCK_ID } = await import('node-pg-migrate');
  const client = new Client({
    host: config.DB_HOST,
    port: config.DB_PORT,
    user: config.DB_USER,
    password: config.DB_PASSWORD,
    database: config.DB_NAME,
    ssl: config.DB_SSL,
  });
  client.on('error', () => undefined); // the statement that is under way fails, too
  await client.connect();
  try {
    await client.query(`SELECT pg_advisory_lock(${PG_MIGRATE_LOCK_ID})`);
    const next = (say: Log) =>
      runner({
        dbClient: client,
        noLock: true, // it is ours: the wait for another process has no limit
        dir: MIGRATIONS,
        ...(held.length > 0 && { ignorePattern: `(${held.join('|')})\\.sql` }),
        direction: 'up',
        count: 1,
        singleTransaction: false,
        migrationsTable: MIGRATIONS_TABLE,
        checkOrder: true,
        logger: { debug: () => undefined, info: () => undefined, warn: say, error: say },
      });
    return await oneByOne(client, async (say) => (await next(say)).map(({ name }) => name), log);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function oneByOne(client: Client, next: (say: Log) => Promise<string[]>, log: Log): Promise<string[]> {
  const applied: string[] = [];
  try {
    for (;;) {
      const [name] = await withPatience(client, next, log);
      if (name === undefined) return applied;
      applied.push(name);
    }
  } catch (error) {
    if (applied.length > 0) log(`applied before that, and it stays: ${applied.join(', ')}`);
    throw error;
  }
}

/**
 * Runs work whose statements wait a moment for their locks, and says whom it waits for. Between two tries whoever has waited
 * behind it goes first.
 * @param work is given where to say what went wrong: said unless it is only a lock
 * @throws what the work throws; an Error when the locks could not be had, then nothing of the work is done
 */
export async function withPatience<T>(
  client: Client,
  work: (say: Log) => Promise<T>,
  log: Log,
  { timeoutMs, tries, pauseMs }: LockPatience = PATIENCE,
): Promise<T> {
  await client.query(`SET lock_timeout = ${timeoutMs}`);
  for (let i = 1; ; i += 1) {
    const said: string[] = [];
    try {
      return await work((line) => said.push(line));
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) {
        said.forEach(log);
        throw error;
      }
      log(
        `no lock within ${timeoutMs} ms (try ${i} of ${tries}). ${await oldTransactions(client, timeoutMs)}`,
      );
      if (i === tries) throw new Error(GAVE_UP, { cause: error });
      await sleep(pauseMs);
    }
  }
}

const GAVE_UP =
  'The next migration could not have its locks, and nothing of it is applied; those before it stay. End or await the transactions named above (SELECT pg_terminate_backend(pid)), then run the migrations again.';

// Whoever kept us waiting has had its lock for longer than we have waited: who came later stood behind us.
const OLD_TRANSACTIONS = `
  SELECT pid, usename AS "user", application_name AS application, state, backend_type AS type,
         extract(epoch FROM clock_timestamp() - xact_start)::int AS seconds
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND wait_event IS DISTINCT FROM 'advisory' -- another process that migrates, and waits for this one
    AND xact_start < clock_timestamp() - $1::int * interval '1 millisecond'
  ORDER BY xact_start LIMIT 5`;

async function oldTransactions(client: Client, timeoutMs: number): Promise<string> {
  const { rows } = await client.query<Record<string, unknown>>(OLD_TRANSACTIONS, [timeoutMs]);
  return rows.length === 0
    ? 'Whoever had it has ended.'
    : `Open for longer: ${rows.map((row) => JSON.stringify(row)).join(', ')}`;
}
