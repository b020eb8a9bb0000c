/** Everything the sandbox knows, in memory; the journal keeps a copy when there is a folder for it. */
import { generateKeyPairSync, randomInt } from 'node:crypto';
import { Journal, readJournal } from '../sandbox/journal';
import type { Auth, CallRecord, Endpoint, SandboxApp, StoredEvent, Trade } from './types';

const FILE = 'alipay-sandbox.jsonl';

interface Saved {
  app: SandboxApp;
  trade: Trade;
  auth: Auth;
  event: StoredEvent;
  endpoint: Endpoint;
  call: CallRecord;
  /** The sandbox's own signing key, PEM. */
  key: string;
}
type Kind = keyof Saved;
type JournalRecord = readonly [kind: Kind, value: Saved[Kind]];

export class State {
  readonly apps = new Map<string, SandboxApp>();
  readonly trades = new Map<string, Trade>();
  readonly auths = new Map<string, Auth>();
  readonly events = new Map<string, StoredEvent>();
  readonly endpoints = new Map<string, Endpoint>();
  readonly calls: CallRecord[] = [];
  privateKey = '';
  /** Queries do not show any refund yet. */
  refundQueryLags = false;
  private readonly journal: Journal<JournalRecord>;

  /** @param folder where to keep the state; empty: in memory only */
  constructor(folder: string) {
    this.journal = new Journal(folder, FILE);
    for (const [kind, value] of readJournal<JournalRecord>(folder, FILE)) this.apply(kind, value);
    this.journal.rewrite(this.snapshot());
    if (this.privateKey === '') this.save('key', newKeyPair().privateKey);
  }

  save<K extends Kind>(kind: K, value: Saved[K]): void {
    this.apply(kind, value);
    this.journal.add([kind, value]);
    this.journal.flush();
  }

  private apply<K extends Kind>(kind: K, value: Saved[K]): void {
    const setters: { [P in Kind]: (value: Saved[P]) => unknown } = {
      app: (app) => this.apps.set(app.appId, app),
      trade: (trade) => this.trades.set(keyOf(trade.appId, trade.outTradeNo), trade),
      auth: (auth) => this.auths.set(keyOf(auth.appId, auth.outOrderNo), auth),
      event: (event) => this.events.set(event.id, event),
      endpoint: (endpoint) => this.endpoints.set(keyOf(endpoint.appId, endpoint.url), endpoint),
      call: (call) => this.calls.push(call),
      key: (pem) => (this.privateKey = pem),
    };
    setters[kind](value);
  }

  trade(appId: string, outTradeNo: string): Trade | undefined {
    return this.trades.get(keyOf(appId, outTradeNo));
  }

  auth(appId: string, outOrderNo: string): Auth | undefined {
    return this.auths.get(keyOf(appId, outOrderNo));
  }

  /** Keys and applications stay: they are credentials that others hold. */
  clear(isKeepingEndpoints: boolean): void {
    for (const map of [this.trades, this.auths, this.events]) map.clear();
    if (!isKeepingEndpoints) this.endpoints.clear();
    this.calls.length = 0;
    this.refundQueryLags = false;
    this.journal.rewrite(this.snapshot());
  }

  close(): void {
    this.journal.close();
  }

  private *snapshot(): Iterable<JournalRecord> {
    if (this.privateKey !== '') yield ['key', this.privateKey];
    for (const app of this.apps.values()) yield ['app', app];
    for (const endpoint of this.endpoints.values()) yield ['endpoint', endpoint];
    for (const trade of this.trades.values()) yield ['trade', trade];
    for (const auth of this.auths.values()) yield ['auth', auth];
    for (const event of this.events.values()) yield ['event', event];
    for (const call of this.calls) yield ['call', call];
  }
}

function keyOf(appId: string, number: string): string {
  return `${appId}\n${number}`;
}

export function newKeyPair(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

/** A number as Alipay makes them: the day, then digits. */
export function makeNumber(nowMs: number): string {
  const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '');
  const digits = () => String(randomInt(10 ** 10)).padStart(10, '0');
  return `${day}${digits()}${digits()}`;
}
