/**
 * News from a channel that a payment or hold has left for another one, or has ended without. It had certainly executed
 * nothing there, so there should be nothing: what is there all the same is cancelled, what is held released, and what was
 * taken is late money, with its refunds and disputes. The news stays undone until all of that is over: it is tried again as
 * every event is, so that a crash between two steps loses nothing.
 */
import type { PoolClient } from 'pg';
import { ChannelFault } from '../domain/channel';
import type { HoldSnapshot } from '../domain/channel';
import type {
  DisputeSnapshot,
  FullAdapter,
  InboundSubject,
  PaymentSnapshot,
  RefundSnapshot,
} from '../domain/channel-payment';
import { workflowIdOf } from '../domain/ids';
import type { ObjectRef } from '../domain/ids';
import { leftShown } from '../domain/left-object';
import type { LeftShown } from '../domain/left-object';
import type { RefundedRef } from '../domain/refund';
import { readKnownRefunds } from '../stores/known-refunds';
import { readLeftObject, saveLeftObject } from '../stores/left-objects';
import type { LeftPlace, LeftRow } from '../stores/left-objects';
import { importLeftRefunds } from '../stores/left-refunds';
import { appendNote } from '../stores/outbox';
import { withTransaction } from '../stores/postgres';
import { lockRefundable } from '../stores/refund-reservations';
import type { RefundableRow } from '../stores/refund-reservations';
import { readObject, readRefunds, startSoon } from './closed-objects';
import type { ActivityDeps } from './deps';
import { reviewDisputes } from './disputes';
import { exchangeOf } from './exchange';
import { noteMoneyLeft } from './late-money';
import { beginCancel, noteOver, sendCancel } from './left-cancel';
import type { LeftCancel, LeftScene } from './left-cancel';
import { failThoseThatCameBack } from './refund-late';

export interface LeftNews extends LeftPlace {
  /** What the news is of: only that is asked of the channel besides the object itself. */
  readonly subject: InboundSubject;
  /** The refund that the news is of, where it names one besides the object. */
  readonly channelRefundNo: string | null;
  readonly eventType: string;
  /** Done in the transaction that finds everything over. */
  readonly within: (tx: PoolClient) => Promise<void>;
}

interface Reading {
  readonly shown: LeftShown;
  /** undefined: not asked for. */
  readonly refunds: readonly RefundSnapshot[] | undefined;
  readonly disputes: readonly DisputeSnapshot[] | undefined;
}

/**
 * Reads what is there, writes what it shows, and cancels it where it should not be; then reads again. Safe to repeat.
 * @throws ChannelFault when the channel cannot be asked, does not show it (yet), or shows it alive still: try again
 */
export async function reviewLeft(deps: ActivityDeps, object: RefundedRef, news: LeftNews): Promise<void> {
  const adapter = await deps.adapterOf(news.accountId);
  const cancel = await look(deps, adapter, object, news);
  if (cancel === undefined) return;
  await sendCancel(deps, adapter, object, cancel);
  if ((await look(deps, adapter, object, news)) !== undefined)
    throw new ChannelFault('maybe_executed', 'left_object_not_over');
}

/** @returns the cancel to send; undefined: it is over, and the news is dealt with */
async function look(
  deps: ActivityDeps,
  adapter: FullAdapter,
  object: RefundedRef,
  news: LeftNews,
): Promise<LeftCancel | undefined> {
  const before = await readLeftObject(deps.db, news);
  const reading = await read(deps, adapter, object, news);
  const { state } = reading.shown;
  const { cancel, started } = await withTransaction(deps.db, async (tx) => {
    const row = await lockRefundable(tx, object);
    if (row === undefined) throw new Error(`${object.kind} ${object.no} is gone`);
    mustNotBeItsOwn(object, row, news);
    const scene: LeftScene = { object, row, channel: adapter.channel, news };
    const left = await saveLeftObject(tx, object, news, reading.shown.tradeNo);
    if (state === 'live') mustBeNewer(left, before);
    const refund = await noteMoney(deps, tx, scene, reading);
    if (state === 'live')
      return { cancel: await beginCancel(deps, tx, scene, left, reading.shown), started: refund };
    if (state === 'over') {
      await noteOver(tx, scene, left, reading.shown);
      await news.within(tx);
    }
    return { cancel: undefined, started: refund };
  });
  deps.ringOutbox();
  if (started !== undefined) await startSoon(deps, started);
  if (state === 'unclear') throw new ChannelFault('maybe_executed', 'left_object_unclear');
  return cancel;
}

