/** Starts watchdog-process.mjs, which ends the stack's servers when this process is killed without a chance to do it. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { runDir } from './process-table';

export function startWatchdog(dataDir: string, removeData: boolean): void {
  const script = join(__dirname, 'watchdog-process.mjs');
  const child = spawn(process.execPath, [script, runDir(dataDir), ...(removeData ? [dataDir] : [])], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  // Neither the process nor its pipe keeps this one alive; the pipe closes when this one ends, however that comes about.
  child.on('error', () => undefined);
  child.unref();
  (child.stdin as Socket).unref();
}
