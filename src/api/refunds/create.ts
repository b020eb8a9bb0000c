/**
 * Give money back. PostgreSQL first: one transaction reserves the amount on the payment's or hold's row and writes the
 * refund with its call, so that refunds that come at the same time can never be more than was taken. Then the workflow.
 */
import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { checkRefundAmount, paymentCapabilitiesOf } from '../../channels/registry';
import { CREATE_COMMAND_ID } from '../../domain/channel-call';
import { fail, HoldfastError } from '../../domain/errors';
import { generateNumber } from '../../domain/ids';
import { isRefundClosed, refundObject } from '../../domain/refund';
import type { RefundedRef } from '../../domain/refund';
import { judgeRefund } from '../../domain/refund-request';
import { insertCall } from '../../stores/channel-calls';
import { withTransaction } from '../../stores/postgres';
import { lockRefundable, refundableOf, reserveRefund } from '../../stores/refund-reservations';
import type { RefundableRow } from '../../stores/refund-reservations';
import { insertRefund, readRefund } from '../../stores/refunds';
import type { RefundRow } from '../../stores/refunds';
import { ensureImplicitEndpoint } from '../../stores/webhook-endpoints';
import { checkWebhookUrl } from '../../webhooks/ssrf-guard';
import { canonicalHash } from '../idempotency';
import type { IdempotentRequest, Ownership } from '../idempotency';
import type { RouteAnswer } from '../route';
import type { RefundDeps } from './deps';
import type { RefundBody } from './schemas';
import { showRefund } from './view';

interface Wish {
  readonly object: RefundedRef;
  readonly body: RefundBody;
  readonly refundNo: string;
  /** Of object and body: the same number with other data is another refund. */
  readonly bodyHash: Buffer;
}

/** @throws HoldfastError NOT_FOUND when the merchant has no such payment or hold, and every refusal of the judgement */
export async function createRefund(
  deps: RefundDeps,
  object: RefundedRef,
  body: RefundBody,
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  const number = body.refund_no ?? generateNumber('RF', new Date(), randomBytes(8));
  return idem.run(number, async (own) => {
    const refundNo = own.number ?? number;
    // Whoever takes over a dead owner's request answers as that owner would have, whatever would be refused now. The record
    // has compared the bodies; the row cannot any more once its customer was erased.
    const begun = own.takenOver ? await readRefund(deps.db, object.merchantId, refundNo) : undefined;
    if (begun !== undefined) return answerFor(deps, begun, own, true);
    const bodyHash = canonicalHash({ kind: object.kind, no: object.no, ...body });
    const existing = await reserveAll(deps, own, { object, body, refundNo, bodyHash });
    const named = existing ?? { merchant_id: object.merchantId, refund_no: refundNo };
    return answerFor(deps, named, own, existing === undefined);
  });
}

function checkedNotifyOrigin(deps: RefundDeps, notifyUrl: string | undefined): string | undefined {
  if (notifyUrl === undefined) return undefined;
  const verdict = checkWebhookUrl(notifyUrl, deps.webhookUrlPolicy);
  if (verdict.ok) return verdict.origin;
  const { code, reason } = verdict;
  throw fail('WEBHOOK_URL_NOT_ALLOWED', { field: 'notify_url', code, reason });
}

/** Thrown to roll back a reservation that another request of the same number made superfluous. */
class NumberTaken extends Error {}

/** @returns the same refund, when it was there */
async function reserveAll(deps: RefundDeps, own: Ownership, wish: Wish): Promise<RefundRow | undefined> {
  try {
    return await withTransaction(deps.db, (tx) => insertAll(deps, tx, own, wish));
  } catch (error) {
    if (!(error instanceof NumberTaken)) throw error;
    return assertSame(await readRefund(deps.db, wish.object.merchantId, wish.refundNo), wish);
  }
}

