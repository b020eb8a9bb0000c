/**
 * Reconciliation of one account: each object is read at its channel and compared. Live ones that differ are told to read
 * again, late money of closed ones is taken up as news of it would have been, what nobody can settle is written down, and
 * no row is ever changed from here. Safe to run twice at once.
 */
import { heartbeat } from '@temporalio/activity';
import { holdOutlivesCancel } from '../channels/registry';
import { ChannelFault } from '../domain/channel';
import { LATE_RELEASE_COMMAND_ID } from '../domain/channel-call';
import type { ObjectKind, ObjectRef } from '../domain/ids';
import { compareHold, comparePayment, compareRefund, showsLateMoney } from '../domain/reconcile';
import type { Difference, Verdict } from '../domain/reconcile';
import { findCalls } from '../stores/channel-calls';
import { noteDifferences, resolveEqual } from '../stores/discrepancies';
import { readKnownRefunds } from '../stores/known-refunds';
import {
  findAccountsToReconcile,
  findNextObjects,
  findObject,
  readCursor,
  RECONCILED_KINDS,
  saveCursor,
} from '../stores/reconciliation';
import type { SeenHold, SeenObject, SeenRefund } from '../stores/reconciliation';
import { readRefundable, targetOf } from '../stores/refund-reservations';
import { readRefund } from '../stores/refunds';
import { reviewObject } from './closed-objects';
import type { ActivityDeps } from './deps';
import { exchangeOf } from './exchange';
import { findRefund, refundScene } from './refund-subject';

const MAX_ACCOUNTS = 1_000;
const PAGE = 100;
/** Reads at once at one account: its own payments must not feel that they are being counted. */
const LANES = 4;
const BUDGET_MS = 5 * 60_000;
/** After so many faults without one answer the account is left to the next run. */
const MAX_FAULTS = 20;
const DAY_SECONDS = 86_400;

export interface ReconcileCounts {
  /** Objects looked at. */
  readonly seen: number;
  /** Live ones whose workflow was told to read again, and closed ones whose late money was taken up. */
  readonly repaired: number;
  /** Objects with discrepancies. */
  readonly differing: number;
  /** Discrepancies that are gone. */
  readonly resolved: number;
  /** Objects that could not be compared: the channel did not answer, or with something nobody can tell the meaning of. */
  readonly skipped: number;
}

export interface ReconcileRequest {
  readonly accountId: string;
  /** The database's time when the run began. */
  readonly startedAt: string;
  readonly closedDays: number;
}

type Outcome = 'same' | 'repaired' | 'differing' | 'skipped';

interface Walk {
  readonly counts: { -readonly [K in keyof ReconcileCounts]: ReconcileCounts[K] };
  /** Since the channel last answered. */
  faults: number;
}

export function createReconcileActivities(deps: ActivityDeps) {
  const { db } = deps;

  /** @param closedDays objects closed longer ago are left alone */
  async function accountsToReconcile(
    closedDays: number,
  ): Promise<{ accountIds: string[]; startedAt: string }> {
    return findAccountsToReconcile(db, closedDays * DAY_SECONDS, MAX_ACCOUNTS);
  }

  /** Walks until the account is done, the channel is not there, or the time is up: then `done` is false. */
  async function reconcileAccount(request: ReconcileRequest): Promise<ReconcileCounts & { done: boolean }> {
    const { accountId } = request;
    const counts = { seen: 0, repaired: 0, differing: 0, resolved: 0, skipped: 0 };
    const walk: Walk = { counts, faults: 0 };
    const endMs = deps.now() + BUDGET_MS;
    let done = true;
    for (const kind of RECONCILED_KINDS) done = done && (await walkKind(deps, request, walk, kind, endMs));
    const away = isAway(walk);
    if (away) deps.log.warn({ accountId }, 'the channel does not answer; the next run goes on from here');
    deps.log.info({ accountId, ...counts, done }, 'reconciled');
    return { ...counts, done: done || away };
  }

  return { accountsToReconcile, reconcileAccount };
}

/** @returns false: it stopped before the end */
async function walkKind(
  deps: ActivityDeps,
  { accountId, startedAt, closedDays }: ReconcileRequest,
  walk: Walk,
  kind: ObjectKind,
  endMs: number,
): Promise<boolean> {
  const closedWithinSeconds = closedDays * DAY_SECONDS;
  for (;;) {
    const after = await readCursor(deps.db, accountId, kind, startedAt);
    if (after === undefined) return true;
    if (deps.now() > endMs) return false;
    const page = await findNextObjects(deps.db, { accountId, kind, after, closedWithinSeconds }, PAGE);
    const equal = await lookAtPage(deps, walk, page);
    walk.counts.resolved += await resolveEqual(deps.db, equal);
    // What was not looked at is where the next run begins.
    if (isAway(walk)) return false;
    const last = page.length < PAGE ? undefined : page.at(-1);
    await saveCursor(deps.db, accountId, kind, last?.position);
  }
}

const isAway = ({ faults }: Walk) => faults >= MAX_FAULTS;