async function read(
  deps: ActivityDeps,
  adapter: FullAdapter,
  object: RefundedRef,
  { accountId, channelNo, subject, channelRefundNo }: LeftNews,
): Promise<Reading> {
  const exchange = () => exchangeOf(deps.slowExchangeTimeoutMs);
  const snapshot = await readObject(adapter, object, channelNo, exchange());
  if (snapshot === undefined) throw new ChannelFault('maybe_executed', 'left_object_not_shown');
  mustBeOurs(object, snapshot);
  const shown = leftShown(snapshot);
  const { currency, taken: amount, tradeNo: channelTradeNo } = shown;
  const trade = channelTradeNo === undefined ? {} : { channelTradeNo };
  const target = { kind: object.kind, channelNo, ...trade, currency, amount };
  const asksRefunds = subject === 'refund' || shown.isRefunded;
  const known = () => readKnownRefunds(deps.db, object, { accountId, channelNo });
  return {
    shown,
    refunds: asksRefunds
      ? await readRefunds(deps, adapter, target, await known(), channelRefundNo)
      : undefined,
    disputes: subject === 'dispute' ? await adapter.listDisputes(target, exchange()) : undefined,
  };
}

/** Whoever has access to the account may have put our identity on something else: that is not touched. */
function mustBeOurs(object: RefundedRef, { holdfastId }: PaymentSnapshot | HoldSnapshot): void {
  if (holdfastId !== undefined && holdfastId !== workflowIdOf(object))
    throw new ChannelFault('maybe_executed', 'left_object_of_another');
}

/** Another run has cancelled it and read that it is over since this reading was asked for: that is not alive again. */
function mustBeNewer({ cancelled_at: endedAt }: LeftRow, before: LeftRow | undefined): void {
  if (endedAt !== null && endedAt.getTime() !== before?.cancelled_at?.getTime())
    throw new ChannelFault('maybe_executed', 'left_object_read_before_its_end');
}

/** The last line against cancelling what the object itself stands on. */
function mustNotBeItsOwn(
  { kind, no }: RefundedRef,
  row: RefundableRow,
  { accountId, channelNo }: LeftPlace,
): void {
  if (row.channel_account_id !== accountId || (row.is_closed && row.channel_no !== channelNo)) return;
  throw new Error(`${kind} ${no} has not left ${channelNo}`);
}

/** @returns the refund to start after the commit, if there is one */
async function noteMoney(
  deps: ActivityDeps,
  tx: PoolClient,
  { object, row, channel, news }: LeftScene,
  { shown, refunds, disputes }: Reading,
): Promise<ObjectRef | undefined> {
  const { accountId: channelAccountId, channelNo } = news;
  const { currency, taken, tradeNo = channelNo } = shown;
  const left = { channel, channelAccountId, channelNo, tradeNo, currency, taken };
  const refund = await noteMoneyLeft(deps, tx, object, left);
  if (refunds !== undefined) {
    // First: what came back is not on its way any more when it is counted what has gone.
    await failThoseThatCameBack(deps, tx, object, refunds);
    const imported = await importLeftRefunds(tx, object, news, refunds);
    if (imported > 0) {
      const { merchantId, kind: objectKind, no: objectNo } = object;
      const data = { channel, channel_no: channelNo, imported };
      const note = { merchantId, objectKind, objectNo, type: 'channel.left_refunds_imported' };
      await appendNote(tx, { ...note, status: row.status, data });
    }
  }
  if (disputes !== undefined) {
    const { status } = row;
    await reviewDisputes(deps, tx, { object, channelAccountId, channelNo, channel, status }, disputes);
  }
  return refund;
}
