/**
 * Persistence: an append-only file of JSON lines, the latest line of a key counts. What a request changed is handed to
 * the kernel before it is answered, which survives SIGKILL. Without a folder nothing is written.
 */
import fs from 'node:fs';
import path from 'node:path';

const FILE = 'btcpay-sandbox.jsonl';

export interface JournalRecord {
  readonly kind: string;
  readonly key: string;
  /** null: gone */
  readonly value: unknown;
}

/** A last line cut off by a crash is dropped: it was never answered. */
export function readJournal(folder: string): JournalRecord[] {
  const file = path.join(folder, FILE);
  if (folder === '' || !fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as JournalRecord);
}

export class Journal {
  private readonly file: string;
  private buffer = '';

  constructor(private readonly folder: string) {
    this.file = path.join(folder, FILE);
    if (folder !== '') fs.mkdirSync(folder, { recursive: true });
  }

  add(record: JournalRecord): void {
    if (this.folder !== '') this.buffer += `${JSON.stringify(record)}\n`;
  }

  flush(): void {
    if (this.buffer === '') return;
    fs.appendFileSync(this.file, this.buffer);
    this.buffer = '';
  }

  rewrite(records: Iterable<JournalRecord>): void {
    if (this.folder === '') return;
    const text = [...records].map((record) => `${JSON.stringify(record)}\n`).join('');
    fs.writeFileSync(`${this.file}.next`, text);
    fs.renameSync(`${this.file}.next`, this.file);
    this.buffer = '';
  }
}
