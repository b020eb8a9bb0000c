/** A payment as the subject of its calls: its verbs, and what its snapshots tell. */
import type { CustomerStep } from '../domain/channel';
import { provesNothingMoved } from '../domain/channel-call';
import type { PaymentOperation } from '../domain/channel-call';
import type { PaymentAnswer, PaymentSnapshot, PaymentVerbs } from '../domain/channel-payment';
import {
  paymentAnswerState,
  paymentResultOf,
  paymentSettledBy,
  paymentShowsAbsence,
} from '../domain/payment-call';
import { paymentObject } from '../domain/payment';
import type { Payment } from '../domain/payment';
import { COMPLETE_COMMAND_ID } from '../domain/payment-commands';
import type { PaymentResult } from '../domain/payment-commands';
import { findCalls } from '../stores/channel-calls';
import { PAYMENT_STEP_PURPOSE, setPaymentAttention, storePaymentStep, toPayment } from '../stores/payments';
import type { PaymentRow } from '../stores/payments';
import type { ActivityDeps, PaymentRef } from './deps';
import { giveUpPaymentCreate } from './payment-failover';
import type { Subject, SubjectReport } from './subject';

export type PaymentReport = SubjectReport<PaymentSnapshot, PaymentResult>;

/** The verbs of payments and refunds of an account. */
export function verbsFor(deps: ActivityDeps, channelAccountId: string): Promise<PaymentVerbs> {
  return deps.adapterOf(channelAccountId);
}

/** @param verbs those of the account that the row names */
export function paymentSubject(
  deps: ActivityDeps,
  row: PaymentRow,
  verbs: PaymentVerbs,
): Subject<PaymentSnapshot, PaymentResult, PaymentOperation> {
  const payment = toPayment(row);
  const capabilities = deps.paymentCapabilities(payment.channel);
  const waitsForUs = (snapshot: PaymentSnapshot) => verbs.needsCompletion(snapshot);
  return {
    object: paymentObject(payment),
    channelAccountId: payment.channelAccountId,
    place: { channel: payment.channel, ...(row.country !== null && { country: row.country }) },
    limitsOf: ({ operation }) => ({
      horizonMs:
        (operation === 'create' ? capabilities.createHorizonSeconds : capabilities.horizonSeconds) * 1000,
      proofGapMs: deps.proofGapMs,
      proofAfterSendMs: deps.proofAfterSendMs,
    }),
    async carryOut({ operation, currency }, identity, exchange) {
      switch (operation) {
        case 'create': {
          const { answer, customer } = await verbs.createPayment(createRequest(row), identity, exchange);
          await keepPaymentStep(deps, payment, customer);
          return answer;
        }
        case 'capture':
          return verbs.completePayment(channelNo(payment), identity, exchange);
        case 'cancel': {
          const request = { channelPaymentNo: channelNo(payment), currency };
          return orForgotten(deps, payment, await verbs.cancelPayment(request, identity, exchange));
        }
      }
    },
    isAnswered: (call, answer) => paymentAnswerState(call, answer, waitsForUs(answer.snapshot)) !== undefined,
    readAfterRefusal: (exchange) => verbs.queryPayment(channelNo(payment), exchange),
    async find(call, identity, exchange) {
      if (payment.channelPaymentNo !== null) return verbs.queryPayment(payment.channelPaymentNo, exchange);
      const created = { fromUnixSeconds: call.createdAtMs / 1000, toUnixSeconds: call.lastSentAtMs / 1000 };
      const [found] = await verbs.findPayments(identity, created, exchange);
      if (found !== undefined) await keepPaymentStep(deps, payment, found.customer);
      return found?.snapshot;
    },
    isSettledBy: (call, snapshot) => paymentSettledBy(call, snapshot, waitsForUs(snapshot)) !== undefined,
    showsAbsence: (call, snapshot) =>
      paymentShowsAbsence(call, snapshot, {
        findable: capabilities.findable,
        waitsForUs: snapshot !== undefined && waitsForUs(snapshot),
      }),
    resultOf: (call, state, declineCode) => paymentResultOf(call, state, declineCode, payment),
    async askForDecision(reason) {
      if (await setPaymentAttention(deps.db, payment, reason))
        deps.callOperator(paymentObject(payment), payment.channel, reason);
    },
    giveUp: (call, end) => giveUpPaymentCreate(deps, payment, call, end),
  };
}

/** The row, which must be there: payments are never deleted. */
export async function mustHave(
  reading: Promise<PaymentRow | undefined>,
  { merchantId, paymentNo }: PaymentRef,
): Promise<PaymentRow> {
  const row = await reading;
  if (row === undefined) throw new Error(`there is no payment ${paymentNo} of merchant ${merchantId}`);
  return row;
}

/**
 * A channel that takes money only at our call may forget what was not completed in time. Where no call of ours can have
 * taken any there is nothing left to close: the cancel is done.
 */
async function orForgotten(
  deps: ActivityDeps,
  payment: Payment,
  answer: PaymentAnswer,
): Promise<PaymentAnswer> {
  const isNotFound = answer.kind === 'declined' && answer.code === 'object_not_found';
  if (!isNotFound || deps.paymentCapabilities(payment.channel).forgetsUncompleted !== true) return answer;
  const object = paymentObject(payment);
  const { own } = await findCalls<PaymentOperation>(deps.db, object, COMPLETE_COMMAND_ID);
  if (!provesNothingMoved(own)) return answer;
  const { currency, amount } = payment;
  const nothing = { currency, amount, amountPaid: 0, amountRefunded: 0 };
  const snapshot = { ...nothing, channelPaymentNo: channelNo(payment), status: 'canceled' as const };
  return { kind: 'done', snapshot: { ...snapshot, closeCause: 'requested' } };
}

function channelNo({ paymentNo, channelPaymentNo }: Payment): string {
  if (channelPaymentNo === null) throw new Error(`payment ${paymentNo} has no object at its channel yet`);
  return channelPaymentNo;
}

/** Keeps what the customer's browser needs, encrypted, before anybody can ask for it. */
async function keepPaymentStep(deps: ActivityDeps, payment: Payment, step: CustomerStep): Promise<void> {
  if (step.clientSecret === undefined && step.nextAction === undefined) return;
  await storePaymentStep(deps.db, payment, deps.box.seal(JSON.stringify(step), PAYMENT_STEP_PURPOSE));
}

function createRequest(row: PaymentRow) {
  return {
    paymentNo: row.payment_no,
    orderNo: row.order_no,
    amount: row.amount,
    currency: row.currency,
    expiresAtUnixSeconds: Math.floor(row.expires_at.getTime() / 1000),
    ...(row.customer_email !== null ? { customerEmail: row.customer_email } : {}),
    ...(row.description !== null ? { description: row.description } : {}),
    ...(row.return_url !== null ? { returnUrl: row.return_url } : {}),
  };
}
