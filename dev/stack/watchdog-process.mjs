/**
 * Ends the servers of a stack whose owner was killed without a chance to do it (SIGKILL, a closed terminal). The owner
 * holds the other end of this process's standard input; when that closes, whatever still has a note in the run folder
 * is stopped. After an orderly stop there are no notes, and nothing happens.
 * Usage: node watchdog-process.mjs <run folder> [<folder to remove in the end>]
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const GRACE_MS = 5000;
const [runFolder, removable] = process.argv.slice(2);

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {});

function notes() {
  try {
    return readdirSync(runFolder)
      .filter((file) => file.endsWith('.pid'))
      .map((file) => JSON.parse(readFileSync(join(runFolder, file), 'utf8')));
  } catch {
    return [];
  }
}

function send(pid, signal) {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

process.stdin.resume();
process.stdin.on('close', async () => {
  const left = notes();
  for (const { pid, stopSignal } of left) send(pid, stopSignal);
  const deadline = Date.now() + GRACE_MS;
  while (left.some(({ pid }) => send(pid, 0)) && Date.now() < deadline) await sleep(50);
  for (const { pid } of left) {
    send(-pid, 'SIGKILL');
    send(pid, 'SIGKILL');
  }
  if (removable) {
    await sleep(200);
    rmSync(removable, { recursive: true, force: true, maxRetries: 5 });
  }
  process.exit(0);
});
