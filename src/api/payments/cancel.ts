/** Cancel a payment: the record first, then the workflow's one slot, then the answer from the rows. */
import type { PaymentOperation } from '../../domain/channel-call';
import { BY_API } from '../../domain/commands';
import { fail, HoldfastError } from '../../domain/errors';
import { isPaymentClosed, paymentObject } from '../../domain/payment';
import { paymentResultOf } from '../../domain/payment-call';
import { paymentClosedRefusal } from '../../domain/payment-commands';
import type { CancelPaymentCommand } from '../../domain/payment-commands';
import { findCalls } from '../../stores/channel-calls';
import { dropCommandNote, keepCommandNote } from '../../stores/command-notes';
import { readPayment, toPayment } from '../../stores/payments';
import type { PaymentRow } from '../../stores/payments';
import type { AskOutcome } from '../../temporal/command-gateway';
import type { IdempotentRequest, Ownership } from '../idempotency';
import type { RouteAnswer } from '../route';
import { acceptedAnswer } from './create';
import type { PaymentDeps } from './deps';
import { showPayment } from './view';

type CommandOutcome = Exclude<AskOutcome<'payment'>, { kind: 'closed' }>;

export async function cancelPayment(
  deps: PaymentDeps,
  row: PaymentRow,
  { reason }: { readonly reason?: string | undefined },
  idem: IdempotentRequest,
): Promise<RouteAnswer> {
  return idem.runCommand(async (own) => {
    const command: CancelPaymentCommand = { kind: 'cancel', commandId: own.recordId, by: BY_API };
    if (reason !== undefined) await keepCommandNote(deps.db, row.merchant_id, own.recordId, reason);
    const carried = await carryOut(deps, row, command, own).catch(async (error: unknown) => {
      const isRefused = error instanceof HoldfastError && error.code !== 'TEMPORARILY_UNAVAILABLE';
      if (isRefused && reason !== undefined) await dropCommandNote(deps.db, own.recordId);
      throw error;
    });
    const data = await showPayment(deps, await mustRead(deps, row));
    return carried === 'accepted' ? acceptedAnswer(data) : { status: 200, data, message: 'Cancelled' };
  });
}

/** @throws HoldfastError with the refusal, or TEMPORARILY_UNAVAILABLE when nobody knows whether the command was taken */
async function carryOut(
  deps: PaymentDeps,
  row: PaymentRow,
  command: CancelPaymentCommand,
  own: Ownership,
): Promise<'accepted' | 'done'> {
  const earlier = own.takenOver ? await outcomeInRows(deps, row, command.commandId) : undefined;
  // A call that is still open is joined by asking; a settled one answers by itself.
  const known = earlier?.kind === 'result' ? earlier : undefined;
  const outcome = known ?? (isPaymentClosed(row.status) ? closed(row) : await ask(deps, row, command));
  const isRefused = outcome.kind === 'result' && outcome.result.kind === 'refused';
  // Refused because of the state it may itself have brought about: an answer lost on the way, then asked again.
  const final = isRefused ? ((await outcomeInRows(deps, row, command.commandId)) ?? outcome) : outcome;
  if (final.kind === 'accepted') return 'accepted';
  if (final.result.kind === 'refused') throw new HoldfastError(final.result.refusal);
  return 'done';
}

/** What the rows say of this very command, workflow alive or closed; undefined when it never got as far as a call. */
async function outcomeInRows(
  deps: PaymentDeps,
  row: PaymentRow,
  commandId: string,
): Promise<CommandOutcome | undefined> {
  const object = paymentObject({ merchantId: row.merchant_id, paymentNo: row.payment_no });
  const { own } = await findCalls<PaymentOperation>(deps.db, object, commandId);
  if (own === undefined) return undefined;
  if (own.state === 'open') return { kind: 'accepted' };
  const payment = toPayment(await mustRead(deps, row));
  return { kind: 'result', result: paymentResultOf(own, own.state, own.declineCode, payment) };
}

function closed(row: PaymentRow): CommandOutcome {
  return { kind: 'result', result: { kind: 'refused', refusal: paymentClosedRefusal(row.status) } };
}

async function ask(
  deps: PaymentDeps,
  row: PaymentRow,
  command: CancelPaymentCommand,
): Promise<CommandOutcome> {
  const object = { merchantId: row.merchant_id, kind: 'payment', no: row.payment_no } as const;
  try {
    const isLive = async () => !isPaymentClosed((await mustRead(deps, row)).status);
    const outcome = await deps.gateway.ask({ object, command, timeoutMs: deps.waitTimeoutMs, isLive });
    return outcome.kind === 'closed' ? closed(await mustRead(deps, row)) : outcome;
  } catch (error) {
    deps.log.error(
      { err: error, paymentNo: row.payment_no },
      'a command could not be handed to its workflow',
    );
    throw fail('TEMPORARILY_UNAVAILABLE');
  }
}

async function mustRead(deps: PaymentDeps, row: PaymentRow): Promise<PaymentRow> {
  const now = await readPayment(deps.db, row.merchant_id, row.payment_no);
  if (now === undefined) throw new Error(`the row of payment ${row.payment_no} is gone`);
  return now;
}
