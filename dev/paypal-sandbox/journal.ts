/** Persistence: an append-only file of JSON lines, written before a request is answered; without a folder nothing is. */
import fs from 'node:fs';
import path from 'node:path';

export interface JournalRecord {
  readonly kind: string;
  readonly value: unknown;
}

export interface Journal {
  readonly records: readonly JournalRecord[];
  add(record: JournalRecord): void;
  /** Replaces everything by these records. */
  rewrite(records: readonly JournalRecord[]): void;
  close(): void;
}

const NOTHING: Journal = {
  records: [],
  add: () => undefined,
  rewrite: () => undefined,
  close: () => undefined,
};

/** @param folder empty: nothing is kept */
export function openJournal(folder: string): Journal {
  if (folder === '') return NOTHING;
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'paypal-sandbox.jsonl');
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  const lines = text.split('\n');
  // A last line cut off by a crash was never answered.
  lines.pop();
  let descriptor: number | undefined = fs.openSync(file, 'a');
  return {
    records: lines.map((line) => JSON.parse(line) as JournalRecord),
    add(record) {
      if (descriptor !== undefined) fs.writeSync(descriptor, `${JSON.stringify(record)}\n`);
    },
    rewrite(records) {
      fs.writeFileSync(`${file}.next`, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
      fs.renameSync(`${file}.next`, file);
      if (descriptor !== undefined) fs.closeSync(descriptor);
      descriptor = fs.openSync(file, 'a');
    },
    close() {
      if (descriptor !== undefined) fs.closeSync(descriptor);
      descriptor = undefined;
    },
  };
}
