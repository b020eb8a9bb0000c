/**
 * Everything the sandbox knows, in memory, with an append-only copy on disk when there is a folder for it: what a request
 * changed is handed to the kernel before the request is answered, which survives SIGKILL.
 */
import { generateKeyPairSync, randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
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

export class State {
  readonly apps = new Map<string, SandboxApp>();
  readonly trades = new Map<string, Trade>();
  readonly auths = new Map<string, Auth>();
  readonly events = new Map<string, StoredEvent>();
  readonly endpoints = new Map<string, Endpoint>();
  readonly calls: CallRecord[] = [];
  privateKey = '';
  private descriptor: number | undefined;

  /** @param folder where to keep the state; empty: in memory only */
  constructor(private readonly folder: string) {
    if (folder !== '') {
      fs.mkdirSync(folder, { recursive: true });
      for (const [kind, value] of readLines(path.join(folder, FILE))) this.apply(kind, value);
      this.rewrite();
    }
    if (this.privateKey === '') this.save('key', newKeyPair().privateKey);
  }

  save<K extends Kind>(kind: K, value: Saved[K]): void {
    this.apply(kind, value);
    if (this.descriptor !== undefined) fs.writeSync(this.descriptor, `${JSON.stringify([kind, value])}\n`);
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
    if (this.folder !== '') this.rewrite();
  }

  close(): void {
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor);
    this.descriptor = undefined;
  }

  private rewrite(): void {
    const file = path.join(this.folder, FILE);
    const lines: [Kind, unknown][] = [];
    if (this.privateKey !== '') lines.push(['key', this.privateKey]);
    for (const app of this.apps.values()) lines.push(['app', app]);
    for (const endpoint of this.endpoints.values()) lines.push(['endpoint', endpoint]);
    for (const trade of this.trades.values()) lines.push(['trade', trade]);
    for (const auth of this.auths.values()) lines.push(['auth', auth]);
    for (const event of this.events.values()) lines.push(['event', event]);
    for (const call of this.calls) lines.push(['call', call]);
    fs.writeFileSync(`${file}.next`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    this.close();
    fs.renameSync(`${file}.next`, file);
    this.descriptor = fs.openSync(file, 'a');
  }
}

function keyOf(appId: string, number: string): string {
  return `${appId}\n${number}`;
}

/** A last line cut off by a crash is dropped: it was never answered. */
function readLines(file: string): [Kind, Saved[Kind]][] {
  if (!fs.existsSync(file)) return [];
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as [Kind, Saved[Kind]]);
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
