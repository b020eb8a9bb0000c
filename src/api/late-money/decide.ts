/** The merchant's decision on late money. Made once: a repeat answers what the first one did. */
import type { PoolClient } from 'pg';
import { fail, HoldfastError } from '../../domain/errors';
import { decideLateMoney } from '../../domain/late-money';
import {
  isDisputed,
  keepLatePayment,
  lockLatePayment,
  readLatePayment,
  readLateRefundNo,
} from '../../stores/late-payments';
import { insertLateRefund } from '../../stores/late-refunds';
import { withTransaction } from '../../stores/postgres';
import { lockRefundable } from '../../stores/refund-reservations';
import type { IdempotentRequest, Ownership } from '../idempotency';
import type { RouteAnswer } from '../route';
import type { LateMoneyDeps } from './deps';
import { showLatePayment } from './view';

interface Wish {
  readonly merchantId: string;
  readonly id: string;
  readonly decision: 'refund' | 'keep';
}

/**
 * @throws HoldfastError NOT_FOUND; LATE_PAYMENT_REFUNDED for money to be kept that is given back; REFUND_DISPUTED for money to
 * be given back that the customer disputes
 */
export function decide(deps: LateMoneyDeps, wish: Wish, idem: IdempotentRequest): Promise<RouteAnswer> {
  const { merchantId, id } = wish;
  return idem.run(undefined, async (own) => {
    const started = await withTransaction(deps.db, (tx) => decideWithin(tx, own, wish));
    if (started !== undefined) await startSoon(deps, merchantId, started);
    const row = await readLatePayment(deps.db, merchantId, id);
    if (row === undefined) throw fail('NOT_FOUND');
    const refundNo = await readLateRefundNo(deps.db, merchantId, id);
    return { status: 200, data: showLatePayment(row, refundNo) };
  });
}

/** @returns the number of the refund that was written */
async function decideWithin(
  tx: PoolClient,
  own: Ownership,
  { merchantId, id, decision }: Wish,
): Promise<string | undefined> {
  await own.insertWithin(tx);
  const known = await readLatePayment(tx, merchantId, id);
  if (known === undefined) throw fail('NOT_FOUND');
  // Its payment or hold first, as everybody does who writes late money or refunds.
  const object = await lockRefundable(tx, { merchantId, kind: known.object_kind, no: known.object_no });
  const row = await lockLatePayment(tx, merchantId, id);
  if (object === undefined || row === undefined) throw fail('NOT_FOUND');
  const decided = decideLateMoney(row.state, decision);
  if ('code' in decided) throw new HoldfastError(decided);
  if (!decided.isNew) return undefined;
  const left = object.paid - object.refund_reserved - object.refunded_external;
  if (decision === 'refund' && (await isDisputed(tx, row, left))) throw fail('REFUND_DISPUTED');
  if (decision === 'refund') return insertLateRefund(tx, row, object, new Date());
  await keepLatePayment(tx, id);
  return undefined;
}

/** The refund is written: whatever fails here, the pick-up starts it. */
async function startSoon(deps: LateMoneyDeps, merchantId: string, refundNo: string): Promise<void> {
  try {
    await deps.workflows.ensure({ merchantId, kind: 'refund', no: refundNo });
  } catch (error) {
    deps.log.warn({ err: error, refundNo }, 'a refund of late money waits for the pick-up');
  }
}
