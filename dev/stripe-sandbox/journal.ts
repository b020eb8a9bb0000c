/**
 * Persistence: an append-only file of JSON lines. Everything a request changed is handed to the kernel in one write
 * before the request is answered, which survives SIGKILL (not a power cut: nothing here is worth an fsync). Without a
 * folder nothing is written.
 */
import fs from 'node:fs';
import path from 'node:path';

export interface JournalRecord {
  readonly kind:
    'intent' | 'refund' | 'dispute' | 'answer' | 'event' | 'endpoint' | 'endpoint-gone' | 'call' | 'config';
  readonly value: unknown;
}

export interface Journal {
  add(kind: JournalRecord['kind'], value: unknown): void;
  /** Writes what was added since the last flush. */
  flush(): void;
  /** Replaces everything by these records. */
  rewrite(records: Iterable<JournalRecord>): void;
  close(): void;
}

export const NO_JOURNAL: Journal = {
  add: () => undefined,
  flush: () => undefined,
  rewrite: () => undefined,
  close: () => undefined,
};

const FILE = 'stripe-sandbox.jsonl';

/** The records of an earlier run, in order. A last line cut off by a crash is dropped: it was never answered. */
export function readJournal(folder: string): JournalRecord[] {
  const file = path.join(folder, FILE);
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as JournalRecord);
}

export function openJournal(folder: string): Journal {
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, FILE);
  let descriptor = fs.openSync(file, 'a');
  let buffer = '';
  let isClosed = false;
  const flush = () => {
    // A delivery may still come to its end while the server stops; it is repeated after the next start.
    if (buffer === '' || isClosed) return;
    const text = buffer;
    buffer = '';
    fs.writeSync(descriptor, text);
  };
  return {
    add: (kind, value) => {
      buffer += `${JSON.stringify({ kind, value })}\n`;
    },
    flush,
    rewrite(records) {
      const next = `${file}.next`;
      const lines = [...records].map((record) => `${JSON.stringify(record)}\n`);
      fs.writeFileSync(next, lines.join(''));
      fs.renameSync(next, file);
      fs.closeSync(descriptor);
      descriptor = fs.openSync(file, 'a');
      buffer = '';
    },
    close() {
      flush();
      isClosed = true;
      fs.closeSync(descriptor);
    },
  };
}
