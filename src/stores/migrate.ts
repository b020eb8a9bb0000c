/** Migrations: the numbered files of db/migrations, each applied once, by one process at a time. */
import type { Config } from '../config/config';
import { appliedMigrations, heldBack, knownMigrations, MIGRATIONS, MIGRATIONS_TABLE } from './schema-version';

type DatabaseConfig = Pick<Config, 'DB_HOST' | 'DB_PORT' | 'DB_USER' | 'DB_PASSWORD' | 'DB_NAME' | 'DB_SSL'>;

/**
 * Applies every migration that is missing, all in one transaction. Several processes may call it at once: one works, the
 * others wait for it (an advisory lock) and find nothing left to do.
 * @param takesContract applies those too that take away what the versions before need
 * @returns the names of the migrations applied, in order; empty when the schema was up to date
 * @throws Error when one is held back that others wait for
 */
export async function migrate(
  config: DatabaseConfig,
  takesContract: boolean,
  log: (line: string) => void,
): Promise<string[]> {
  const held = heldBack(knownMigrations(), await appliedMigrations(config), takesContract);
  for (const name of held) log(`${name} is left for later: apply it with --contract`);
  // An ES module, and needed only here: loaded when asked for.
  const { runner } = await import('node-pg-migrate');
  const applied = await runner({
    databaseUrl: {
      host: config.DB_HOST,
      port: config.DB_PORT,
      user: config.DB_USER,
      password: config.DB_PASSWORD,
      database: config.DB_NAME,
      ssl: config.DB_SSL,
    },
    dir: MIGRATIONS,
    ...(held.length > 0 && { ignorePattern: `(${held.join('|')})\\.sql` }),
    direction: 'up',
    migrationsTable: MIGRATIONS_TABLE,
    advisoryLockMode: 'wait',
    checkOrder: true,
    logger: { debug: () => undefined, info: () => undefined, warn: log, error: log },
  });
  return applied.map((migration) => migration.name);
}
