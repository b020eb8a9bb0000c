/** Everything the sandbox knows, in memory; the journal keeps a copy when there is a folder for it. */
import { Journal, readJournal } from '../sandbox/journal';
import { randomText } from '../sandbox/random-text';
import type {
  CallRecord,
  Charge,
  Dispute,
  Intent,
  Refund,
  SandboxConfig,
  StoredAnswer,
  StoredEvent,
  WebhookEndpoint,
} from './types';

const FILE = 'stripe-sandbox.jsonl';

export interface JournalRecord {
  readonly kind:
    | 'intent'
    | 'refund'
    | 'dispute'
    | 'answer'
    | 'event'
    | 'acknowledged'
    | 'endpoint'
    | 'endpoint-gone'
    | 'call'
    | 'config';
  readonly value: unknown;
}

/** Ids of an event and of an endpoint that has it. */
export interface Acknowledgement {
  readonly event: string;
  readonly endpoint: string;
}

/** Stripe may forget a key after a day; the sandbox does. */
const KEY_LIFE_MS = 24 * 3_600_000;

const DEFAULT_CONFIG: SandboxConfig = {
  latencyMs: 0,
  multicapture: [],
  searchLagMs: 5_000,
  shortHoldSeconds: 5,
  expiryLagMs: 250,
  refundSettleMs: 2_000,
};

export interface State {
  config: SandboxConfig;
  readonly intents: Map<string, Intent>;
  /** Per account, in the order of creation: what the list endpoint walks backwards. */
  readonly byAccount: Map<string, Intent[]>;
  /** Charge id -> PaymentIntent id. */
  readonly charges: Map<string, string>;
  /** In the order of creation. */
  readonly refunds: Map<string, Refund>;
  readonly disputes: Map<string, Dispute>;
  readonly answers: Map<string, StoredAnswer>;
  readonly events: Map<string, StoredEvent>;
  readonly endpoints: Map<string, WebhookEndpoint>;
  readonly calls: CallRecord[];
  readonly journal: Journal<JournalRecord>;
  saveIntent(intent: Intent): void;
  saveRefund(refund: Refund): void;
  saveDispute(dispute: Dispute): void;
  saveAnswer(answer: StoredAnswer): void;
  findAnswer(scope: string): StoredAnswer | undefined;
  saveEvent(event: StoredEvent): void;
  acknowledge(value: Acknowledgement): void;
  saveEndpoint(endpoint: WebhookEndpoint): void;
  removeEndpoint(id: string): void;
  saveCall(call: CallRecord): void;
  saveConfig(change: Partial<SandboxConfig>): void;
  clear(isKeepingEndpoints: boolean): void;
}

/** @param folder where to keep the state; empty: in memory only */
export function createState(folder: string): State {
  const journal = new Journal<JournalRecord>(folder, FILE);
  const state = emptyState(journal);
  for (const record of readJournal<JournalRecord>(folder, FILE)) apply(state, upgraded(record));
  journal.rewrite(snapshot(state));
  return state;
}

/** What an older sandbox wrote knows nothing of refunds: there were none. */
function upgraded(record: JournalRecord): JournalRecord {
  if (record.kind === 'config') {
    return { ...record, value: { ...DEFAULT_CONFIG, ...(record.value as SandboxConfig) } };
  }
  if (record.kind !== 'intent') return record;
  const intent = record.value as Intent;
  const none: Partial<Charge> = { amountRefunded: 0, isDisputed: false };
  const charge = intent.charge && { ...none, ...intent.charge };
  return { ...record, value: { ...intent, charge } };
}

