/**
 * A base backup with archived WAL, and its restoration, with what every PostgreSQL has: `pg_basebackup` and a tool that
 * ships WAL do the same in production, and a folder copied in between is the same file by file.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { POSTGRES_PASSWORD, POSTGRES_USER } from '../stack/postgres';
import type { PostgresHome } from '../stack/postgres-home';
import type { Server } from '../stack/processes';

const PATIENCE_MS = 20_000;
const POLL_MS = 100;

export async function asSuperuser<T>(server: Server, database: string, work: (client: Client) => Promise<T>) {
  const client = new Client({
    ...{ host: server.address.host, port: server.address.port, database },
    ...{ user: POSTGRES_USER, password: POSTGRES_PASSWORD },
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Where WAL and base backups go; PostgreSQL's own user writes the WAL. */
export function backupFolder(dataDir: string, { user }: PostgresHome): string {
  const folder = join(dataDir, 'backup');
  mkdirSync(join(folder, 'wal'), { recursive: true });
  if (user !== undefined) chownSync(join(folder, 'wal'), user.uid, user.gid);
  return folder;
}

/** From its next start on; a file of the same name is never overwritten. */
export async function archiveWal(server: Server, backup: string): Promise<void> {
  await asSuperuser(server, 'postgres', async (client) => {
    await client.query(`ALTER SYSTEM SET archive_mode = on`);
    await client.query(
      `ALTER SYSTEM SET archive_command = 'test ! -f ${backup}/wal/%f && cp %p ${backup}/wal/%f'`,
    );
  });
  await server.restart();
}

/** Of the whole server, so that all databases are of one instant; it goes on serving meanwhile. */
export async function takeBaseBackup(server: Server, home: PostgresHome, backup: string): Promise<string> {
  const target = join(backup, 'base');
  await asSuperuser(server, 'postgres', async (client) => {
    await client.query(`SELECT pg_backup_start('drill', true)`);
    // Files vanish and grow while they are copied, which is what the WAL is for; so cp may complain.
    copy(home.data, target);
    const { rows } = await client.query<{ labelfile: string }>(
      'SELECT labelfile FROM pg_backup_stop(wait_for_archive => true)',
    );
    for (const left of ['postmaster.pid', 'postmaster.opts']) rmSync(join(target, left), { force: true });
    rmSync(join(target, 'pg_wal'), { recursive: true });
    writeFileSync(join(target, 'backup_label'), rows[0]?.labelfile ?? '');
  });
  return target;
}

/** Everything committed so far is in the archive afterwards. */
export async function finishSegment(server: Server, backup: string): Promise<void> {
  const file = await asSuperuser(server, 'postgres', async (client) => {
    // Without a change in it a segment is not switched.
    await client.query(`SELECT pg_create_restore_point('drill')`);
    const { rows } = await client.query<{ name: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS name');
    return rows[0]?.name ?? '';
  });
  const deadlineMs = Date.now() + PATIENCE_MS;
  while (!existsSync(join(backup, 'wal', file))) {
    if (Date.now() > deadlineMs) throw new Error(`WAL segment ${file} was not archived`);
    await sleep(POLL_MS);
  }
}

/** @param upTo `latest`: to the last archived commit; `base`: to the end of the base backup. What is there is removed. */
export function restore(backup: string, home: PostgresHome, upTo: 'latest' | 'base'): void {
  rmSync(home.data, { recursive: true, force: true });
  copy(join(backup, 'base'), home.data);
  const wal = join(home.data, 'pg_wal');
  mkdirSync(wal, { mode: 0o700 });
  const target =
    upTo === 'base' ? [`recovery_target = 'immediate'`, `recovery_target_action = 'promote'`] : [];
  // Nobody is let in before it may write.
  const always = [`archive_mode = off`, `hot_standby = off`];
  const settings = [`restore_command = 'cp ${backup}/wal/%f %p'`, ...always, ...target];
  appendFileSync(join(home.data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
  writeFileSync(join(home.data, 'recovery.signal'), '');
  writeFileSync(join(home.data, 'backup_label'), '', { flag: 'a' });
  chmodSync(home.data, 0o700);
  if (home.user === undefined) return;
  for (const path of [home.data, wal, ...['recovery.signal', 'backup_label'].map((f) => join(home.data, f))])
    chownSync(path, home.user.uid, home.user.gid);
}

/** With owners and modes. */
export function copy(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  try {
    execFileSync('cp', ['-a', from, to], { stdio: 'ignore' });
  } catch (error) {
    if (!existsSync(join(to, 'PG_VERSION'))) throw error;
  }
}
