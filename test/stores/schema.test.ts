import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'pg';
import { dumpSchema } from '../../dev/schema-dump';
import { createTestDatabase } from '../setup/test-database';
import type { TestDatabase } from '../setup/test-database';

describe('db/schema.sql', () => {
  let database: TestDatabase;
  let pool: Pool;

  beforeAll(async () => {
    database = await createTestDatabase();
    const { DB_HOST, DB_PORT, DB_USER, DB_PASSWORD } = database.config;
    pool = new Pool({
      host: DB_HOST,
      port: DB_PORT,
      user: DB_USER,
      password: DB_PASSWORD,
      database: database.name,
      max: 1,
    });
  });

  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  test('is what the migrations lead to (npm run generate)', async () => {
    expect(await dumpSchema(pool)).toBe(readFileSync(join(__dirname, '../../db/schema.sql'), 'utf8'));
  });

  test('would be missed by any other schema', async () => {
    const before = await dumpSchema(pool);
    await pool.query('ALTER TABLE merchants ADD COLUMN forgotten INT');
    expect(await dumpSchema(pool)).not.toBe(before);
  });
});
