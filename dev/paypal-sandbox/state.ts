/** Everything the sandbox knows, in memory; the journal keeps a copy when there is a folder for it. */
import { Journal, readJournal } from '../sandbox/journal';
import { randomText } from '../sandbox/random-text';
import { makeSigningKey } from './certificate';
import type {
  Authorization,
  CallRecord,
  Capture,
  Config,
  Dispute,
  KeyRecord,
  Order,
  Refund,
  SigningKey,
  StoredEvent,
  WebhookEndpoint,
} from './types';

const FILE = 'paypal-sandbox.jsonl';

interface JournalRecord {
  readonly kind: string;
  readonly value: unknown;
}

const DEFAULT_CONFIG: Config = {
  latencyMs: 0,
  tokenSeconds: 32_400,
  clockOffsetMs: 0,
  multipleCaptures: [],
  pendingCaptures: false,
  pendingRefunds: false,
  reauthorizations: 'granted',
  blocksDuplicateInvoices: true,
};

type Found<T> = { order: Order; thing: T } | undefined;

export class State {
  config: Config = { ...DEFAULT_CONFIG };
  signing!: SigningKey;
  readonly orders = new Map<string, Order>();
  readonly disputes = new Map<string, Dispute>();
  readonly keys = new Map<string, KeyRecord>();
  readonly events = new Map<string, StoredEvent>();
  readonly endpoints = new Map<string, WebhookEndpoint>();
  readonly calls: CallRecord[] = [];
  /** Id of an authorization, capture or refund -> id of its order. */
  private readonly owners = new Map<string, string>();
  private readonly journal: Journal<JournalRecord>;

  /** @param folder where to keep the state; empty: in memory only */
  constructor(folder: string) {
    this.journal = new Journal(folder, FILE);
    for (const record of readJournal<JournalRecord>(folder, FILE)) this.apply(record);
    this.signing ??= makeSigningKey();
    this.journal.rewrite(this.snapshot());
  }

  now(): number {
    return Date.now() + this.config.clockOffsetMs;
  }

  saveOrder = (order: Order) => this.save('order', order);
  saveDispute = (dispute: Dispute) => this.save('dispute', dispute);
  saveKey = (key: KeyRecord) => this.save('key', key);
  saveEvent = (event: StoredEvent) => this.save('event', event);
  saveEndpoint = (endpoint: WebhookEndpoint) => this.save('endpoint', endpoint);
  saveCall = (call: CallRecord) => this.save('call', call);
  saveConfig = (change: Partial<Config>) => this.save('config', { ...this.config, ...change });

  removeEndpoint(id: string): void {
    this.endpoints.delete(id);
    this.journal.rewrite(this.snapshot());
  }

  findAuthorization = (id: string): Found<Authorization> =>
    this.find(id, ({ authorizations }) => authorizations);
  findCapture = (id: string): Found<Capture> => this.find(id, ({ captures }) => captures);
  findRefund = (id: string): Found<Refund> => this.find(id, ({ refunds }) => refunds);

  findKey(scope: string): KeyRecord | undefined {
    const key = this.keys.get(scope);
    return key !== undefined && this.now() < key.untilMs ? key : undefined;
  }

  /** Orders, events, faults and settings go; the signing key stays, because receivers keep certificates. */
  clear(isKeepingEndpoints: boolean): void {
    for (const map of [this.orders, this.disputes, this.keys, this.events, this.owners]) map.clear();
    if (!isKeepingEndpoints) this.endpoints.clear();
    this.calls.length = 0;
    this.config = { ...DEFAULT_CONFIG };
    this.journal.rewrite(this.snapshot());
  }

  close(): void {
    this.journal.close();
  }

  private find<T extends { id: string }>(id: string, list: (order: Order) => T[]): Found<T> {
    const order = this.orders.get(this.owners.get(id) ?? '');
    const thing = order === undefined ? undefined : list(order).find((candidate) => candidate.id === id);
    return order === undefined || thing === undefined ? undefined : { order, thing };
  }

  private save(kind: string, value: unknown): void {
    this.apply({ kind, value });
    this.journal.add({ kind, value });
    this.journal.flush();
  }

  private apply({ kind, value }: JournalRecord): void {
    if (kind === 'order') this.applyOrder(value as Order);
    else if (kind === 'dispute') this.disputes.set((value as Dispute).id, value as Dispute);
    else if (kind === 'key') this.keys.set((value as KeyRecord).scope, value as KeyRecord);
    else if (kind === 'event') this.events.set((value as StoredEvent).id, value as StoredEvent);
    else if (kind === 'endpoint') this.endpoints.set((value as WebhookEndpoint).id, value as WebhookEndpoint);
    else if (kind === 'call') this.calls.push(value as CallRecord);
    else if (kind === 'config') this.config = value as Config;
    else this.signing = value as SigningKey;
  }

  private applyOrder(order: Order): void {
    this.orders.set(order.id, order);
    for (const { id } of [...order.authorizations, ...order.captures, ...order.refunds]) {
      this.owners.set(id, order.id);
    }
  }

  private snapshot(): JournalRecord[] {
    const all = (kind: string, values: Iterable<unknown>) => [...values].map((value) => ({ kind, value }));
    return [
      { kind: 'signing', value: this.signing },
      { kind: 'config', value: this.config },
      ...all('endpoint', this.endpoints.values()),
      ...all('order', this.orders.values()),
      ...all('dispute', this.disputes.values()),
      ...all('key', this.keys.values()),
      ...all('event', this.events.values()),
      ...all('call', this.calls),
    ];
  }
}

const LETTERS = '0123456789ABCDEFGHJKLMNPRSTUVWXY';

/** An id as PayPal makes them: 17 letters and digits. */
export function makeId(length = 17): string {
  return randomText(LETTERS, length);
}
