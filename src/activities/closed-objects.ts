/**
 * Reading what no workflow reads: closed payments and holds, refunds made by hand, disputes. The object is read again at
 * the channel and what it shows is written beside the row, whose status is final, in one transaction.
 */
import type { PoolClient } from 'pg';
import { holdOutlivesCancel } from '../channels/registry';
import { ChannelFault } from '../domain/channel';
import type { HoldSnapshot } from '../domain/channel';
import type {
  DisputeSnapshot,
  FullAdapter,
  InboundSubject,
  KnownRefund,
  PaymentSnapshot,
  RefundSnapshot,
  RefundTarget,
} from '../domain/channel-payment';
import type { ObjectRef } from '../domain/ids';
import type { RefundedRef } from '../domain/refund';
import { readKnownRefunds } from '../stores/known-refunds';
import { appendNote } from '../stores/outbox';
import { lockPayment, toPayment } from '../stores/payments';
import { withTransaction } from '../stores/postgres';
import { lockPreAuth, toHold } from '../stores/pre-auths';
import { readRefundable, targetOf } from '../stores/refund-reservations';
import type { RefundableRow } from '../stores/refund-reservations';
import type { ActivityDeps } from './deps';
import { reviewDisputes } from './disputes';
import { exchangeOf } from './exchange';
import { noteLateHold } from './late-hold';
import { noteLateCapture, noteLateMoney } from './late-money';
import { reviewRefunds } from './refund-late';

/** Why an object is looked at, and what is done in the transaction of what is found. */
export interface Review {
  /** What the news is of: only that is asked of the channel besides the object itself. */
  readonly subject: InboundSubject;
  /** The refund that the news is of, where it names one besides the object. */
  readonly channelRefundNo?: string | null;
  /** What is noted for the record; absent: nothing. */
  readonly eventType?: string;
  readonly within?: (tx: PoolClient) => Promise<void>;
}

interface Reading {
  readonly snapshot: PaymentSnapshot | HoldSnapshot | undefined;
  /** undefined: not asked for. */
  readonly refunds: readonly RefundSnapshot[] | undefined;
  readonly disputes: readonly DisputeSnapshot[] | undefined;
  /** The object had ended before it was read: what the reading shows is not what its own workflow left. */
  readonly wasClosed: boolean;
}

/**
 * Reads the object and writes what it shows; safe to repeat, in any order.
 * @throws ChannelFault when the channel cannot be asked, or does not show the refund that the news is of: nothing is written
 */
export async function reviewObject(deps: ActivityDeps, object: RefundedRef, review: Review): Promise<void> {
  const row = await readRefundable(deps.db, object);
  if (row === undefined) throw new Error(`there is no ${object.kind} ${object.no}`);
  const reading = await readAtChannel(deps, object, row, review);
  const follows = await withTransaction(deps.db, async (tx) => {
    // Its row is locked by this, before anything that hangs on it.
    const started = await noteObject(deps, tx, object, reading, review.eventType);
    if (reading.refunds !== undefined) await reviewRefunds(deps, tx, object, reading.refunds);
    if (reading.disputes !== undefined) {
      const { channel_account_id: channelAccountId, channel, status } = row;
      await reviewDisputes(deps, tx, { object, channelAccountId, channel, status }, reading.disputes);
    }
    await review.within?.(tx);
    return started;
  });
  deps.ringOutbox();
  for (const started of follows) await startSoon(deps, started);
}

/**
 * Where the payer decides what arrives and when, and where nothing can be closed that its customer has not opened, news
 * that was told to a workflow in the moment it closed its object may have been read by nobody: once it is closed, the
 * object is read once more. Whatever comes later is news of a closed one. The other channels decide themselves who was
 * first: they close nothing that is paid, or move no money without a call of ours.
 */
export async function reviewOnceClosed(
  deps: ActivityDeps,
  { merchantId, kind, no }: ObjectRef,
): Promise<void> {
  if (kind === 'refund') return;
  const row = await readRefundable(deps.db, { merchantId, kind, no });
  if (row === undefined) return;
  const mayComeLate = kind === 'payment' ? paymentMayComeLate(deps, row) : holdOutlivesCancel(row.channel);
  if (mayComeLate) await reviewObject(deps, { merchantId, kind, no }, { subject: kind });
}

function paymentMayComeLate(deps: ActivityDeps, { channel, status }: RefundableRow): boolean {
  const { payerDecidesAmount, outlivesCancel = false } = deps.paymentCapabilities(channel);
  return payerDecidesAmount || (outlivesCancel && status !== 'success');
}

/** The pick-up starts what cannot be started now. */
export async function startSoon(deps: ActivityDeps, object: ObjectRef): Promise<void> {
  try {
    await deps.workflows.ensure(object);
  } catch (error) {
    deps.log.warn({ err: error, ...object }, 'what gives late money back waits for the pick-up');
  }
}

