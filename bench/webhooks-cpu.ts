/** Processor time of servers, from /proc. */
import { readFileSync } from 'node:fs';
import { descendants } from '../dev/stack/process-table';
import type { Server } from '../dev/stack/processes';

/** USER_HZ, 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Seconds of processor time that the process, its children and those of them that have ended have used so far;
 * NaN where there is no /proc.
 */
export function cpuSeconds(server: Pick<Server, 'name' | 'pid'>): number {
  const pid = server.pid();
  if (pid === undefined) throw new Error(`${server.name} does not run`);
  const ticks = [pid, ...descendants(pid)].map(ticksOf);
  return ticks.reduce((sum, one) => sum + one, 0) / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // One that has just ended is in its parent's sum.
    return process.platform === 'linux' ? 0 : NaN;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // utime, stime, and the same of the children that have ended.
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}
