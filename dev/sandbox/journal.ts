/**
 * Persistence: an append-only file of JSON lines. What a request changed is handed to the kernel before the request is
 * answered, which survives SIGKILL (not a power cut: nothing here is worth an fsync). Without a folder nothing is written.
 */
import fs from 'node:fs';
import path from 'node:path';

const SOON_MS = 50;

/** The records of an earlier run, in order. A last line cut off by a crash is dropped: it was never answered. */
export function readJournal<R>(folder: string, name: string): R[] {
  const file = path.join(folder, name);
  if (folder === '' || !fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as R);
}

/** Begins with `rewrite`: starting is the moment to drop what was overwritten since. */
export class Journal<R> {
  private readonly file: string | undefined;
  private descriptor: number | undefined;
  private buffer = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(folder: string, name: string) {
    this.file = folder === '' ? undefined : path.join(folder, name);
    if (folder !== '') fs.mkdirSync(folder, { recursive: true });
  }

  add(record: R): void {
    if (this.file !== undefined) this.buffer += `${JSON.stringify(record)}\n`;
  }

  /** Writes what was added since the last flush. */
  flush(): void {
    // A delivery may still come to its end while the server stops; it is repeated after the next start.
    if (this.buffer === '' || this.descriptor === undefined) return;
    fs.writeSync(this.descriptor, this.buffer);
    this.buffer = '';
  }

  /** For what may be lost with a crash: many changes in one write. */
  flushSoon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, SOON_MS).unref();
  }

  /** Replaces everything by these records. */
  rewrite(records: Iterable<R>): void {
    if (this.file === undefined) return;
    const lines = [...records].map((record) => `${JSON.stringify(record)}\n`);
    fs.writeFileSync(`${this.file}.next`, lines.join(''));
    this.buffer = '';
    this.close();
    fs.renameSync(`${this.file}.next`, this.file);
    this.descriptor = fs.openSync(this.file, 'a');
  }

  close(): void {
    this.flush();
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor);
    this.descriptor = undefined;
  }
}
