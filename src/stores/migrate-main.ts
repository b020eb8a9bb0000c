/** Applies the migrations to the database that DB_* name: `node --import tsx src/stores/migrate-main.ts`. Prints what it applied. */
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

migrate(databaseSettings.parse(process.env), (line) => console.error(line)).then(
  (applied) => {
    for (const name of applied) console.log(name);
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