function emptyState(journal: Journal<JournalRecord>): State {
  const state: State = {
    config: { ...DEFAULT_CONFIG },
    intents: new Map(),
    byAccount: new Map(),
    charges: new Map(),
    refunds: new Map(),
    disputes: new Map(),
    answers: new Map(),
    events: new Map(),
    endpoints: new Map(),
    calls: [],
    journal,
    saveIntent: (intent) => save('intent', intent),
    saveRefund: (refund) => save('refund', refund),
    saveDispute: (dispute) => save('dispute', dispute),
    saveAnswer: (answer) => save('answer', answer),
    findAnswer: (scope) => {
      const answer = state.answers.get(scope);
      return answer !== undefined && Date.now() - answer.atMs < KEY_LIFE_MS ? answer : undefined;
    },
    saveEvent: (event) => save('event', event),
    acknowledge: (value) => save('acknowledged', value),
    saveEndpoint: (endpoint) => save('endpoint', endpoint),
    removeEndpoint: (id) => save('endpoint-gone', id),
    saveCall: (call) => save('call', call),
    saveConfig: (change) => save('config', { ...state.config, ...change }),
    clear(isKeepingEndpoints) {
      const { intents, byAccount, charges, refunds, disputes, answers, events } = state;
      for (const map of [intents, byAccount, charges, refunds, disputes, answers, events]) map.clear();
      if (!isKeepingEndpoints) state.endpoints.clear();
      state.calls.length = 0;
      state.config = { ...DEFAULT_CONFIG };
      journal.rewrite(snapshot(state));
    },
  };
  const save = (kind: JournalRecord['kind'], value: unknown) => {
    apply(state, { kind, value });
    journal.add({ kind, value });
  };
  return state;
}

function apply(state: State, { kind, value }: JournalRecord): void {
  switch (kind) {
    case 'intent':
      return applyIntent(state, value as Intent);
    case 'refund':
      state.refunds.set((value as Refund).id, value as Refund);
      return;
    case 'dispute':
      state.disputes.set((value as Dispute).id, value as Dispute);
      return;
    case 'answer':
      state.answers.set((value as StoredAnswer).scope, value as StoredAnswer);
      return;
    case 'event':
      state.events.set((value as StoredEvent).id, value as StoredEvent);
      return;
    case 'acknowledged':
      return applyAcknowledgement(state, value as Acknowledgement);
    case 'endpoint':
      state.endpoints.set((value as WebhookEndpoint).id, value as WebhookEndpoint);
      return;
    case 'endpoint-gone':
      state.endpoints.delete(value as string);
      return;
    case 'call':
      state.calls.push(value as CallRecord);
      return;
    case 'config':
      state.config = value as SandboxConfig;
  }
}

function applyIntent(state: State, intent: Intent): void {
  const known = state.intents.get(intent.id);
  if (intent.charge !== null) state.charges.set(intent.charge.id, intent.id);
  if (known === intent) return;
  if (known !== undefined) {
    // Read from the journal: a later version of the same object, which keeps its place in the list.
    Object.assign(known, intent);
    return;
  }
  state.intents.set(intent.id, intent);
  const list = state.byAccount.get(intent.account);
  if (list === undefined) state.byAccount.set(intent.account, [intent]);
  else list.push(intent);
}

function applyAcknowledgement(state: State, { event: id, endpoint }: Acknowledgement): void {
  const event = state.events.get(id);
  if (event !== undefined) event.pending = event.pending.filter((pending) => pending !== endpoint);
}

function* snapshot(state: State): Iterable<JournalRecord> {
  yield { kind: 'config', value: state.config };
  for (const value of state.endpoints.values()) yield { kind: 'endpoint', value };
  for (const value of state.intents.values()) yield { kind: 'intent', value };
  for (const value of state.refunds.values()) yield { kind: 'refund', value };
  for (const value of state.disputes.values()) yield { kind: 'dispute', value };
  for (const value of state.answers.values()) {
    if (Date.now() - value.atMs < KEY_LIFE_MS) yield { kind: 'answer', value };
  }
  for (const value of state.events.values()) yield { kind: 'event', value };
  for (const value of state.calls) yield { kind: 'call', value };
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** An id as Stripe makes them: `pi_3Nk...`. */
export function makeId(prefix: string, length = 24): string {
  return `${prefix}_${randomText(LETTERS, length)}`;
}
