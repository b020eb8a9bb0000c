/** A database of its own for a test file: a clone of the migrated template, made in some 50 ms. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from '../../dev/stack/database';
import { loadConfig } from '../../src/config/config';
import type { Config } from '../../src/config/config';

const TEMPLATE_IN_USE = '55006';
const CLONE_TRIES = 40;
const CLONE_PAUSE_MS = 100;

export interface TestDatabase {
  readonly name: string;
  /** The settings of the run's servers with DB_NAME of this database. */
  readonly config: Config;
  /** The same as text, for a child process. */
  readonly environment: Record<string, string | undefined>;
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>;
}

/** @param overrides settings that differ from the run's, as text, like environment variables */
export async function createTestDatabase(
  overrides: Readonly<Record<string, string>> = {},
): Promise<TestDatabase> {
  const template = process.env['HOLDFAST_TEST_TEMPLATE'];
  if (template === undefined) {
    throw new Error('this test needs the servers of the run: start it without HOLDFAST_TEST_SERVERS=none');
  }
  const name = `test_${randomBytes(6).toString('hex')}`;
  // All suites share one Redis: what routers tell one another there is of one database.
  const own = { DB_NAME: name, REDIS_KEY_PREFIX: `${name}:` };
  // What is tried by chance is for the tests of chance.
  const environment = { ...process.env, ROUTING_EXPLORATION: '0', ...overrides, ...own };
  const config = loadConfig(environment);
  await clone(config, template, name);
  return {
    name,
    config,
    environment,
    drop: () =>
      withClient(config, 'postgres', async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
      }),
  };
}

/** Two clones made at the same moment disturb each other ("template is being accessed"): the second tries again. */
async function clone(config: Config, template: string, name: string): Promise<void> {
  for (let i = 1; ; i += 1) {
    try {
      await withClient(config, 'postgres', (client) =>
        client.query(
          `CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE ${client.escapeIdentifier(template)}`,
        ),
      );
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== TEMPLATE_IN_USE || i === CLONE_TRIES) throw error;
      await sleep(CLONE_PAUSE_MS);
    }
  }
}
