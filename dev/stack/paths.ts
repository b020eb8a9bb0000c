/** Where things are: the checkout, the data of the embedded stack, and the cache that outlives a clone. */
import { chmodSync, mkdtempSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const ROOT = resolve(__dirname, '../..');

/** What node is told to run a TypeScript file of ours as a process of its own. @param script from the root of the checkout */
export function typescriptArgs(script: string): string[] {
  return [join(ROOT, 'dev/stack/run-typescript.mjs'), join(ROOT, script)];
}

/** Data of `npm start`: `.holdfast` in the checkout, or what HOLDFAST_DATA_DIR names. */
export function defaultDataDir(environment: Readonly<Record<string, string | undefined>>): string {
  return resolve(ROOT, environment['HOLDFAST_DATA_DIR'] || '.holdfast');
}

/** The cache shared by every clone of one user. */
export function cacheDir(environment: Readonly<Record<string, string | undefined>>): string {
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast');
}

/** A new data folder for a run that leaves nothing; PostgreSQL's user, who is not root, must be able to enter it. */
export function temporaryDataDir(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  chmodSync(folder, 0o755);
  return folder;
}