async function readAtChannel(
  deps: ActivityDeps,
  object: RefundedRef,
  row: RefundableRow,
  { subject, channelRefundNo }: Review,
): Promise<Reading> {
  const wasClosed = row.is_closed;
  if (row.channel_no === null)
    return { snapshot: undefined, refunds: undefined, disputes: undefined, wasClosed };
  const adapter = await deps.adapterOf(row.channel_account_id);
  const target = targetOf(object, row);
  const exchange = () => exchangeOf(deps.slowExchangeTimeoutMs);
  const snapshot = await readObject(adapter, object, row.channel_no, exchange());
  // A refund may be told by nothing but the sum that the object shows.
  const refunded = snapshot !== undefined && 'amountRefunded' in snapshot ? snapshot.amountRefunded : 0;
  const asksRefunds = subject === 'refund' || refunded > row.refund_reserved + row.refunded_external;
  return {
    snapshot,
    refunds: asksRefunds
      ? await readRefunds(deps, adapter, target, await readKnownRefunds(deps.db, object), channelRefundNo)
      : undefined,
    wasClosed,
    disputes: subject === 'dispute' ? await adapter.listDisputes(target, exchange()) : undefined,
  };
}

/**
 * One made by hand may be known by nothing but the number that its news names, and the channel may tell of it before it
 * shows it: the news is not dealt with until it does.
 */
export async function readRefunds(
  deps: ActivityDeps,
  adapter: FullAdapter,
  target: RefundTarget,
  known: readonly KnownRefund[],
  named: string | null = null,
): Promise<readonly RefundSnapshot[]> {
  const has = (refunds: readonly (KnownRefund | RefundSnapshot)[]) =>
    refunds.some((refund) => 'channelRefundNo' in refund && refund.channelRefundNo === named);
  const isNews = named !== null && !has(known);
  const asked = isNews ? [...known, { channelRefundNo: named }] : known;
  const listed = await adapter.listRefunds(target, exchangeOf(deps.slowExchangeTimeoutMs), asked);
  if (isNews && !has(listed)) throw new ChannelFault('maybe_executed', 'refund_not_shown_yet');
  return listed;
}

export function readObject(
  adapter: FullAdapter,
  { kind }: RefundedRef,
  channelNo: string,
  exchange: ReturnType<typeof exchangeOf>,
): Promise<PaymentSnapshot | HoldSnapshot | undefined> {
  return kind === 'payment'
    ? adapter.queryPayment(channelNo, exchange)
    : adapter.queryPreAuth(channelNo, exchange);
}

/** Locks the object, and notes what it shows that its row does not account for. @returns what is to be started for that */
async function noteObject(
  deps: ActivityDeps,
  tx: PoolClient,
  { merchantId, kind, no }: RefundedRef,
  { snapshot, wasClosed }: Reading,
  eventType: string | undefined,
): Promise<ObjectRef[]> {
  const note = (type: string, status: string, data: Readonly<Record<string, unknown>>) =>
    appendNote(tx, { merchantId, objectKind: kind, objectNo: no, type, status, data });
  const common = { event_type: eventType, channel_status: snapshot?.status ?? null };
  if (kind === 'payment') {
    const row = await lockPayment(tx, merchantId, no);
    if (row === undefined) throw new Error(`payment ${no} is gone`);
    const reading = snapshot as PaymentSnapshot | undefined;
    const { amountPaid = null, amountRefunded = null } = reading ?? {};
    if (eventType !== undefined)
      await note('channel.late_event', row.status, {
        ...common,
        ...{ amount_paid: amountPaid, amount_refunded: amountRefunded },
      });
    return reading === undefined ? [] : these(await noteLateMoney(deps, tx, toPayment(row), reading));
  }
  const row = await lockPreAuth(tx, merchantId, no);
  if (row === undefined) throw new Error(`hold ${no} is gone`);
  const reading = snapshot as HoldSnapshot | undefined;
  const differs =
    reading !== undefined && row.closed_at !== null && reading.amountCaptured !== row.amount_captured;
  if (eventType !== undefined || differs)
    await note(differs ? 'channel.differs' : 'channel.late_event', row.status, {
      ...common,
      amount_captured: reading?.amountCaptured ?? null,
    });
  if (differs) deps.log.error({ preAuthNo: no }, 'a closed hold differs from the channel');
  if (reading === undefined) return [];
  const hold = toHold(row);
  const release = wasClosed ? await noteLateHold(deps, tx, hold, reading) : undefined;
  return these(await noteLateCapture(deps, tx, hold, reading), release);
}

const these = (...objects: readonly (ObjectRef | undefined)[]): ObjectRef[] =>
  objects.filter((object) => object !== undefined);
