/**
 * Activities that write what is known of a payment: row, event and outbox in one transaction, conditional on the current
 * state.
 */
import type { PoolClient } from 'pg';
import { ChannelFault } from '../domain/channel';
import type { PaymentOperation } from '../domain/channel-call';
import { CREATE_COMMAND_ID, EXPIRY_COMMAND_ID } from '../domain/channel-call';
import type { PaymentAnswer, PaymentSnapshot, PaymentVerbs } from '../domain/channel-payment';
import {
  applyPaymentAttentionMet,
  applyPaymentDecline,
  applyPaymentRefused,
  applyPaymentSnapshot,
  isPaymentClosed,
  paymentObject,
} from '../domain/payment';
import type { Payment, PaymentTransition } from '../domain/payment';
import { paymentAnswerState, paymentCauseOf, paymentResultOf } from '../domain/payment-call';
import type { PaymentCall } from '../domain/payment-call';
import type { PaymentResult } from '../domain/payment-commands';
import { findCalls } from '../stores/channel-calls';
import { lockPayment, lockPaymentAndCall, readPayment, toPayment } from '../stores/payments';
import type { PaymentRow } from '../stores/payments';
import { changing } from './changing';
import type { ActivityDeps, PaymentRef } from './deps';
import { noteDecision } from './operator-word';
import { exchangeOf } from './exchange';
import { successorOf } from './failover';
import { endPaymentCreate } from './payment-failover';
import { savePayment } from './payment-saving';
import { mustHave, verbsFor } from './payment-subject';
import type { OperatorDecision } from './records';

export interface PaymentRecordOutcome {
  readonly payment: Payment;
  readonly result: PaymentResult;
  /** The customer has approved: completePayment must follow. */
  readonly completionDue: boolean;
  /** The create that follows at another channel, because this one was declined. */
  readonly movedTo?: string;
}

export interface PaymentReading {
  readonly payment: Payment;
  /** false: the channel could not be asked. */
  readonly answered: boolean;
  readonly completionDue: boolean;
  /** The channel does not know it (any more). */
  readonly unknownThere?: boolean;
  /** A call that a task which never ended left open. */
  readonly openCall?: {
    readonly id: string;
    readonly operation: PaymentOperation;
    readonly commandId: string;
  };
}

export function createPaymentRecordActivities(deps: ActivityDeps) {
  /** Settles the call and takes over what the answer says. A repeat finds it done and changes nothing. */
  async function recordPaymentAnswer(
    ref: PaymentRef,
    callId: string,
    answer: PaymentAnswer,
    reading?: PaymentSnapshot,
  ): Promise<PaymentRecordOutcome> {
    const row = await mustHave(readPayment(deps.db, ref.merchantId, ref.paymentNo), ref);
    const verbs = await verbsFor(deps, row.channel_account_id);
    const shown = answer.kind === 'declined' ? reading : answer.snapshot;
    const outcome = await settleOnce(ref, callId, (tx, locked, call) =>
      recordAnswered(deps, { tx, row: locked, call }, verbs, answer, reading),
    );
    const waitsForUs = shown !== undefined && verbs.needsCompletion(shown);
    return { ...outcome, completionDue: waitsForUs && !isPaymentClosed(outcome.payment.status) };
  }

  /** Does `work` under the locks of payment and call, unless the call is settled already: then that is the outcome. */
  async function settleOnce(
    ref: PaymentRef,
    callId: string,
    work: (tx: PoolClient, row: PaymentRow, call: PaymentCall) => Promise<Settled>,
  ): Promise<Settled> {
    return changing(deps, async (tx) => {
      const locked = await lockPaymentAndCall(tx, ref.merchantId, ref.paymentNo, callId);
      if (locked === undefined) throw new Error(`payment ${ref.paymentNo} has no channel call ${callId}`);
      const { row, call } = locked;
      if (call.state === 'open') return work(tx, row, call);
      const payment = toPayment(row);
      const result = paymentResultOf(call, call.state, call.declineCode, payment);
      const movedTo = await successorOf(tx, paymentObject(ref), call);
      return { payment, result, ...(movedTo !== undefined && { movedTo }) };
    });
  }

  /**
   * Reads the object and takes over what it says: news from the channel. While a call is open its own answer comes first:
   * the call is named and nothing is taken over.
   */
  async function readPaymentObject(ref: PaymentRef): Promise<PaymentReading> {
    const payment = toPayment(await mustHave(readPayment(deps.db, ref.merchantId, ref.paymentNo), ref));
    const verbs = await verbsFor(deps, payment.channelAccountId);
    const snapshot = await ask(deps, verbs, payment);
    if (snapshot === 'no answer') return { payment, answered: false, completionDue: false };
    return changing(deps, async (tx) => {
      const row = await mustHave(lockPayment(tx, ref.merchantId, ref.paymentNo), ref);
      const { open } = await findCalls<PaymentOperation>(tx, paymentObject(ref), CREATE_COMMAND_ID);
      if (open !== undefined) {
        const { id, operation, commandId } = open;
        const openCall = { id, operation, commandId };
        return { payment: toPayment(row), answered: true, completionDue: false, openCall };
      }
      if (snapshot === undefined)
        return { payment: toPayment(row), answered: true, completionDue: false, unknownThere: true };
      const transition = applyPaymentSnapshot(toPayment(row), snapshot, 'channel');
      const next = await savePayment(deps, tx, row, transition, { snapshot });
      const completionDue = verbs.needsCompletion(snapshot) && !isPaymentClosed(next.status);
      return { payment: next, answered: true, completionDue };
    });
  }

  /** Settles a call by an operator's word; who said so and why is kept for good. */
  async function settlePaymentByOperator(
    ref: PaymentRef,
    callId: string,
    decision: OperatorDecision,
  ): Promise<PaymentRecordOutcome> {
    const outcome = await settleOnce(ref, callId, async (tx, row, call) => {
      const before = toPayment(row);
      await noteDecision(tx, paymentObject(ref), before.status, call, decision);
      const settles = { callId, state: decision.outcome, outcome: { ...decision } };
      const transition = decidedTransition(before, call, decision.outcome);
      const payment = await savePayment(deps, tx, row, transition, { settles });
      return { payment, result: paymentResultOf(call, decision.outcome, null, payment) };
    });
    return { ...outcome, completionDue: false };
  }

  return { recordPaymentAnswer, readPaymentObject, settlePaymentByOperator };
}

