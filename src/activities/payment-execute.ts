/** Carries out a command on a payment: its call row is found or written, then sent. May run twice, at any point. */
import { EXPIRY_COMMAND_ID } from '../domain/channel-call';
import type { CREATE_COMMAND_ID, PaymentOperation } from '../domain/channel-call';
import type { Refusal } from '../domain/errors';
import { paymentObject } from '../domain/payment';
import type { Payment } from '../domain/payment';
import { COMPLETE_COMMAND_ID, judgePaymentCommand } from '../domain/payment-commands';
import type { PaymentCommand } from '../domain/payment-commands';
import type { PaymentCall } from '../domain/payment-call';
import { findCalls } from '../stores/channel-calls';
import type { NewCall } from '../stores/channel-calls';
import { readCommandNote } from '../stores/command-notes';
import { readPayment, toPayment } from '../stores/payments';
import { begin, lookInTurn } from './begin';
import type { ActivityDeps, PaymentRef } from './deps';
import { speakerOf } from './operator-word';
import { resend, send } from './exchange';
import { mustHave, paymentSubject, verbsFor } from './payment-subject';
import type { PaymentReport } from './payment-subject';
import { settleOpenCall } from './settle-call';

/** A payment as it is now, and what became of the step. */
export interface PaymentStepOutcome {
  readonly payment: Payment;
  readonly report: PaymentReport;
}

/** A create is the first command of every payment; it has no parameters, and its call was written with the row. */
export type PaymentStep =
  PaymentCommand | { readonly kind: 'create'; readonly commandId: typeof CREATE_COMMAND_ID };

export function createPaymentExecuteActivities(deps: ActivityDeps) {
  const read = (ref: PaymentRef) => mustHave(readPayment(deps.db, ref.merchantId, ref.paymentNo), ref);

  /** The first attempt at a command, and the resumption of one that a crash cut off. */
  async function executePayment(ref: PaymentRef, step: PaymentStep): Promise<PaymentStepOutcome> {
    const accountId = (await read(ref)).channel_account_id;
    const verbs = await verbsFor(deps, accountId);
    const { row, subject, next } = await begin(deps, {
      commandId: step.commandId,
      look: () =>
        lookInTurn(
          () => read(ref),
          () => findCalls<PaymentOperation>(deps.db, paymentObject(ref), step.commandId),
        ),
      subjectOf: (current) => paymentSubject(deps, current, verbs),
      isOver: (own) => isOver(step, own),
      newCall: step.kind === 'create' ? undefined : (current) => newCall(deps, toPayment(current), step),
    });
    if (row.channel_account_id !== accountId)
      throw new Error(`payment ${ref.paymentNo} was given to another channel meanwhile; look again`);
    if ('report' in next) return { payment: toPayment(row), report: next.report };
    const transmit = next.fresh ? send : resend;
    const report = await transmit(deps, subject, next.call, deps.exchangeTimeoutMs);
    const hasChanged = report.kind === 'moved' || report.kind === 'settled';
    return { payment: toPayment(hasChanged ? await read(ref) : row), report };
  }

  /** One attempt to find out what became of an open call, in the order of domain/settle.ts. */
  async function settlePaymentCall(ref: PaymentRef, callId: string): Promise<PaymentStepOutcome> {
    const row = await read(ref);
    const subject = paymentSubject(deps, row, await verbsFor(deps, row.channel_account_id));
    const report = await settleOpenCall(deps, subject, callId);
    return { payment: toPayment(await read(ref)), report };
  }

  return { executePayment, settlePaymentCall };
}

/**
 * Expiry and completion keep trying under the same name: a cancel that was refused is tried again, and a customer whose
 * means was declined may approve again. Money that was taken is never taken again.
 */
function isOver({ commandId }: PaymentStep, own: PaymentCall): boolean {
  if (commandId !== EXPIRY_COMMAND_ID && commandId !== COMPLETE_COMMAND_ID) return true;
  return own.state === 'executed';
}

async function newCall(
  deps: ActivityDeps,
  payment: Payment,
  step: PaymentCommand,
): Promise<NewCall<PaymentOperation> | Refusal> {
  const refusal = judgePaymentCommand(payment);
  if (refusal !== undefined) return refusal;
  const base = {
    object: paymentObject(payment),
    channelAccountId: payment.channelAccountId,
    currency: payment.currency,
    commandId: step.commandId,
    final: true,
    sentNow: true,
  };
  switch (step.kind) {
    case 'complete':
      return { ...base, operation: 'capture', amount: payment.amount };
    case 'expiry':
      return { ...base, operation: 'cancel', amount: 0, reason: 'expired' };
    case 'cancel': {
      const reason = step.reason ?? (await readCommandNote(deps.db, payment.merchantId, step.commandId));
      const speaker = speakerOf(deps.box, step, base.object, { amount: 0 });
      return { ...base, operation: 'cancel', amount: 0, reason, ...speaker };
    }
  }
}
