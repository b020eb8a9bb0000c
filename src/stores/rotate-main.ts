/**
 * Seals everything at rest with the first of HOLDFAST_ENCRYPTION_KEYS: `npm run keys:rotate`, or with `-- --dry-run` counts
 * what each key has sealed. May run beside the system, may be stopped (Ctrl-C) and started again. Ends with 1 when an older
 * key is still needed.
 */
import { configSchema } from '../config/config';
import { createDatabase } from './postgres';
import { rotateKeys } from './rotate';
import type { ColumnReport } from './rotate';

const settingsSchema = configSchema.pick({
  DB_HOST: true,
  DB_PORT: true,
  DB_USER: true,
  DB_PASSWORD: true,
  DB_NAME: true,
  DB_SSL: true,
  HOLDFAST_ENCRYPTION_KEYS: true,
});

/** @returns 0 when nothing is sealed with an older key any more */
async function main(): Promise<number> {
  const unknown = process.argv.slice(2).filter((argument) => argument !== '--dry-run');
  if (unknown.length > 0) throw new Error(`There is no ${unknown.join(' ')}: --dry-run is all there is.`);
  const dryRun = process.argv.includes('--dry-run');
  const settings = settingsSchema.safeParse(process.env);
  if (!settings.success) {
    const lines = settings.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`These settings are missing or wrong (see .env.example):\n${lines.join('\n')}`);
  }
  const keyRing = settings.data.HOLDFAST_ENCRYPTION_KEYS;
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
  const db = createDatabase({ ...settings.data, DB_POOL_SIZE: 1 }, () => undefined);
  try {
    const onColumn = (report: ColumnReport) => console.log(lineOf(report));
    const reports = await rotateKeys(db, { keyRing, dryRun, stopping: stopping.signal, onColumn });
    return conclude(reports, { keyRing, dryRun, stopped: stopping.signal.aborted });
  } finally {
    await db.end();
  }
}

function lineOf({ table, column, byKey, resealed, left, unreadable, unreadableRows }: ColumnReport): string {
  const found = Object.entries(byKey).map(([key, values]) => `${values} by ${key === '' ? 'no key' : key}`);
  const parts = [found.length === 0 ? 'empty' : found.join(', ')];
  if (resealed > 0) parts.push(`${resealed} re-sealed`);
  if (left > 0) parts.push(`${left} to be re-sealed`);
  if (unreadable > 0) parts.push(`${unreadable} CANNOT BE OPENED (${unreadableRows.join(', ')})`);
  return `${`${table}.${column}`.padEnd(42)} ${parts.join('; ')}`;
}

function conclude(
  reports: readonly ColumnReport[],
  { keyRing, dryRun, stopped }: { keyRing: string; dryRun: boolean; stopped: boolean },
): number {
  const sum = (of: (report: ColumnReport) => number) => reports.reduce((total, one) => total + of(one), 0);
  const [resealed, left] = [sum((one) => one.resealed), sum((one) => one.left)];
  const unreadable = sum((one) => one.unreadable);
  const current = keyRing.split(':')[0] ?? '';
  if (dryRun) console.log(`Nothing was changed: ${left} values would be sealed with ${current}.`);
  else console.log(`${resealed} values were sealed with ${current}.`);
  if (stopped) console.log('Stopped before the end: start it again, it goes on where it was.');
  else if (left > 0 && !dryRun) {
    console.log(`${left} were busy or sealed anew with an older key: start it again when every process`);
    console.log(`has ${current} as its first key.`);
  }
  if (unreadable > 0)
    console.log(`${unreadable} cannot be opened with the keys given: give the missing one.`);
  if (stopped || left > 0 || unreadable > 0) {
    console.log('Keep the older keys.');
    return 1;
  }
  console.log('No older key is needed any more, but by backups made before.');
  return 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
