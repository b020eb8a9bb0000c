/**
 * Idempotency-Key: the first request with a key works, every other one with the same body gets the first one's answer.
 * The record is inserted by the handler, within its own transaction where it has one, so that "accepted" and "will not
 * be done twice" become true at the same moment. Its lease frees a key whose owner died.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../domain/errors';
import type { Refusal } from '../domain/errors';
import type { Logger } from '../observability/logger';
import * as store from '../stores/idempotency';
import type { Queryable } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';
import { invalidRequest, loggableError, publicErrorOf, RefusalWithHeaders } from './errors';
import type { RouteAnswer } from './route';

const RENEW_EVERY_MS = 2_000;
const POLL_FIRST_MS = 50;
const POLL_MAX_MS = 250;
const ANSWER_PURPOSE = 'idempotency_records.response';
const REPLAYED = { 'Idempotent-Replayed': 'true' };

export interface IdempotencyDeps {
  readonly db: Queryable;
  readonly box: SecretBox;
  readonly logger: Logger;
  /** How long a request waits for the answer of the one that works. */
  readonly waitTimeoutMs: number;
}

export interface RequestScope extends store.IdempotencyScope {
  readonly bodyHash: Buffer;
}

/** What the work of a request may know and do about its record. */
export interface Ownership {
  /** Names the command: updateId and command_id. Random when no key was sent. */
  readonly recordId: string;
  /** The number kept by a record that was taken over, else the freshly generated one given to run(). */
  readonly number: string | undefined;
  /** True: an earlier owner began this very command and may have got anywhere. */
  readonly takenOver: boolean;
  /**
   * Inserts the record within the caller's transaction; let it be the transaction's FIRST statement, so that a
   * concurrent request with the same key waits here and not at another unique index. Throws NotOwner when the key
   * belongs to somebody else: let it pass, so that the transaction is rolled back and run() answers. Does nothing
   * when no key was sent or the record is ours already.
   */
  insertWithin(tx: Queryable): Promise<void>;
  /** Inserts it now, in a statement of its own. */
  insert(): Promise<void>;
}

/** Thrown by insertWithin and caught by run(): never seen by a caller. */
class NotOwner extends Error {
  override readonly name = 'NotOwner';
}

export type Disposition = 'store' | 'release' | 'discard';

/**
 * What becomes of the record once the work has ended with this HTTP status. Stored: successes and definite refusals of
 * the channel. Released, so that a repeat continues the same command: work still under way (202) and faults of ours.
 * Discarded: refusals that a repeat may well not meet again.
 */
export function dispositionOf(status: number): Disposition {
  if (status === 202 || status >= 500) return 'release';
  if (status < 300 || status === 402) return 'store';
  return 'discard';
}

/** What a work came to: an answer, or what it threw. */
type Outcome =
  | { readonly kind: 'answer'; readonly answer: RouteAnswer }
  | { readonly kind: 'error'; readonly error: unknown };

/** The part of an outcome that is kept; a refusal's request_id is not, it belongs to the repeat. */
type StoredAnswer =
  { readonly answer: Pick<RouteAnswer, 'data' | 'message' | 'headers'> } | { readonly refusal: Refusal };

export class IdempotentRequest {
  /** @param scope undefined when no key was sent: run() then just works */
  constructor(
    private readonly deps: IdempotencyDeps,
    private readonly scope: RequestScope | undefined,
  ) {}

  /**
   * Runs `work` as the owner of the key, or answers what the first request with this key was answered.
   * @param number a freshly generated number for the object to be created, kept by the record
   * @throws HoldfastError IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_IN_PROGRESS, and whatever `work` throws
   */
  async run(
    number: string | undefined,
    work: (own: Ownership) => Promise<RouteAnswer>,
  ): Promise<RouteAnswer> {
    if (this.scope === undefined) return work(unkeyedOwnership(number));
    const { db, waitTimeoutMs } = this.deps;
    const deadlineMs = Date.now() + waitTimeoutMs;
    for (let pauseMs = POLL_FIRST_MS; ; pauseMs = Math.min(pauseMs * 1.5, POLL_MAX_MS)) {
      const record = await store.findRecord(db, this.scope);
      if (record !== undefined) this.assertSameBody(record);
      if (record?.answer !== undefined) return this.replay(record.answer);
      const owned = record === undefined ? this.ownNew(number, this.scope) : await this.ownExisting(record);
      const outcome = owned === undefined ? undefined : await this.runOwned(owned, work);
      if (outcome !== undefined) return answerOf(outcome);
      if (Date.now() >= deadlineMs) throw fail('IDEMPOTENCY_IN_PROGRESS');
      await sleep(pauseMs);
    }
  }

  /**
   * The same for the command on an object: its record is inserted before `work` begins, and only where there is one
   * already is it looked for. (What creates an object refuses first and inserts later: a repeat must meet its record.)
   */
  async runCommand(work: (own: Ownership) => Promise<RouteAnswer>): Promise<RouteAnswer> {
    const insertFirst = async (own: Ownership): Promise<RouteAnswer> => {
      await own.insert();
      return work(own);
    };
    const first = this.scope && (await this.runOwned(this.ownNew(undefined, this.scope), insertFirst));
    return first === undefined ? this.run(undefined, insertFirst) : answerOf(first);
  }

  private assertSameBody(record: store.IdempotencyRecord): void {
    if (this.scope?.bodyHash.equals(record.bodyHash) !== true) throw fail('IDEMPOTENCY_KEY_REUSED');
  }

