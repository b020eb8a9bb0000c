/** Everything the sandbox knows, in memory; the journal keeps a copy when there is a folder for it. */
import { Journal, readJournal } from '../sandbox/journal';
import { randomText } from '../sandbox/random-text';
import type { ApiKey, Invoice, Payout, PullPayment, StoredEvent, Webhook } from './types';

const FILE = 'btcpay-sandbox.jsonl';

interface JournalRecord {
  readonly kind: string;
  readonly key: string;
  /** null: gone */
  readonly value: unknown;
}

interface Tables {
  readonly invoice: Map<string, Invoice>;
  readonly pull: Map<string, PullPayment>;
  readonly payout: Map<string, Payout>;
  readonly key: Map<string, ApiKey>;
  readonly webhook: Map<string, Webhook>;
  readonly event: Map<string, StoredEvent>;
}

type Kind = keyof Tables;
type ValueOf<K extends Kind> = Tables[K] extends Map<string, infer V> ? V : never;

export class State {
  private readonly tables: Tables = {
    invoice: new Map(),
    pull: new Map(),
    payout: new Map(),
    key: new Map(),
    webhook: new Map(),
    event: new Map(),
  };
  private readonly journal: Journal<JournalRecord>;

  /** @param folder where to keep the state; empty: in memory only */
  constructor(folder: string) {
    for (const { kind, key, value } of readJournal<JournalRecord>(folder, FILE)) {
      const table = this.tables[kind as Kind] as Map<string, unknown>;
      if (value === null) table.delete(key);
      else table.set(key, value);
    }
    this.journal = new Journal(folder, FILE);
    this.compact();
  }

  get invoices(): ReadonlyMap<string, Invoice> {
    return this.tables.invoice;
  }
  get pulls(): ReadonlyMap<string, PullPayment> {
    return this.tables.pull;
  }
  get payouts(): ReadonlyMap<string, Payout> {
    return this.tables.payout;
  }
  get keys(): ReadonlyMap<string, ApiKey> {
    return this.tables.key;
  }
  get webhooks(): ReadonlyMap<string, Webhook> {
    return this.tables.webhook;
  }
  get events(): ReadonlyMap<string, StoredEvent> {
    return this.tables.event;
  }

  save<K extends Kind>(kind: K, key: string, value: ValueOf<K>): void {
    (this.tables[kind] as Map<string, unknown>).set(key, value);
    this.journal.add({ kind, key, value });
  }

  remove(kind: Kind, key: string): void {
    this.tables[kind].delete(key);
    this.journal.add({ kind, key, value: null });
  }

  flush(): void {
    this.journal.flush();
  }

  close(): void {
    this.journal.close();
  }

  /** Forgets what merchants made; keys stay, webhooks when asked. */
  clear(isKeepingWebhooks: boolean): void {
    const { invoice, pull, payout, event, webhook } = this.tables;
    for (const table of [invoice, pull, payout, event, ...(isKeepingWebhooks ? [] : [webhook])])
      table.clear();
    this.compact();
  }

  private compact(): void {
    const records: JournalRecord[] = [];
    for (const [kind, table] of Object.entries(this.tables) as [Kind, Map<string, unknown>][]) {
      for (const [key, value] of table) {
        if (kind !== 'event' || !(value as StoredEvent).isDelivered) records.push({ kind, key, value });
      }
    }
    this.journal.rewrite(records);
  }
}

const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789';

/** An id as BTCPay makes them: base 58. */
export function makeId(length = 22): string {
  return randomText(LETTERS, length);
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
