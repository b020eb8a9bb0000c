/** What Stripe says of holds, in our terms: pure tables. Payments and refunds: payment-mapping.ts. */
import type Stripe from 'stripe';
import { ChannelFault } from '../../domain/channel';
import type {
  ChannelHoldStatus,
  CustomerStep,
  HoldAnswer,
  HoldSnapshot,
  ReleaseCause,
} from '../../domain/channel';
import { fromStripeAmount } from './amounts';

/** A status that is not in this table is `unknown`: it is read again, never guessed. */
export const STATUS_TABLE: Readonly<Record<string, ChannelHoldStatus>> = {
  requires_payment_method: 'requires_payment_method',
  requires_confirmation: 'requires_confirmation',
  requires_action: 'requires_action',
  processing: 'processing',
  requires_capture: 'requires_capture',
  succeeded: 'succeeded',
  canceled: 'canceled',
};

export function mapStatus(status: string): ChannelHoldStatus {
  return (Object.hasOwn(STATUS_TABLE, status) ? STATUS_TABLE[status] : undefined) ?? 'unknown';
}

/** The reason we send with every cancel. The dashboard can send it too; the domain then judges by its own cause. */
export const OUR_CANCELLATION_REASON = 'requested_by_customer';

const RELEASE_CAUSES: Readonly<Record<string, ReleaseCause>> = {
  automatic: 'deadline',
  expired: 'deadline',
  [OUR_CANCELLATION_REASON]: 'requested',
};

/** Everything that is neither the channel's own deadline nor the reason we send was done by hand. */
export function mapReleaseCause(reason: string | null): ReleaseCause {
  return RELEASE_CAUSES[reason ?? ''] ?? 'dashboard';
}

/** Whether the answer to a verb is an end for now, or the customer or the channel has to act first. */
const ANSWER_KINDS: Readonly<Record<ChannelHoldStatus, 'done' | 'pending'>> = {
  requires_payment_method: 'pending',
  requires_confirmation: 'pending',
  requires_action: 'pending',
  processing: 'pending',
  unknown: 'pending',
  requires_capture: 'done',
  succeeded: 'done',
  canceled: 'done',
};

export function toAnswer(intent: Stripe.PaymentIntent): HoldAnswer {
  const snapshot = toSnapshot(intent);
  return { kind: ANSWER_KINDS[snapshot.status], snapshot };
}

/**
 * The hold as the PaymentIntent shows it. `latest_charge` must be expanded for the deadline to be seen.
 * @throws ChannelFault maybe_executed when an amount is not a whole number of the currency's ISO minor units
 */
export function toSnapshot(intent: Stripe.PaymentIntent): HoldSnapshot {
  const currency = intent.currency.toUpperCase();
  const status = mapStatus(intent.status);
  const captureBefore = readCaptureBefore(intent);
  const { holdfast_id: holdfastId, holdfast_call: holdfastCall } = intent.metadata;
  return {
    channelPreAuthNo: intent.id,
    status,
    currency,
    amount: iso(intent.amount, currency),
    amountCapturable: iso(intent.amount_capturable, currency),
    amountCaptured: iso(intent.amount_received, currency),
    ...(captureBefore === undefined ? {} : { captureBefore }),
    ...(status === 'canceled' ? { releaseCause: mapReleaseCause(intent.cancellation_reason) } : {}),
    ...(holdfastId === undefined ? {} : { holdfastId }),
    ...(holdfastCall === undefined ? {} : { holdfastCall }),
  };
}

/** @throws ChannelFault maybe_executed when the amount is not a whole number of the currency's ISO minor units */
export function iso(amount: number, currency: string): number {
  const converted = fromStripeAmount(amount, currency);
  if (converted === undefined) throw new ChannelFault('maybe_executed', 'amount_not_representable');
  return converted;
}

function readCaptureBefore(intent: Stripe.PaymentIntent): number | undefined {
  const charge = intent.latest_charge;
  if (charge === null || typeof charge === 'string') return undefined;
  return charge.payment_method_details?.card?.capture_before;
}

const OPEN: ReadonlySet<ChannelHoldStatus> = new Set([
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
]);

/** What the customer's browser needs to go on; nothing once it has nothing more to do. */
export function toCustomerStep(intent: Stripe.PaymentIntent): CustomerStep {
  if (intent.client_secret === null) return {};
  const step: CustomerStep = { clientSecret: intent.client_secret };
  if (!OPEN.has(mapStatus(intent.status))) return step;
  const url = intent.next_action?.redirect_to_url?.url;
  return {
    ...step,
    nextAction: typeof url === 'string' ? { type: 'redirect', url } : { type: 'client_secret' },
  };
}