  private replay({ status, sealed }: { status: number; sealed: string }): RouteAnswer {
    const stored = JSON.parse(this.deps.box.open(sealed, ANSWER_PURPOSE)) as StoredAnswer;
    if ('refusal' in stored) throw new RefusalWithHeaders(stored.refusal, REPLAYED);
    return { ...stored.answer, status, headers: { ...stored.answer.headers, ...REPLAYED } };
  }

  private ownNew(number: string | undefined, scope: RequestScope): OwnedRecord {
    const names = { recordId: randomUUID(), leaseToken: randomUUID(), number };
    return new OwnedRecord(this.deps, { ...scope, ...names }, false);
  }

  /** Takes over a record whose owner has died or has given it back; undefined while its owner lives. */
  private async ownExisting(record: store.IdempotencyRecord): Promise<OwnedRecord | undefined> {
    if (this.scope === undefined || record.leased) return undefined;
    const leaseToken = randomUUID();
    if (!(await store.takeOver(this.deps.db, record.id, leaseToken))) return undefined;
    const { id: recordId, number } = record;
    return new OwnedRecord(this.deps, { ...this.scope, recordId, leaseToken, number }, true);
  }

  /** undefined: somebody else turned out to own the key. */
  private async runOwned(
    owned: OwnedRecord,
    work: (own: Ownership) => Promise<RouteAnswer>,
  ): Promise<Outcome | undefined> {
    const outcome = await work(owned).then(
      (answer): Outcome => ({ kind: 'answer', answer }),
      (error: unknown): Outcome => ({ kind: 'error', error }),
    );
    owned.stopRenewing();
    if (outcome.kind === 'error' && outcome.error instanceof NotOwner) return undefined;
    // The work is done whatever becomes of the record: when it cannot be kept now, its lease runs out by itself.
    await owned.settle(outcome).catch((error: unknown) => {
      this.deps.logger.warn({ err: loggableError(error) }, 'an idempotency record could not be settled');
    });
    return outcome;
  }
}

class OwnedRecord implements Ownership {
  private renewal: NodeJS.Timeout | undefined;

  constructor(
    private readonly deps: IdempotencyDeps,
    private readonly record: store.NewIdempotencyRecord,
    readonly takenOver: boolean,
  ) {
    if (takenOver) this.startRenewing();
  }

  get recordId(): string {
    return this.record.recordId;
  }

  get number(): string | undefined {
    return this.record.number;
  }

  insert(): Promise<void> {
    return this.insertWithin(this.deps.db);
  }

  async insertWithin(tx: Queryable): Promise<void> {
    if (this.takenOver) return;
    if (!(await store.insertRecord(tx, this.record))) {
      const existing = await store.findRecord(tx, this.record);
      if (existing?.leaseToken !== this.record.leaseToken) throw new NotOwner();
    }
    this.startRenewing();
  }

  /** A renewal that finds nothing is no reason to stop: the caller's transaction may not be committed yet. */
  private startRenewing(): void {
    this.renewal ??= setInterval(() => {
      store.renewLease(this.deps.db, this.record.recordId, this.record.leaseToken).catch(() => undefined);
    }, RENEW_EVERY_MS).unref();
  }

  stopRenewing(): void {
    clearInterval(this.renewal);
  }

  async settle(outcome: Outcome): Promise<void> {
    const { db, box } = this.deps;
    const { recordId, leaseToken } = this.record;
    const status = statusOf(outcome);
    switch (dispositionOf(status)) {
      case 'release':
        return store.releaseLease(db, recordId, leaseToken);
      case 'discard':
        return store.discardRecord(db, recordId, leaseToken);
      case 'store': {
        const answer = { status, sealed: box.seal(JSON.stringify(keptOf(outcome)), ANSWER_PURPOSE) };
        if (await store.storeAnswer(db, recordId, leaseToken, answer)) return;
        // No such row with our lease: the work never inserted it (or rolled it back), or it was taken over, in which
        // case the insert finds it and its new owner's answer stands.
        if (!this.takenOver && (await store.insertRecord(db, this.record))) {
          await store.storeAnswer(db, recordId, leaseToken, answer);
        }
      }
    }
  }
}

function answerOf(outcome: Outcome): RouteAnswer {
  if (outcome.kind === 'error') throw outcome.error;
  return outcome.answer;
}

function statusOf(outcome: Outcome): number {
  return outcome.kind === 'answer' ? outcome.answer.status : publicErrorOf(outcome.error).status;
}

function keptOf(outcome: Outcome): StoredAnswer {
  if (outcome.kind === 'error') return { refusal: publicErrorOf(outcome.error).refusal };
  const { data, message, headers } = outcome.answer;
  return {
    answer: {
      data,
      ...(message === undefined ? {} : { message }),
      ...(headers === undefined ? {} : { headers }),
    },
  };
}

function unkeyedOwnership(number: string | undefined): Ownership {
  const nothing = (): Promise<void> => Promise.resolve();
  return { recordId: randomUUID(), number, takenOver: false, insertWithin: nothing, insert: nothing };
}

const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;

/** The SHA-256 of the header's value, undefined without one. @throws HoldfastError INVALID_REQUEST */
export function keyHashOf(header: string | string[] | undefined): Buffer | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !IDEMPOTENCY_KEY.test(header)) {
    const message = 'must be 1 to 255 printable ASCII characters';
    throw invalidRequest([{ path: 'Idempotency-Key', message }]);
  }
  return createHash('sha256').update(header).digest();
}

/** SHA-256 of a JSON value whatever the order of its fields. */
export function canonicalHash(value: unknown): Buffer {
  return createHash('sha256').update(canonicalJson(value)).digest();
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`).join(',')}}`;
}
