/**
 * An old version refuses a schema that took away what it needs, a new one a schema that lacks what it brings: judged on
 * names, and by real processes on a real database.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { withClient } from '../../dev/stack/database';
import { freePort } from '../../dev/stack/ports';
import { ROOT, typescriptArgs } from '../../dev/stack/paths';
import {
  heldBack,
  isContract,
  judgeSchema,
  knownMigrations,
  MIGRATIONS,
} from '../../src/stores/schema-version';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

const KNOWN = ['0001-a', '0002-b', '0003-contract-c'];

describe('a schema', () => {
  const refusals: readonly (readonly [string, readonly string[], RegExp | undefined])[] = [
    ['with everything', KNOWN, undefined],
    ['whose last contract migration waits', ['0001-a', '0002-b'], undefined],
    ['with something more', [...KNOWN, '0004-d'], undefined],
    ['without anything', [], /too old for this version: it lacks 0001-a, 0002-b\. Run the migrations/],
    ['that lacks one', ['0001-a', '0003-contract-c'], /too old for this version: it lacks 0002-b\./],
    [
      'that lost something',
      [...KNOWN, '0004-d', '0005-contract-e'],
      /too new for this version, which knows its schema up to 0003-contract-c: 0005-contract-e took away/,
    ],
  ];

  test.each(refusals)('%s', (_, applied, refusal) => {
    const verdict = judgeSchema(KNOWN, applied);
    if (refusal === undefined) expect(verdict.refusal).toBeUndefined();
    else expect(verdict.refusal).toMatch(refusal);
  });

  test('that differs and fits is spoken of', () => {
    expect(judgeSchema(KNOWN, KNOWN).notices).toEqual([]);
    expect(judgeSchema(KNOWN, ['0001-a', '0002-b']).notices[0]).toContain('0003-contract-c');
    expect(judgeSchema(KNOWN, [...KNOWN, '0004-d']).notices[0]).toContain('newer than this version (0004-d)');
  });
});

describe('contract migrations', () => {
  test('wait until they are asked for', () => {
    expect(heldBack(KNOWN, ['0001-a'], false)).toEqual(['0003-contract-c']);
    expect(heldBack(KNOWN, ['0001-a'], true)).toEqual([]);
    expect(heldBack(KNOWN, KNOWN, false)).toEqual([]);
  });

  test('are not passed by', () => {
    const longer = [...KNOWN, '0004-d'];
    expect(() => heldBack(longer, ['0001-a', '0002-b'], false)).toThrow(/--contract/);
    expect(heldBack(longer, KNOWN, false)).toEqual([]);
  });

  /** What a version before it may still read or write goes, or is refused. (A text that becomes longer takes nothing away.) */
  const TAKES =
    /\b(DROP\s+(TABLE|COLUMN|VIEW|FUNCTION|TYPE)|RENAME|SET\s+NOT\s+NULL|ALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE\s+(?!VARCHAR|TEXT))\b/i;
  const upOf = (text: string) =>
    (text.split('-- Down Migration')[0] ?? '').replace(/^\s*--.*$/gm, '').replace(/\s+/g, ' ');
  /** From the time before the first release: nobody runs a version that they could break. */
  const BEFORE_THE_RULE = 9;

  test('are named so: whatever takes away is one', () => {
    expect(TAKES.test(upOf('-- Up Migration\nALTER TABLE a\n  DROP COLUMN b;'))).toBe(true);
    expect(
      TAKES.test(upOf('ALTER TABLE a ADD COLUMN b INT; -- Down Migration\nALTER TABLE a DROP COLUMN b')),
    ).toBe(false);
    const unnamed = knownMigrations()
      .filter((name) => Number(name.slice(0, 4)) > BEFORE_THE_RULE && !isContract(name))
      .filter((name) => TAKES.test(upOf(readFileSync(join(MIGRATIONS, `${name}.sql`), 'utf8'))));
    expect(unnamed).toEqual([]);
  });

  test('indexes that can be made by hand before a deploy stand in the docs as in the migrations', () => {
    const indexesIn = (text: string) =>
      [...text.matchAll(/^CREATE INDEX (?:CONCURRENTLY )?IF NOT EXISTS (.*;)$/gm)].map(([, made]) => made);
    const migrated = knownMigrations()
      .filter((name) => Number(name.slice(0, 4)) > BEFORE_THE_RULE)
      .flatMap((name) => indexesIn(readFileSync(join(MIGRATIONS, `${name}.sql`), 'utf8')));
    expect(indexesIn(readFileSync(join(ROOT, 'docs/versioning.md'), 'utf8'))).toEqual(migrated);
    expect(migrated.length).toBeGreaterThan(0);
  });
});

describe('a process', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  const change = (text: string, values: string[]) =>
    withClient(database.config, database.name, (client) => client.query(text, values));

  /** @returns how it ended and what it said */
  async function start(script: string, more: Record<string, string> = {}) {
    const port = String(await freePort());
    const child = spawn(process.execPath, typescriptArgs(script), {
      cwd: ROOT,
      env: { ...database.environment, LOG_LEVEL: 'warn', API_PORT: port, WORKER_HEALTH_PORT: port, ...more },
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    return { child, ended, said: () => said };
  }

  const PROCESSES: readonly (readonly [string, string, Record<string, string>])[] = [
    ['the API', 'src/api/main.ts', {}],
    ['a worker', 'src/worker/main.ts', { WORKER_ROLES: 'payments,webhooks' }],
    ['the relay', 'src/worker/main.ts', { WORKER_ROLES: 'relay' }],
  ];

  test.each(PROCESSES)('%s refuses a newer schema', async (_, script, roles) => {
    await change('INSERT INTO schema_migrations (name, run_on) VALUES ($1, now())', ['9999-contract-future']);
    try {
      const { ended, said } = await start(script, roles);
      expect(await ended).toBe(1);
      expect(said()).toMatch(/^The database is too new for this version, .* 9999-contract-future took away/m);
    } finally {
      await change('DELETE FROM schema_migrations WHERE name = $1', ['9999-contract-future']);
    }
  });

  test.each(PROCESSES)('%s refuses an older schema', async (_, script, roles) => {
    const lacking = knownMigrations().at(-1) ?? '';
    await change('DELETE FROM schema_migrations WHERE name = $1', [lacking]);
    try {
      const { ended, said } = await start(script, roles);
      expect(await ended).toBe(1);
      expect(said()).toContain(`it lacks ${lacking}. Run the migrations first`);
    } finally {
      await change('INSERT INTO schema_migrations (name, run_on) VALUES ($1, now())', [lacking]);
    }
  });

  test('the API that starts while the database is away ends when it comes back as it must not be', async () => {
    // There is no such database at first, as there is none while its server is away.
    const name = `${database.name}_late`;
    const { child, ended, said } = await start('src/api/main.ts', { DB_NAME: name, LOG_LEVEL: 'info' });
    while (!said().includes('API listening')) {
      if (child.exitCode !== null) throw new Error(said());
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await withClient(database.config, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`),
    );
    try {
      expect(await ended).toBe(1);
      expect(said()).toContain('too old for this version: it lacks 0001-foundation');
    } finally {
      await withClient(database.config, 'postgres', (client) =>
        client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`),
      );
    }
  });
});
