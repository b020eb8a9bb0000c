/** What becomes of a payment whose create certainly came to nothing: it goes to its next channel, or it ends. */
import type { PoolClient } from 'pg';
import { checkPaymentAmount } from '../channels/registry';
import { isCertainlyUnsent } from '../domain/channel-call';
import { codeOfEnd } from '../domain/failover';
import type { CreateEnd } from '../domain/failover';
import { applyPaymentRefused, applyPaymentUntaken, isPaymentClosed, paymentObject } from '../domain/payment';
import type { Payment } from '../domain/payment';
import { paymentResultOf } from '../domain/payment-call';
import type { PaymentCall } from '../domain/payment-call';
import type { CancelPaymentCommand, ExpirePaymentCommand } from '../domain/payment-commands';
import { lockPaymentAndCall, movePayment, toPayment } from '../stores/payments';
import type { PaymentRow } from '../stores/payments';
import { changing } from './changing';
import type { ActivityDeps, PaymentRef } from './deps';
import { endCreate, endUnsent } from './failover';
import type { Given, Orphan } from './failover';
import type { PaymentReport } from './payment-subject';
import { savePayment } from './payment-saving';

/** A payment, one of its creates, and the transaction that has locked both. */
export interface LockedPayment {
  readonly tx: PoolClient;
  readonly row: PaymentRow;
  readonly call: PaymentCall;
}

/** Ends the create, and gives the payment to its next channel or ends it too, as `endCreate` does. */
export function endPaymentCreate(
  deps: ActivityDeps,
  { tx, row, call }: LockedPayment,
  end: CreateEnd,
  providerCode?: string,
): Promise<Given<{ readonly payment: Payment }> | undefined> {
  const payment = toPayment(row);
  return endCreate(
    deps,
    tx,
    { orphan: orphanOf(row), call },
    { end, providerCode },
    {
      async move({ id: channelAccountId, channel }) {
        await movePayment(tx, payment, { channel, accountId: channelAccountId });
        const version = payment.version + 1;
        return { payment: { ...payment, channel, channelAccountId, needsAttention: null, version } };
      },
      async end(as, settles) {
        const transition =
          as === 'expired'
            ? applyPaymentUntaken(payment, 'expired')
            : applyPaymentRefused(payment, codeOfEnd(end));
        return { payment: await savePayment(deps, tx, row, transition, { settles }) };
      },
    },
  );
}

function orphanOf(row: PaymentRow): Orphan {
  const payment = toPayment(row);
  const { world, channel, status, amount, currency, expiresAtMs } = payment;
  const isTaken = payment.channelPaymentNo !== null || row.customer_step_sealed !== null;
  return {
    object: { ...paymentObject(payment), kind: 'payment' },
    ...{ world, channel, status, amount, currency, expiresAtMs },
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
      const saving = await endUnsent(deps, tx, paymentObject(payment), call, command);
      const transition = applyPaymentUntaken(payment, command.kind === 'cancel' ? 'cancelled' : 'expired');
      const next = await savePayment(deps, tx, row, transition, saving);
      return { payment: next, isEnded: true };
    });
  }

  return { endUntakenPayment };
}
