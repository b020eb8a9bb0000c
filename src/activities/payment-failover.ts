/** What becomes of a payment whose create certainly came to nothing: it goes to its next channel, or it ends. */
import type { PoolClient } from 'pg';
import { checkPaymentAmount } from '../channels/registry';
import { isCertainlyUnsent } from '../domain/channel-call';
import type { ChannelCall } from '../domain/channel-call';
import { codeOfEnd } from '../domain/failover';
import type { CreateEnd } from '../domain/failover';
import { applyPaymentRefused, applyPaymentUntaken, isPaymentClosed, paymentObject } from '../domain/payment';
import type { Payment } from '../domain/payment';
import { paymentResultOf } from '../domain/payment-call';
import type { PaymentCall } from '../domain/payment-call';
import type { CancelPaymentCommand, ExpirePaymentCommand } from '../domain/payment-commands';
import { readCommandNote } from '../stores/command-notes';
import { lockPaymentAndCall, movePayment, toPayment } from '../stores/payments';
import type { PaymentRow } from '../stores/payments';
import { changing } from './changing';
import type { ActivityDeps, PaymentRef } from './deps';
import { callEndOf, nextStepOf, unsentEnd, writeSuccessor } from './failover';
import type { Orphan } from './failover';
import type { PaymentReport } from './payment-subject';
import { savePayment } from './payment-saving';

/** A payment, one of its creates, and the transaction that has locked both. */
export interface LockedPayment {
  readonly tx: PoolClient;
  readonly row: PaymentRow;
  readonly call: PaymentCall;
}

export interface GivenPayment {
  readonly payment: Payment;
  /** The create that follows, at another channel; absent: the payment has ended. */
  readonly movedTo?: string;
}

/** @returns undefined: nothing was written, because the payment waits for this very channel. Never for a decline */
export async function endPaymentCreate(
  deps: ActivityDeps,
  { tx, row, call }: LockedPayment,
  end: CreateEnd,
  providerCode?: string,
): Promise<GivenPayment | undefined> {
  const payment = toPayment(row);
  const orphan = orphanOf(row, call);
  const settles = callEndOf(call.id, end, providerCode);
  const step = await nextStepOf(deps, tx, orphan, end);
  switch (step.kind) {
    case 'stay':
      return undefined;
    case 'move': {
      const { id: channelAccountId, channel } = step.account;
      const movedTo = await writeSuccessor(deps, tx, orphan, call, settles, step.account);
      await movePayment(tx, payment, { channel, accountId: channelAccountId });
      const version = payment.version + 1;
      return { payment: { ...payment, channel, channelAccountId, needsAttention: null, version }, movedTo };
    }
    case 'end': {
      const transition =
        step.as === 'expired'
          ? applyPaymentUntaken(payment, 'expired')
          : applyPaymentRefused(payment, codeOfEnd(end));
      return { payment: await savePayment(deps, tx, row, transition, { settles }) };
    }
  }
}

function orphanOf(row: PaymentRow, { maybeSent }: Pick<ChannelCall, 'maybeSent'>): Orphan {
  const payment = toPayment(row);
  const { world, channel, status, amount, currency, expiresAtMs } = payment;
  const isTaken = payment.channelPaymentNo !== null || row.customer_step_sealed !== null;
  return {
    object: { ...paymentObject(payment), kind: 'payment' },
    ...{ world, channel, status, amount, currency, expiresAtMs },
    maybeSent,
    handedOut: payment.handedOut || isTaken || isPaymentClosed(status),
    refusalOf: (other, contract) => checkPaymentAmount(other, { amount, currency }, contract),
  };
}

/** The same for a create that no decline has ended. @returns undefined: nothing was written, the call stays open */
export async function giveUpPaymentCreate(
  deps: ActivityDeps,
  { merchantId, paymentNo }: PaymentRef,
  { id: callId }: PaymentCall,
  end: CreateEnd,
): Promise<PaymentReport | undefined> {
  return changing<PaymentReport | undefined>(deps, async (tx) => {
    const locked = await lockPaymentAndCall(tx, merchantId, paymentNo, callId);
    if (locked === undefined || locked.call.state !== 'open') return undefined;
    const { row, call } = locked;
    // Another run of this step may be sending it at this moment.
    if (end.kind === 'not_sent' && !isCertainlyUnsent(call)) return undefined;
    const given = await endPaymentCreate(deps, { tx, row, call }, end);
    if (given === undefined) return undefined;
    return given.movedTo !== undefined
      ? { kind: 'moved', callId: given.movedTo }
      : { kind: 'settled', result: paymentResultOf(call, 'declined', codeOfEnd(end), given.payment) };
  });
}

export function createPaymentFailoverActivities(deps: ActivityDeps) {
  /**
   * Ends a payment between two channels, on request or because its time is over: the one it was given to has not been asked.
   * @returns `isEnded` false: it has been asked, so that its answer comes first
   */
  async function endUntakenPayment(
    { merchantId, paymentNo }: PaymentRef,
    callId: string,
    command: CancelPaymentCommand | ExpirePaymentCommand,
  ): Promise<{ readonly payment: Payment; readonly isEnded: boolean }> {
    return changing(deps, async (tx) => {
      const locked = await lockPaymentAndCall(tx, merchantId, paymentNo, callId);
      if (locked === undefined) throw new Error(`payment ${paymentNo} has no channel call ${callId}`);
      const { row, call } = locked;
      const payment = toPayment(row);
      if (call.state !== 'open' || call.attempts > 0)
        return { payment, isEnded: isPaymentClosed(payment.status) };
      const isCancel = command.kind === 'cancel';
      const transition = applyPaymentUntaken(payment, isCancel ? 'cancelled' : 'expired');
      const cancelReason = isCancel
        ? (command.reason ?? (await readCommandNote(tx, merchantId, command.commandId)))
        : undefined;
      const settles = unsentEnd(callId, command.kind);
      const next = await savePayment(deps, tx, row, transition, { settles, cancelReason });
      return { payment: next, isEnded: true };
    });
  }

  return { endUntakenPayment };
}
