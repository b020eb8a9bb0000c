/** A refund as the subject of its one call, and the question what the channel knows of it. */
import type { Exchange } from '../domain/channel';
import type { ChannelCall } from '../domain/channel-call';
import type { KnownRefund, PaymentVerbs, RefundSnapshot, RefundTarget } from '../domain/channel-payment';
import { callName, workflowIdOf } from '../domain/ids';
import { refundedObject, refundObject } from '../domain/refund';
import { readLatePayment } from '../stores/late-payments';
import { readRefundable, targetOf } from '../stores/refund-reservations';
import { REFUND_CLAIM_PURPOSE, setRefundAttention, storeRefundClaim, toRefund } from '../stores/refunds';
import type { RefundRow } from '../stores/refunds';
import type { ActivityDeps, RefundRef } from './deps';
import { verbsFor } from './payment-subject';
import type { Subject, SubjectReport } from './subject';

export type RefundCall = ChannelCall<'refund'>;
/** What a refund came to is asked of its row: its call has no result of its own. */
export type RefundReport = SubjectReport<RefundSnapshot, null>;
export type RefundSubject = Subject<RefundSnapshot, null, 'refund'>;

/** The way from a refund to its channel. It never changes: neither the account, nor what is refunded. */
export interface RefundScene {
  readonly verbs: PaymentVerbs;
  readonly target: RefundTarget;
}

/** @throws Error when the payment or hold is gone, or its account takes no payments */
export async function refundScene(deps: ActivityDeps, row: RefundRow): Promise<RefundScene> {
  const object = refundedObject(toRefund(row));
  const refundable = await readRefundable(deps.db, object);
  if (refundable === undefined) throw new Error(`there is no ${object.kind} ${object.no} to refund`);
  const left = await lateAtLeft(deps, row);
  if (left !== undefined) {
    const { currency, amount } = row;
    const target = { kind: object.kind, channelNo: left, currency, amount };
    return { verbs: await verbsFor(deps, row.channel_account_id), target };
  }
  const target = targetOf(object, refundable);
  return { verbs: await verbsFor(deps, row.channel_account_id), target: lateTarget(row, target) ?? target };
}

/** The number at a channel that the object has left, where the money that goes back is there; undefined: at its own. */
async function lateAtLeft(
  { db }: ActivityDeps,
  { merchant_id: merchantId, late_payment_id: id }: RefundRow,
): Promise<string | undefined> {
  if (id === null) return undefined;
  return (await readLatePayment(db, merchantId, id))?.channel_no ?? undefined;
}

/** Late money came besides what the object's row knows of: in more than it paid, and perhaps under another trade. */
function lateTarget(
  row: RefundRow,
  { channelTradeNo: _, ...target }: RefundTarget,
): RefundTarget | undefined {
  return row.late_payment_id === null ? undefined : { ...target, amount: target.amount + row.amount };
}

export function refundSubject(
  deps: ActivityDeps,
  row: RefundRow,
  { verbs, target }: RefundScene,
): RefundSubject {
  const refund = toRefund(row);
  const find = (call: RefundCall, exchange: Exchange) =>
    findRefund(deps, row, { verbs, target }, call.n, exchange);
  return {
    object: refundObject(refund),
    channelAccountId: row.channel_account_id,
    place: { channel: refund.channel },
    limitsOf: () => ({
      horizonMs: deps.paymentCapabilities(refund.channel).horizonSeconds * 1000,
      proofGapMs: deps.proofGapMs,
      proofAfterSendMs: deps.proofAfterSendMs,
    }),
    async carryOut(call, identity, exchange) {
      const { amount, currency } = call;
      const request = { refundNo: row.refund_no, target, amount, currency };
      const reason = row.reason === null ? {} : { reason: row.reason };
      const answer = await verbs.createRefund({ ...request, ...reason }, identity, exchange);
      if (answer.kind !== 'declined')
        return { ...answer, snapshot: await keepClaim(deps, row, answer.snapshot) };
      // "Nothing is left to refund" may be what our own earlier send has brought about.
      const isFirst = call.n === 1 && call.attempts <= 1;
      const found = isFirst ? undefined : await find(call, exchange);
      return found === undefined ? answer : { kind: 'done', snapshot: found };
    },
    isAnswered: (_call, { snapshot }) => snapshot.status !== 'unknown',
    // What stands against a refund is its payment's state: that does not show what became of the refund.
    readAfterRefusal: () => Promise.resolve(undefined),
    find: (call, _identity, exchange) => find(call, exchange),
    isSettledBy: (_call, { status }) => status !== 'unknown',
    showsAbsence: (_call, snapshot) => snapshot === undefined,
    resultOf: () => null,
    async askForDecision(reason) {
      if (await setRefundAttention(deps.db, refund, reason))
        deps.callOperator(refundObject(refund), refund.channel, reason);
    },
  };
}

/**
 * The refund as the channel lists it among those of its payment or hold; undefined: it is not there.
 * @param calls how many calls there were, each of which may have made it
 * @throws ChannelFault
 */
export async function findRefund(
  deps: ActivityDeps,
  row: RefundRow,
  { verbs, target }: RefundScene,
  calls: number,
  exchange: Exchange,
): Promise<RefundSnapshot | undefined> {
  const holdfastId = workflowIdOf(refundObject(toRefund(row)));
  const known: KnownRefund[] = Array.from({ length: calls }, (_, index) => {
    return { refundNo: row.refund_no, holdfastId, holdfastCall: callName('refund', index + 1) };
  });
  const listed = await verbs.listRefunds(target, exchange, known);
  const ours = listed.filter((snapshot) => isSame(row, holdfastId, snapshot));
  const moved = ours.filter(({ status }) => status !== 'failed');
  if (moved.length > 1) {
    const numbers = moved.map(({ channelRefundNo }) => channelRefundNo);
    deps.log.error({ refundNo: row.refund_no, numbers }, 'the channel shows one refund more than once');
  }
  const found = moved[0] ?? ours[0];
  return found === undefined ? undefined : keepClaim(deps, row, found);
}

function isSame(row: RefundRow, holdfastId: string, snapshot: RefundSnapshot): boolean {
  if (row.channel_refund_no !== null && snapshot.channelRefundNo === row.channel_refund_no) return true;
  return snapshot.holdfastId === undefined
    ? snapshot.refundNo === row.refund_no
    : snapshot.holdfastId === holdfastId;
}

/** Keeps where the customer claims the money, encrypted, and takes it out of what enters the workflow. */
async function keepClaim(
  deps: ActivityDeps,
  row: RefundRow,
  snapshot: RefundSnapshot,
): Promise<RefundSnapshot> {
  const { claimUrl, ...rest } = snapshot;
  if (claimUrl === undefined) return snapshot;
  if (row.claim_sealed === null || deps.box.open(row.claim_sealed, REFUND_CLAIM_PURPOSE) !== claimUrl)
    await storeRefundClaim(deps.db, toRefund(row), deps.box.seal(claimUrl, REFUND_CLAIM_PURPOSE));
  return rest;
}

/** The row, which must be there: refunds are never deleted. */
export async function mustHaveRefund(
  reading: Promise<RefundRow | undefined>,
  { merchantId, refundNo }: RefundRef,
): Promise<RefundRow> {
  const row = await reading;
  if (row === undefined) throw new Error(`there is no refund ${refundNo} of merchant ${merchantId}`);
  return row;
}