/** A few at a time, until the channel is known to be away. @returns those that are as their channel shows them */
async function lookAtPage(deps: ActivityDeps, walk: Walk, page: readonly SeenObject[]): Promise<ObjectRef[]> {
  const equal: ObjectRef[] = [];
  let next = 0;
  const lane = async () => {
    for (let item = page[next++]; item !== undefined && !isAway(walk); item = page[next++]) {
      heartbeat();
      const outcome = await lookAt(deps, walk, item);
      walk.counts.seen += 1;
      if (outcome === 'same') equal.push(item.object);
      else walk.counts[outcome] += 1;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return equal;
}

/** One object that cannot be helped now keeps nobody waiting. */
async function lookAt(deps: ActivityDeps, walk: Walk, seen: SeenObject): Promise<Outcome> {
  const { object } = seen;
  try {
    const verdict = await compare(deps, seen);
    walk.faults = 0;
    return await act(deps, seen, verdict);
  } catch (error) {
    if (error instanceof ChannelFault) walk.faults += 1;
    else deps.log.warn({ err: error, ...object }, 'an object could not be reconciled');
    // Whether it has its workflow does not depend on the channel.
    if (seen.isLive && error instanceof ChannelFault) await ensureOwner(deps, object);
    return 'skipped';
  }
}

async function act(deps: ActivityDeps, seen: SeenObject, verdict: Verdict): Promise<Outcome> {
  const { object } = seen;
  if (seen.isLive && verdict.kind === 'read_again') {
    await deps.workflows.resync(object);
    return 'repaired';
  }
  if (seen.isLive) await ensureOwner(deps, object);
  if (verdict.kind === 'unclear') return 'skipped';
  if (verdict.kind === 'same') return 'same';
  // The row may have moved on since it was read, and so may the channel: only what stands at a second look counts.
  const now = await findObject(deps.db, object);
  if (now === undefined) return 'skipped';
  const again = await compare(deps, now);
  if (again.kind !== 'differs') return act(deps, now, again);
  if (await takeUpLate(deps, now, again.differences)) return 'repaired';
  await report(deps, now, again.differences);
  return 'differing';
}

/**
 * Money that a closed object does not account for, and of which no news has come: late money is written down, what is
 * held late is released.
 * @returns whether that settles it; not where the channel has refused to release it before, or never said whether it has
 */
async function takeUpLate(
  deps: ActivityDeps,
  { object, kind }: SeenObject,
  differences: readonly Difference[],
): Promise<boolean> {
  if (kind === 'refund' || !showsLateMoney(kind, differences)) return false;
  const { own: release } = await findCalls(deps.db, object, LATE_RELEASE_COMMAND_ID);
  await reviewObject(deps, { ...object, kind }, { subject: kind });
  if (kind === 'pre_auth') return release?.state !== 'declined' && release?.state !== 'open';
  const now = await findObject(deps.db, object);
  return now !== undefined && (await compare(deps, now)).kind !== 'differs';
}

async function report(
  deps: ActivityDeps,
  { object, channel }: SeenObject,
  differences: readonly Difference[],
): Promise<void> {
  const added = await noteDifferences(deps.db, object, channel, differences);
  if (added > 0) deps.log.error({ ...object, channel, differences }, 'an object differs from its channel');
}

/** Terminated by hand, or lost with Temporal's data: the live row gets its workflow again. */
async function ensureOwner(deps: ActivityDeps, object: ObjectRef): Promise<void> {
  try {
    await deps.workflows.ensure(object);
  } catch (error) {
    deps.log.warn({ err: error, ...object }, 'a live object could not be given its workflow');
  }
}

/** Reads the object at its channel. One without a number there is as the channel shows it: not at all. @throws ChannelFault */
async function compare(deps: ActivityDeps, seen: SeenObject): Promise<Verdict> {
  const exchange = exchangeOf(deps.exchangeTimeoutMs);
  switch (seen.kind) {
    case 'pre_auth': {
      const { channelPreAuthNo, channelAccountId } = seen.hold;
      if (channelPreAuthNo === null) return { kind: 'same' };
      const adapter = await deps.adapterOf(channelAccountId);
      const snapshot = await adapter.queryPreAuth(channelPreAuthNo, exchange);
      // What its customer has not opened cannot be closed there, and is nothing.
      if (!seen.isLive && snapshot?.status === 'requires_action' && holdOutlivesCancel(seen.hold.channel))
        return compareHold(seen.hold, undefined, seen.beside);
      const refunded = snapshot === undefined ? 0 : await refundedThere(deps, seen);
      return compareHold(seen.hold, snapshot, seen.beside, refunded);
    }
    case 'payment': {
      const { channelPaymentNo, channelAccountId } = seen.payment;
      if (channelPaymentNo === null) return { kind: 'same' };
      const adapter = await deps.adapterOf(channelAccountId);
      return comparePayment(
        seen.payment,
        await adapter.queryPayment(channelPaymentNo, exchange),
        seen.beside,
      );
    }
    case 'refund':
      return compareRefundOf(deps, seen);
  }
}

/** A hold does not tell what was refunded of it: that is asked once it is closed. Minor units. */
async function refundedThere(deps: ActivityDeps, { object, hold, isLive }: SeenHold): Promise<number> {
  if (isLive || hold.amountCaptured === 0) return 0;
  const refundable = { ...object, kind: 'pre_auth' as const };
  const row = await readRefundable(deps.db, refundable);
  if (row === undefined) return 0;
  const adapter = await deps.adapterOf(hold.channelAccountId);
  const exchange = exchangeOf(deps.exchangeTimeoutMs);
  const known = await readKnownRefunds(deps.db, refundable);
  const listed = await adapter.listRefunds(targetOf(refundable, row), exchange, known);
  const given = listed.filter(({ status }) => status === 'succeeded' || status === 'pending');
  return given.reduce((sum, { amount }) => sum + amount, 0);
}

async function compareRefundOf(deps: ActivityDeps, { object, refund, calls }: SeenRefund): Promise<Verdict> {
  const row = await readRefund(deps.db, object.merchantId, object.no);
  if (row === undefined) return { kind: 'same' };
  const scene = await refundScene(deps, row);
  const exchange = exchangeOf(deps.exchangeTimeoutMs);
  return compareRefund(refund, await findRefund(deps, row, scene, calls, exchange));
}
