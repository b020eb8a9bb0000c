/** The pool, transactions, and the few PostgreSQL error codes that mean something to us, by name. */
import { createHash } from 'node:crypto';
import { Client, Pool, types } from 'pg';
import type { PoolClient, QueryResult, QueryResultRow } from 'pg';
import type { Config } from '../config/config';
import { safely } from '../observability/safely';

// BIGINT columns hold money below 2^53 (a CHECK keeps them there), so a number loses nothing.
types.setTypeParser(types.builtins.INT8, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`a BIGINT beyond the safe integers was read: ${text}`);
  return value;
});

/** What stores need of a connection: the pool itself, or a client inside a transaction. */
export interface Queryable {
  query<R extends QueryResultRow>(text: string, values?: unknown[]): Promise<QueryResult<R>>;
}

export type Database = Pool;

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000;

/**
 * Every statement with values is prepared once per connection, under the hash of its text: PostgreSQL parses and plans it
 * once, which saves a fifth of a hold's time. All texts are constants of the stores, so their number is small. Behind PgBouncer in transaction mode
 * this needs version 1.21 or newer with max_prepared_statements above 0.
 */
class PreparingClient extends Client {
  private static readonly names = new Map<string, string>();

  private static nameOf(text: string): string {
    const known = PreparingClient.names.get(text);
    if (known !== undefined) return known;
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    PreparingClient.names.set(text, name);
    return name;
  }

  // The pool and the stores call query(text, values, callback?); the other forms pass through as they are.
  override query = ((...args: unknown[]) => {
    const [text, values, ...rest] = args;
    const ask = super.query.bind(this) as (...given: unknown[]) => unknown;
    if (typeof text !== 'string' || !Array.isArray(values) || plannedEachTime.has(text)) return ask(...args);
    return ask({ name: PreparingClient.nameOf(text), text, values }, ...rest);
  }) as Client['query'];
}

const plannedEachTime = new Set<string>();

/**
 * For a statement over a table that is empty at one moment and large at the next, as a queue is: a plan that was made
 * for the one and kept is a bad plan for the other. It is planned whenever it is asked.
 */
export function planEachTime(text: string): string {
  plannedEachTime.add(text);
  return text;
}

type DatabaseConfig = Pick<
  Config,
  'DB_HOST' | 'DB_PORT' | 'DB_USER' | 'DB_PASSWORD' | 'DB_NAME' | 'DB_POOL_SIZE' | 'DB_SSL'
>;

export function createDatabase(config: DatabaseConfig, onError: (error: Error) => void): Database {
  const pool = new Pool({
    Client: PreparingClient,
    host: config.DB_HOST,
    port: config.DB_PORT,
    user: config.DB_USER,
    password: config.DB_PASSWORD,
    database: config.DB_NAME,
    max: config.DB_POOL_SIZE,
    ssl: config.DB_SSL,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    // A process that froze in a transaction must not keep its locks, nor a vanished host its connection.
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    // The server's own limit does not help when the server is gone: the client gives up a second later.
    query_timeout: STATEMENT_TIMEOUT_MS + 1_000,
  });
  // An idle connection that the server closes must not end the process.
  pool.on('error', onError);
  // Nor one that dies in somebody's hands: the pool does not listen to it then, and its owner's statement fails anyway.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Runs `work` in one transaction: committed when it returns, rolled back when it throws. */
export function withTransaction<T>(db: Database, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  return inTransaction(db, 'BEGIN', work);
}

/**
 * The same, but its commit does not wait for the disk: a crash of PostgreSQL may forget it, whole, some tenths of a
 * second later. For what may be forgotten without harm, such as a lease.
 */
export function withForgettableTransaction<T>(
  db: Database,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  return inTransaction(db, 'BEGIN; SET LOCAL synchronous_commit = off', work);
}

/** In the transaction that is given, or else in one of its own. */
export function withinTransaction<T>(
  given: Database | PoolClient,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  return given instanceof Pool ? withTransaction(given, work) : work(given);
}

const afterCommits = new WeakMap<PoolClient, (() => void)[]>();

/** Has something done once the transaction is committed, and not at all when it is rolled back. What it throws undoes nothing. */
export function afterCommit(tx: PoolClient, action: () => void): void {
  const actions = afterCommits.get(tx);
  if (actions === undefined) throw new Error('no transaction is under way');
  actions.push(action);
}

async function inTransaction<T>(
  db: Database,
  begin: string,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await db.connect();
  const actions: (() => void)[] = [];
  let result: T;
  afterCommits.set(client, actions);
  try {
    await client.query(begin);
    result = await work(client);
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    // A connection whose rollback fails is broken: destroy it, the server rolls back by itself.
    const broken = await client.query('ROLLBACK').then(
      () => undefined,
      (rollbackError: unknown) => rollbackError as Error,
    );
    client.release(broken ?? hasStalePlan(error));
    throw error;
  }
  for (const action of actions) safely('what follows a commit', action);
  return result;
}

/** A migration changed what a prepared statement returns: the connection must prepare anew, so it is not used again. */
function hasStalePlan(error: unknown): boolean {
  return ['0A000', '26000'].includes((error as { code?: string }).code ?? '');
}

const UNIQUE_VIOLATION = '23505';

/** True when the error is a violation of exactly this unique index or constraint. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  const candidate = error as { code?: string; constraint?: string };
  return candidate.code === UNIQUE_VIOLATION && candidate.constraint === constraint;
}
