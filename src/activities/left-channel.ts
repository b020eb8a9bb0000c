/**
 * News from a channel that a payment or hold has left for another one. It was left because it certainly had executed nothing,
 * so there should be none: what is taken there all the same is late money, and what is held there an operator must release.
 */
import type { PoolClient } from 'pg';
import type { HoldSnapshot } from '../domain/channel';
import type { PaymentSnapshot } from '../domain/channel-payment';
import type { RefundedRef } from '../domain/refund';
import { appendNote } from '../stores/outbox';
import { afterCommit, withTransaction } from '../stores/postgres';
import { lockRefundable } from '../stores/refund-reservations';
import { readObject, startSoon } from './closed-objects';
import type { ActivityDeps } from './deps';
import { exchangeOf } from './exchange';
import { noteMoneyLeft } from './late-money';

export interface LeftNews {
  readonly accountId: string;
  /** The number that the news names there. */
  readonly channelNo: string;
  readonly eventType: string;
  readonly within: (tx: PoolClient) => Promise<void>;
}

/** Reads what is there and writes what it shows; safe to repeat. @throws ChannelFault when it cannot be read: nothing is written */
export async function reviewLeft(deps: ActivityDeps, object: RefundedRef, news: LeftNews): Promise<void> {
  const { accountId, channelNo } = news;
  const adapter = await deps.adapterOf(accountId);
  const snapshot = await readObject(adapter, object, channelNo, exchangeOf(deps.slowExchangeTimeoutMs));
  const started = await withTransaction(deps.db, async (tx) => {
    const row = await lockRefundable(tx, object);
    if (row === undefined) throw new Error(`${object.kind} ${object.no} is gone`);
    const { merchantId, kind: objectKind, no: objectNo } = object;
    const { channel } = adapter;
    const { taken, held, tradeNo } = moneyOf(snapshot, channelNo);
    const data = { event_type: news.eventType, channel, channel_no: channelNo, taken, held };
    const type = 'channel.left_event';
    await appendNote(tx, { merchantId, objectKind, objectNo, type, status: row.status, data });
    if (held > 0)
      afterCommit(tx, () =>
        deps.callOperator(object, channel, 'money is held at a channel that it has left'),
      );
    const { currency } = row;
    const left = { channel, channelAccountId: accountId, channelNo, tradeNo, currency, taken };
    const refund = await noteMoneyLeft(deps, tx, object, left);
    await news.within(tx);
    return refund;
  });
  deps.ringOutbox();
  if (started !== undefined) await startSoon(deps, started);
}

function moneyOf(snapshot: PaymentSnapshot | HoldSnapshot | undefined, channelNo: string) {
  if (snapshot === undefined) return { taken: 0, held: 0, tradeNo: channelNo };
  if ('amountPaid' in snapshot)
    return { taken: snapshot.amountPaid, held: 0, tradeNo: snapshot.channelTradeNo ?? channelNo };
  const { amountCaptured, amountCapturable, status } = snapshot;
  const held = status === 'requires_capture' ? amountCapturable : 0;
  return { taken: amountCaptured, held, tradeNo: channelNo };
}
