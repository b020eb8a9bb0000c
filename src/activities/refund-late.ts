/** News of refunds whose workflow has ended, and of those that never had one: for whoever reads a closed payment or hold. */
import type { PoolClient } from 'pg';
import type { RefundSnapshot } from '../domain/channel-payment';
import { applyLateFailure } from '../domain/refund';
import type { RefundedRef } from '../domain/refund';
import { importRefunds } from '../stores/imported-refunds';
import { appendNote } from '../stores/outbox';
import { lockRefund, readRefundsOf, toRefund } from '../stores/refunds';
import type { RefundRow } from '../stores/refunds';
import type { ActivityDeps } from './deps';
import { saveRefund } from './refund-records';

/**
 * A refund that had succeeded came back, which only a read of the channel can tell: it is failed, its reservation is free
 * again and the merchant is told. The order's claim stays as it is, because the order may have been paid anew meanwhile.
 * @param tx a transaction that has locked the payment or hold
 * @returns whether it had
 */
async function lateRefundFailure(
  deps: ActivityDeps,
  tx: PoolClient,
  row: RefundRow,
  snapshot: RefundSnapshot,
): Promise<boolean> {
  const locked = await lockRefund(tx, row.merchant_id, row.refund_no);
  const transition = locked === undefined ? null : applyLateFailure(toRefund(locked), snapshot);
  if (locked === undefined || transition === null) return false;
  await saveRefund(deps, tx, locked, transition);
  await appendNote(tx, {
    merchantId: locked.merchant_id,
    objectKind: 'refund',
    objectNo: locked.refund_no,
    type: 'channel.refund_came_back',
    status: 'failed',
    data: { failure_code: snapshot.failureCode ?? null, order_claim: 'unchanged' },
  });
  deps.log.warn({ refundNo: locked.refund_no }, 'a refund that had succeeded came back');
  return true;
}

/**
 * Takes over everything that a read of a payment's or hold's refunds shows: those made by hand are imported, those of ours
 * that came back are failed. Live refunds are left to their workflows. Safe to repeat.
 * @param tx locks the payment or hold; ring the outbox after it
 */
export async function reviewRefunds(
  deps: ActivityDeps,
  tx: PoolClient,
  object: RefundedRef,
  snapshots: readonly RefundSnapshot[],
): Promise<void> {
  await importRefunds(tx, object, snapshots);
  await failThoseThatCameBack(deps, tx, object, snapshots);
}

/** Refunds of ours, among these that a read shows, that had succeeded and came back. The object is locked. */
export async function failThoseThatCameBack(
  deps: ActivityDeps,
  tx: PoolClient,
  object: RefundedRef,
  snapshots: readonly RefundSnapshot[],
): Promise<void> {
  for (const row of await readRefundsOf(tx, object)) {
    const shown = snapshots.find(({ channelRefundNo }) => channelRefundNo === row.channel_refund_no);
    if (shown !== undefined) await lateRefundFailure(deps, tx, row, shown);
  }
}
