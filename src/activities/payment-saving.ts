/** How a payment's next state is written: with its events and their notifications, and the end of the call it follows from. */
import type { PoolClient } from 'pg';
import type { PaymentSnapshot } from '../domain/channel-payment';
import { paymentObject } from '../domain/payment';
import type { Payment, PaymentTransition } from '../domain/payment';
import { settleCall } from '../stores/channel-calls';
import type { CallEnd } from '../stores/channel-calls';
import { appendEvent } from '../stores/outbox';
import { afterCommit } from '../stores/postgres';
import { toPayment, updatePayment } from '../stores/payments';
import type { PaymentRow } from '../stores/payments';
import { callOnceCommitted } from './attention';
import type { ActivityDeps } from './deps';
import { noteLateMoney } from './late-money';
import { noteSucceeded } from './paid';
import { transitionEvents } from './transition-events';

interface Saving {
  readonly cancelReason?: string | undefined;
  readonly settles?: CallEnd | undefined;
  /** What the transition was computed from: it may show money that the closed payment does not account for. */
  readonly snapshot?: PaymentSnapshot | undefined;
}

/** Conditional on the row, whose lock the caller holds. `null`: only the call is settled. */
export async function savePayment(
  deps: ActivityDeps,
  tx: PoolClient,
  row: PaymentRow,
  transition: PaymentTransition | null,
  extra: Saving = {},
): Promise<Payment> {
  const before = toPayment(row);
  if (transition === null) {
    if (extra.settles !== undefined) await settleCall(tx, extra.settles);
    return before;
  }
  const { next, events } = transition;
  const cancelReason = next.status === 'cancelled' ? extra.cancelReason : undefined;
  await updatePayment(tx, before, next, { events: events.length, cancelReason, settles: extra.settles });
  callOnceCommitted(deps, tx, paymentObject(next), before, next);
  afterCommit(tx, () => noteSucceeded(deps, row, before, next));
  const numbers = { channel_payment_no: next.channelPaymentNo, channel_trade_no: next.channelTradeNo };
  for (const event of transitionEvents(deps, row, subjectOf(next), transition, numbers))
    await appendEvent(tx, event);
  if (extra.snapshot !== undefined) await noteLateMoney(deps, tx, next, extra.snapshot);
  return next;
}

/** The payment as the subject of events and notes. */
function subjectOf(payment: Payment) {
  return { merchantId: payment.merchantId, objectKind: 'payment' as const, objectNo: payment.paymentNo };
}
