/**
 * Idempotency-Key: the first request with a key works, every other one with the same body gets the first one's answer.
 * The record is inserted by the handler, within its own transaction where it has one, so that "accepted" and "will not
 * be done twice" become true at the same moment. Its lease frees a key whose owner died.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { fail } from '../domain/errors';
import type { Logger } from '../observability/logger';
import * as store from '../stores/idempotency';
import { withTransaction } from '../stores/postgres';
import type { Database, Queryable } from '../stores/postgres';
import type { SecretBox } from '../stores/secret-box';
import { loggableError, RefusalWithHeaders } from './errors';
import { answerOf, dispositionOf, keptOf, statusOf } from './idempotency-answer';
import type { Outcome, StoredAnswer } from './idempotency-answer';
import type { RouteAnswer } from './route';

const RENEW_EVERY_MS = 2_000;
const POLL_FIRST_MS = 50;
const POLL_MAX_MS = 250;
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
  /** Keeps the answer within the caller's transaction, after insertWithin. Does nothing when no key was sent. */
  answerWithin(tx: Queryable, answer: RouteAnswer): Promise<void>;
}

/** Thrown by insertWithin and caught by run(): never seen by a caller. */
class NotOwner extends Error {
  override readonly name = 'NotOwner';
}

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

  /**
   * The same for work that is one transaction of ours: record, effect and answer are committed together, so a repeat finds
   * all of them or none, and what is shown only once can be shown to it.
   */
  runWithin(db: Database, work: (tx: PoolClient) => Promise<RouteAnswer>): Promise<RouteAnswer> {
    const withRecord = async (own: Ownership, tx: PoolClient): Promise<RouteAnswer> => {
      await own.insertWithin(tx);
      const answer = await work(tx);
      await own.answerWithin(tx, answer);
      return answer;
    };
    return this.run(undefined, (own) => withTransaction(db, (tx) => withRecord(own, tx)));
  }

  private assertSameBody(record: store.IdempotencyRecord): void {
    if (this.scope?.bodyHash.equals(record.bodyHash) !== true) throw fail('IDEMPOTENCY_KEY_REUSED');
  }

  private replay({ status, sealed }: { status: number; sealed: string }): RouteAnswer {
    const stored = JSON.parse(this.deps.box.open(sealed, store.ANSWER_PURPOSE)) as StoredAnswer;
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
    const settled = owned.settle(outcome).catch((error: unknown) => {
      this.deps.logger.warn({ err: loggableError(error) }, 'an idempotency record could not be settled');
    });
    // A command's success need not wait for that: a repeat that is as fast finds the lease and waits for the answer, and what
    // a crash keeps from being written is told again from the rows of what was done.
    if (outcome.kind === 'error' || !owned.isThere) await settled;
    return outcome;
  }
}

class OwnedRecord implements Ownership {
  private renewal: NodeJS.Timeout | undefined;
  private isAnswered = false;
  /** It was committed before the work began: nothing that the work does can roll it back. */
  isThere = false;

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

  async insert(): Promise<void> {
    await this.insertWithin(this.deps.db);
    this.isThere = true;
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

  async answerWithin(tx: Queryable, answer: RouteAnswer): Promise<void> {
    const { recordId, leaseToken } = this.record;
    if (!(await store.storeAnswer(tx, recordId, leaseToken, this.sealed({ kind: 'answer', answer }))))
      throw new NotOwner();
    this.isAnswered = true;
  }

  private sealed(outcome: Outcome): { status: number; sealed: string } {
    const sealed = this.deps.box.seal(JSON.stringify(keptOf(outcome)), store.ANSWER_PURPOSE);
    return { status: statusOf(outcome), sealed };
  }

  async settle(outcome: Outcome): Promise<void> {
    if (outcome.kind === 'answer' && this.isAnswered) return;
    const { db } = this.deps;
    const { recordId, leaseToken } = this.record;
    switch (dispositionOf(statusOf(outcome), this.takenOver)) {
      case 'release':
        return store.releaseLease(db, recordId, leaseToken);
      case 'discard':
        return store.discardRecord(db, recordId, leaseToken);
      case 'store': {
        const answer = this.sealed(outcome);
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

function unkeyedOwnership(number: string | undefined): Ownership {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    recordId: randomUUID(),
    number,
    takenOver: false,
    insertWithin: nothing,
    insert: nothing,
    answerWithin: nothing,
  };
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