/** Reservation, row, first channel call and idempotency record, or nothing. @returns the same refund, when it was there */
async function insertAll(
  deps: RefundDeps,
  tx: PoolClient,
  own: Ownership,
  wish: Wish,
): Promise<RefundRow | undefined> {
  const { object, body, refundNo } = wish;
  const { merchantId } = object;
  await own.insertWithin(tx);
  const row = await lockRefundable(tx, object);
  if (row === undefined) throw fail('NOT_FOUND');
  // Under the lock: a request of the same number that was first is committed now.
  const existing = await readRefund(tx, merchantId, refundNo);
  if (existing !== undefined) return assertSame(existing, wish);
  const notifyOrigin = checkedNotifyOrigin(deps, body.notify_url);
  const amount = await judged(tx, object, row, body.amount);
  if (!(await reserveRefund(tx, object, amount)))
    throw new Error(`${object.kind} ${object.no} has less to give back than it was judged to have`);
  if (notifyOrigin !== undefined && !(await ensureImplicitEndpoint(tx, merchantId, notifyOrigin)))
    throw fail('WEBHOOK_ENDPOINT_LIMIT');
  const inserted = await insertRefund(tx, {
    merchant_id: merchantId,
    refund_no: refundNo,
    object_kind: object.kind,
    object_no: object.no,
    late_payment_id: null,
    order_no: row.order_no,
    world: row.world,
    channel: row.channel,
    channel_account_id: row.channel_account_id,
    currency: row.currency,
    amount,
    reason: body.reason ?? null,
    notify_url: body.notify_url ?? row.notify_url,
    body_hash: wish.bodyHash,
  });
  // Taken this very moment for a refund of another payment.
  if (!inserted) throw new NumberTaken();
  await insertCall<'refund'>(tx, {
    object: refundObject({ merchantId, refundNo }),
    channelAccountId: row.channel_account_id,
    operation: 'refund',
    amount,
    currency: row.currency,
    final: true,
    commandId: CREATE_COMMAND_ID,
    sentNow: false,
  });
  return undefined;
}

/** @returns how much is given back, in minor units. @throws HoldfastError with the refusal */
async function judged(
  tx: PoolClient,
  object: RefundedRef,
  row: RefundableRow,
  asked: number | undefined,
): Promise<number> {
  const { channel, currency } = row;
  const refundable = await refundableOf(tx, object, row);
  const verdict = judgeRefund(refundable, asked, paymentCapabilitiesOf(channel));
  if ('code' in verdict) throw new HoldfastError(verdict);
  const refusal = checkRefundAmount(channel, { amount: verdict.amount, currency });
  if (refusal !== undefined) throw new HoldfastError(refusal);
  return verdict.amount;
}

/** @throws HoldfastError REFUND_CONFLICT */
function assertSame(existing: RefundRow | undefined, { bodyHash, refundNo }: Wish): RefundRow {
  if (existing?.body_hash.equals(bodyHash) !== true) throw fail('REFUND_CONFLICT', { refund_no: refundNo });
  return existing;
}

/** The refund that was read, or the one that this request has just inserted. */
type Named = RefundRow | Pick<RefundRow, 'merchant_id' | 'refund_no'>;

async function answerFor(
  deps: RefundDeps,
  named: Named,
  own: Ownership,
  isNew: boolean,
): Promise<RouteAnswer> {
  const { refund_no: refundNo } = named;
  const row = 'status' in named && isAnswered(named) ? named : await awaitChannel(deps, named, own);
  if (row.status === 'failed' && isNew) {
    const details = { refund_no: refundNo, decline_code: row.decline_code, status: row.status };
    const message = `The channel declined: ${row.decline_code ?? 'no reason given'}.`;
    throw fail('CHANNEL_DECLINED', details, message);
  }
  const data = showRefund(row, deps.box);
  if (isAnswered(row))
    return { status: isNew ? 201 : 200, data, message: isNew ? 'Refund created' : 'This refund exists' };
  const location = `/api/v1/refunds/${refundNo}`;
  const message = `Accepted; ask ${location} for the outcome`;
  return { status: 202, data, message, headers: { Location: location } };
}

function isAnswered(row: RefundRow): boolean {
  return row.channel_refund_no !== null || isRefundClosed(row.status);
}

/** Starts the workflow and waits for the channel's answer. Whatever goes wrong here, the refund is accepted: 202. */
async function awaitChannel(
  deps: RefundDeps,
  { merchant_id: merchantId, refund_no: refundNo }: Named,
  own: Ownership,
): Promise<RefundRow> {
  try {
    await deps.gateway.awaitCreated(refundObject({ merchantId, refundNo }), own.recordId, deps.waitTimeoutMs);
  } catch (error) {
    deps.log.warn(
      { err: error, refundNo },
      'no answer for a new refund in time; its workflow or the pick-up carries on',
    );
  }
  const row = await readRefund(deps.db, merchantId, refundNo);
  if (row === undefined) throw new Error(`the row of refund ${refundNo} is gone`);
  return row;
}
