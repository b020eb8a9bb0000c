/**
 * Applies the migrations to the database that DB_* name: `node --import tsx src/stores/migrate-main.ts`. Prints what it applied.
 * Those that take away what the versions before still need wait for `--contract` (docs/versioning.md).
 */
import { configSchema } from '../config/config';
import { migrate } from './migrate';

const databaseSettings = configSchema.pick({
  DB_HOST: true,
  DB_PORT: true,
  DB_USER: true,
  DB_PASSWORD: true,
  DB_NAME: true,
  DB_SSL: true,
});

const takesContract = process.argv.includes('--contract');

migrate(databaseSettings.parse(process.env), takesContract, (line) => console.error(line)).then(
  (applied) => {
    for (const name of applied) console.log(name);
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
