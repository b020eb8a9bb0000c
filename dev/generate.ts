/**
 * `npm run generate`: writes what is derived from the sources, .env.example from the schema of the settings, db/schema.sql
 * from the migrations, and the Postman collection from the OpenAPI document. Tests compare them with what this would write
 * now: test/tidy.test.ts, test/stores/schema.test.ts, test/docs/postman.test.ts.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'pg';
import { renderEnvExample } from './env-example';
import { POSTMAN_FILE, renderPostman } from './postman';
import { dumpSchema } from './schema-dump';
import { createDatabaseIfMissing, migrateDatabase } from './stack/database';
import { ROOT, temporaryDataDir } from './stack/paths';
import { startStack } from './stack/stack';

const DATABASE = 'holdfast_schema';

/** The schema as the migrations make it, in a PostgreSQL of its own that leaves nothing behind. */
async function freshSchema(): Promise<string> {
  const stack = await startStack({
    dataDir: temporaryDataDir('generate'),
    ports: 'free',
    temporary: true,
    only: ['postgres'],
    environment: { DB_NAME: DATABASE },
  });
  const { DB_HOST = '', DB_PORT = '', DB_USER = '', DB_PASSWORD = '' } = stack.environment;
  const connection = { DB_HOST, DB_PORT: Number(DB_PORT), DB_USER, DB_PASSWORD, DB_SSL: false };
  try {
    await createDatabaseIfMissing(connection, DATABASE);
    await migrateDatabase({ ...process.env, ...stack.environment });
    const pool = new Pool({
      host: DB_HOST,
      port: Number(DB_PORT),
      user: DB_USER,
      password: DB_PASSWORD,
      database: DATABASE,
    });
    // An idle connection that ends with the server must not end this.
    pool.on('error', () => undefined);
    return await dumpSchema(pool).finally(() => pool.end());
  } finally {
    await stack.stop();
  }
}

async function generate(): Promise<void> {
  writeFileSync(join(ROOT, '.env.example'), renderEnvExample());
  writeFileSync(join(ROOT, 'db/schema.sql'), await freshSchema());
  writeFileSync(join(ROOT, POSTMAN_FILE), await renderPostman());
  console.log(`.env.example, db/schema.sql and ${POSTMAN_FILE} are written`);
}

generate().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
