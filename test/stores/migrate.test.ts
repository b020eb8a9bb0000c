/** Migrations as an operator runs them: each whole or not at all, by one process, and never long in the way of others. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { withClient } from '../../dev/stack/database';
import { ROOT, typescriptArgs } from '../../dev/stack/paths';
import { loadConfig } from '../../src/config/config';
import { withPatience } from '../../src/stores/migrate';
import { knownMigrations } from '../../src/stores/schema-version';
import { eventually } from '../e2e/eventually';

const config = loadConfig({ ...process.env });
let name: string;

beforeEach(async () => {
  name = `test_${randomBytes(6).toString('hex')}`;
  await withClient(config, 'postgres', (client) => client.query(`CREATE DATABASE ${name}`));
});
afterEach(() =>
  withClient(config, 'postgres', (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`)),
);

const inDatabase = <T>(work: (client: Client) => Promise<T>) => withClient(config, name, work);
const applied = async () =>
  (
    await inDatabase((client) => client.query<{ name: string }>('SELECT name FROM schema_migrations'))
  ).rows.map((row) => row.name);

/** One process that migrates; `output` and `errors` are what it has said so far. */
function migrating() {
  const child = spawn(process.execPath, [...typescriptArgs('src/stores/migrate-main.ts'), '--contract'], {
    cwd: ROOT,
    env: { ...process.env, DB_NAME: name },
  });
  const said = { output: '', errors: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.errors += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { said, ended };
}

test('two processes at once apply each migration once', async () => {
  const both = [migrating(), migrating()];
  expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([0, 0]);
  const lines = both
    .map(({ said }) => said.output)
    .join('')
    .trim()
    .split('\n');
  expect(lines).toEqual(knownMigrations());
  expect(await applied()).toEqual(knownMigrations());
});

const OPERATORS = knownMigrations().indexOf('0010-operators');

/** A database that the tenth migration cannot be applied to: a table that it makes after another is there already. */
async function stoppedAtOperators(): Promise<void> {
  await inDatabase((client) => client.query('CREATE TABLE admin_audit_outcomes (n INT)'));
  const { said, ended } = migrating();
  expect(await ended).toBe(1);
  expect(said.errors).toContain('relation "admin_audit_outcomes" already exists');
  expect(said.errors).toContain('applied before that, and it stays: 0001-foundation, ');
  await inDatabase((client) => client.query('DROP TABLE admin_audit_outcomes'));
}

test('one that fails in the middle leaves nothing of itself, and what is before it stays', async () => {
  await stoppedAtOperators();
  expect(await applied()).toEqual(knownMigrations().slice(0, OPERATORS));
  const { rows } = await inDatabase((client) =>
    client.query(`SELECT to_regclass('admin_keys') AS made_by_it`),
  );
  expect(rows).toEqual([{ made_by_it: null }]);
  const { said, ended } = migrating();
  expect(await ended).toBe(0);
  expect(said.output.trim().split('\n')).toEqual(knownMigrations().slice(OPERATORS));
});

test('one that cannot have a lock steps back, says whom it waits for, and goes on when that has ended', async () => {
  await stoppedAtOperators();
  await inDatabase(async (reader) => {
    await reader.query(`SET application_name = 'long report'`);
    await reader.query('BEGIN; SELECT 1 FROM channel_accounts');
    const { said, ended } = migrating();
    await eventually(
      'its word',
      () => said.errors,
      (text) => text.includes('try 1 of 5'),
    );
    expect(said.errors).toMatch(
      /no lock within 3000 ms .*"application":"long report","state":"idle in transaction"/,
    );
    // It waits no more: whoever stood behind it has its turn.
    await inDatabase((other) => other.query(`SET lock_timeout = '1s'; SELECT 1 FROM channel_accounts`));
    await reader.query('COMMIT');
    expect(await ended).toBe(0);
    expect(said.output.trim().split('\n')).toEqual(knownMigrations().slice(OPERATORS));
  });
});

describe('the wait for locks', () => {
  const PATIENCE = { timeoutMs: 100, tries: 2, pauseMs: 50 };
  const TAKES_ALL = 'BEGIN; LOCK TABLE a; CREATE TABLE b (n INT); COMMIT';

  test('ends after some tries, with nothing done', async () => {
    const said: string[] = [];
    await inDatabase(async (holder) => {
      await holder.query('CREATE TABLE a (n INT)');
      await holder.query('BEGIN; SELECT 1 FROM a');
      await inDatabase(async (client) => {
        const work = (say: (line: string) => void) => {
          say('what the library says of it');
          return client.query(TAKES_ALL);
        };
        await expect(withPatience(client, work, (line) => said.push(line), PATIENCE)).rejects.toThrow(
          /could not have its locks, and nothing of it is applied/,
        );
        expect((await client.query(`SELECT to_regclass('b') AS b`)).rows).toEqual([{ b: null }]);
      });
    });
    expect(said.map((line) => line.slice(0, 37))).toEqual([
      'no lock within 100 ms (try 1 of 2). O',
      'no lock within 100 ms (try 2 of 2). O',
    ]);
  });

  test('is not for other mistakes: these are thrown at once, with what was said of them', async () => {
    const said: string[] = [];
    let tries = 0;
    await inDatabase(async (client) => {
      const work = (say: (line: string) => void) => {
        tries += 1;
        say('where it went wrong');
        return client.query('SELECT 1 FROM no_such_table');
      };
      await expect(withPatience(client, work, (line) => said.push(line), PATIENCE)).rejects.toThrow(
        'relation "no_such_table" does not exist',
      );
    });
    expect([tries, said]).toEqual([1, ['where it went wrong']]);
  });
});