type Settled = Omit<PaymentRecordOutcome, 'completionDue'>;

interface Locked {
  readonly tx: PoolClient;
  readonly row: PaymentRow;
  readonly call: PaymentCall;
}

async function recordAnswered(
  deps: ActivityDeps,
  { tx, row, call }: Locked,
  verbs: PaymentVerbs,
  answer: PaymentAnswer,
  reading: PaymentSnapshot | undefined,
): Promise<Settled> {
  const waitsForUs = answer.kind !== 'declined' && verbs.needsCompletion(answer.snapshot);
  const state = paymentAnswerState(call, answer, waitsForUs) ?? 'executed';
  const declined = answer.kind === 'declined' ? answer : answer.snapshot.lastDecline;
  const decline = state === 'declined' ? declined : undefined;
  const outcome =
    decline === undefined ? {} : { decline_code: decline.code, provider_code: decline.providerCode };
  const snapshot = answer.kind === 'declined' ? reading : answer.snapshot;
  const settles = { callId: call.id, state, outcome };
  const saving = { cancelReason: cancelReasonOf(call), settles, snapshot };
  const payment = toPayment(row);
  if (answer.kind === 'declined' && call.operation === 'create') {
    const given = await endPaymentCreate(deps, { tx, row, call }, answer, answer.providerCode);
    if (given === undefined) throw new Error('a declined create cannot stay open');
    return { ...given, result: paymentResultOf(call, state, answer.code, given.payment) };
  }
  const next = await savePayment(deps, tx, row, transitionOf(payment, call, answer, reading), saving);
  return { payment: next, result: paymentResultOf(call, state, decline?.code ?? null, next) };
}

function transitionOf(
  payment: Payment,
  call: PaymentCall,
  answer: PaymentAnswer,
  reading: PaymentSnapshot | undefined,
): PaymentTransition | null {
  const cause = paymentCauseOf(call);
  if (answer.kind !== 'declined')
    return applyPaymentSnapshot(payment, answer.snapshot, cause) ?? applyPaymentAttentionMet(payment);
  if (call.operation === 'create') throw new Error('a declined create is ended by itself');
  if (reading === undefined) return applyPaymentDecline(payment, call.operation, answer.code);
  // "Wrong state" comes with a reading of the object: what happened there is the reason. When it shows nothing new and
  // is not at work either, nobody knows why the channel refuses.
  const seen = applyPaymentSnapshot(payment, reading, cause);
  if (seen !== null || reading.status === 'processing') return seen;
  return applyPaymentDecline(payment, call.operation, answer.code);
}

function cancelReasonOf(call: PaymentCall): string | undefined {
  const isCancel = call.operation === 'cancel' && call.commandId !== EXPIRY_COMMAND_ID;
  return isCancel ? (call.reason ?? undefined) : undefined;
}

/** What an operator's word makes of the payment, told as if the channel had said it. */
function decidedTransition(
  payment: Payment,
  call: PaymentCall,
  outcome: OperatorDecision['outcome'],
): PaymentTransition | null {
  if (call.operation === 'create')
    return outcome === 'executed' ? null : applyPaymentRefused(payment, 'not_executed');
  if (payment.channelPaymentNo === null) return null;
  if (outcome !== 'executed') return applyPaymentAttentionMet(payment);
  const isPaid = call.operation === 'capture';
  const snapshot: PaymentSnapshot = {
    channelPaymentNo: payment.channelPaymentNo,
    status: isPaid ? 'succeeded' : 'canceled',
    currency: payment.currency,
    amount: payment.amount,
    amountPaid: isPaid ? payment.amount : 0,
    amountRefunded: 0,
  };
  return applyPaymentSnapshot(payment, snapshot, paymentCauseOf(call));
}

async function ask(
  deps: ActivityDeps,
  verbs: PaymentVerbs,
  payment: Payment,
): Promise<PaymentSnapshot | undefined | 'no answer'> {
  if (isPaymentClosed(payment.status) || payment.channelPaymentNo === null) return undefined;
  try {
    return await verbs.queryPayment(payment.channelPaymentNo, exchangeOf(deps.exchangeTimeoutMs));
  } catch (error) {
    if (error instanceof ChannelFault) return 'no answer';
    throw error;
  }
}
