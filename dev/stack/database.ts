/** The database of the stack: made when it is missing, then migrated. */
import { Client } from 'pg';
import type { Config } from '../../src/config/config';
import { runLong } from './commands';
import { StackError } from './errors';
import { ROOT, typescriptArgs } from './paths';

export type Connection = Pick<Config, 'DB_HOST' | 'DB_PORT' | 'DB_USER' | 'DB_PASSWORD' | 'DB_SSL'>;

const CONNECT_TIMEOUT_MS = 10_000;
const NO_SUCH_DATABASE = '3D000';

/** Runs `work` on a connection of its own to one database of the server. */
export async function withClient<T>(
  connection: Connection,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({
    host: connection.DB_HOST,
    port: connection.DB_PORT,
    user: connection.DB_USER,
    password: connection.DB_PASSWORD,
    ssl: connection.DB_SSL,
    database,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @returns true when it had to be made */
export async function createDatabaseIfMissing(connection: Connection, name: string): Promise<boolean> {
  try {
    await withClient(connection, name, (client) => client.query('SELECT 1'));
    return false;
  } catch (error) {
    if ((error as { code?: string }).code !== NO_SUCH_DATABASE) throw error;
  }
  await withClient(connection, 'postgres', (client) =>
    client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`),
  );
  return true;
}

/**
 * Applies what is missing of db/migrations in a process of its own, as an operator would (`node --import tsx
 * src/stores/migrate-main.ts`); test runners cannot load the migration library, an ES module, into theirs.
 * @param environment with the DB_* settings
 * @returns one line for each migration applied
 */
export async function migrateDatabase(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string[]> {
  // Of a stack, every process has the same version.
  const args = [...typescriptArgs('src/stores/migrate-main.ts'), '--contract'];
  const { code, output } = await runLong(process.execPath, args, {
    cwd: ROOT,
    environment,
    everyMs: 60_000,
    onTick: () => undefined,
  });
  if (code !== 0)
    throw new StackError(`The migrations of ${environment['DB_NAME'] ?? '?'} failed:\n${output}`);
  return output.split('\n').filter((line) => line !== '');
}
