/**
 * What the operating system knows about processes, and the notes kept about ours in `<data>/run`: one file per process
 * with its id and its start time, because an id alone may belong to a stranger after a restart of the machine.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from './errors';

const POLL_MS = 25;
const ORPHAN_TIMEOUT_MS = 5_000;
const OWNER_FILE = 'stack.owner';

interface Row {
  pid: number;
  parent: number;
}

interface Note {
  pid: number;
  startedAt: string;
  stopSignal: NodeJS.Signals;
}

/** Fields of /proc/<pid>/stat after the name, which may itself contain blanks and brackets. */
function procStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function ps(args: string[]): string {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

/** Something that differs between two processes that had the same id; undefined when there is no such process. */
export function startTime(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(['-o', 'lstart=', '-p', String(pid)]).trim() || undefined;
  const stat = procStat(pid);
  // A zombie is dead already; in a container nobody may ever collect it.
  return stat === undefined || stat[0] === 'Z' ? undefined : stat[19];
}

function processTable(): Row[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => ({ pid: Number(name), parent: Number(procStat(Number(name))?.[1] ?? -1) }));
  }
  return ps(['-A', '-o', 'pid=,ppid='])
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = -1, parent = -1]) => ({ pid, parent }));
}

/** The process's children, their children and so on. PostgreSQL's leave the process group, so a group kill misses them. */
export function descendants(pid: number): number[] {
  const table = processTable();
  const found = [pid];
  for (let i = 0; i < found.length; i += 1) {
    found.push(...table.filter((row) => row.parent === found[i]).map((row) => row.pid));
  }
  return found.slice(1);
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is gone already, which is what signals are sent for here.
  }
}

export function killTree(pid: number): number[] {
  const all = [pid, ...descendants(pid)];
  for (const one of all) signal(one, 'SIGKILL');
  return all;
}

/** @returns false when one of them is still there after the time */
export async function waitUntilGone(pids: readonly number[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (pids.some((pid) => startTime(pid) !== undefined)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

export function runDir(dataDir: string): string {
  const path = join(dataDir, 'run');
  mkdirSync(path, { recursive: true });
  return path;
}

function noteFile(dataDir: string, name: string): string {
  return join(runDir(dataDir), `${name}.pid`);
}

export function writeNote(dataDir: string, name: string, pid: number, stopSignal: NodeJS.Signals): void {
  const note: Note = { pid, startedAt: startTime(pid) ?? '', stopSignal };
  writeFileSync(noteFile(dataDir, name), JSON.stringify(note));
}

export function removeNote(dataDir: string, name: string): void {
  rmSync(noteFile(dataDir, name), { force: true });
}

function readNote(file: string): Note | undefined {
  try {
    const note = JSON.parse(readFileSync(file, 'utf8')) as Note;
    return startTime(note.pid) === note.startedAt ? note : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes this process the owner of the data folder and ends what an earlier owner left running when it was killed.
 * @throws StackError when another live process owns the folder
 */
export async function takeOver(dataDir: string): Promise<string[]> {
  const owner = readNote(join(runDir(dataDir), OWNER_FILE));
  if (owner !== undefined && owner.pid !== process.pid) {
    throw new StackError(
      `Holdfast already runs with the data in ${dataDir} (process ${owner.pid}): stop it with Ctrl-C first, or give ` +
        'this one a folder of its own with HOLDFAST_DATA_DIR and ports of its own.',
    );
  }
  const ended: string[] = [];
  for (const name of readdirSync(runDir(dataDir)).filter((file) => file.endsWith('.pid'))) {
    const file = join(runDir(dataDir), name);
    const note = owner === undefined ? readNote(file) : undefined;
    if (note !== undefined) {
      const family = [note.pid, ...descendants(note.pid)];
      signal(note.pid, note.stopSignal);
      if (!(await waitUntilGone(family, ORPHAN_TIMEOUT_MS))) for (const pid of family) killTree(pid);
      ended.push(name.replace(/\.pid$/, ''));
    }
    if (owner === undefined) rmSync(file, { force: true });
  }
  const note: Note = { pid: process.pid, startedAt: startTime(process.pid) ?? '', stopSignal: 'SIGTERM' };
  writeFileSync(join(runDir(dataDir), OWNER_FILE), JSON.stringify(note));
  return ended;
}

export function giveUp(dataDir: string): void {
  rmSync(join(runDir(dataDir), OWNER_FILE), { force: true });
}
