/** Objects as Stripe's API shows them: every field present, null where there is nothing. */
import { API_VERSION } from './version';
import type { Charge, Dispute, Intent, JsonObject, Refund } from './types';

/** @param isExpanded `latest_charge` as an object instead of its id */
export function renderIntent(intent: Intent, isExpanded: boolean): JsonObject {
  const { charge } = intent;
  return {
    id: intent.id,
    object: 'payment_intent',
    allowed_payment_method_types: intent.allowedTypes,
    amount: intent.amount,
    amount_capturable: intent.amountCapturable,
    amount_details: { tip: {} },
    amount_received: intent.amountReceived,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: intent.automaticMethods,
    canceled_at: intent.canceledAt,
    cancellation_reason: intent.cancellationReason,
    capture_method: intent.captureMethod,
    client_secret: intent.clientSecret,
    confirmation_method: intent.confirmationMethod,
    created: intent.created,
    currency: intent.currency,
    customer: intent.customer,
    customer_account: null,
    description: intent.description,
    excluded_payment_method_types: null,
    last_payment_error: intent.lastPaymentError,
    latest_charge: charge === null ? null : isExpanded ? renderCharge(intent, charge) : charge.id,
    livemode: false,
    managed_payments: { enabled: false },
    metadata: intent.metadata,
    next_action: intent.nextAction,
    on_behalf_of: null,
    payment_method: intent.paymentMethod,
    payment_method_configuration_details: null,
    payment_method_options: intent.methodOptions,
    payment_method_types: intent.allowedTypes ?? ['card'],
    payment_record: null,
    processing: null,
    receipt_email: intent.receiptEmail,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: intent.status,
    transfer_data: null,
    transfer_group: null,
  };
}

export function renderCharge(intent: Intent, charge: Charge): JsonObject {
  const { failure } = charge;
  const status = failure !== null ? 'failed' : intent.status === 'processing' ? 'pending' : 'succeeded';
  const amountRefunded = charge.amountReleased + charge.amountRefunded;
  return {
    id: charge.id,
    object: 'charge',
    amount: charge.amount,
    amount_captured: charge.amountCaptured,
    amount_refunded: amountRefunded,
    balance_transaction: null,
    captured: charge.amountCaptured > 0,
    created: charge.created,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: charge.isDisputed,
    failure_code: failure?.code ?? null,
    failure_message: failure?.message ?? null,
    livemode: false,
    metadata: intent.metadata,
    outcome: {
      network_status: failure === null ? 'approved_by_network' : 'declined_by_network',
      reason: failure?.declineCode ?? failure?.code ?? null,
      type: failure === null ? 'authorized' : 'issuer_declined',
    },
    paid: status === 'succeeded',
    payment_intent: intent.id,
    payment_method: charge.card,
    payment_method_details: {
      type: 'card',
      card: {
        brand: 'visa',
        ...(charge.captureBefore === null ? {} : { capture_before: charge.captureBefore }),
        country: 'US',
        funding: 'credit',
        last4: '4242',
        multicapture: { status: charge.hasMulticapture ? 'available' : 'unavailable' },
        network: 'visa',
      },
    },
    receipt_email: intent.receiptEmail,
    refunded: failure === null && amountRefunded === charge.amount,
    status,
  };
}

/** What never was in the merchant's balance (a release) or is not yet out of it has no balance transaction. */
export function renderRefund(refund: Refund, card: string): JsonObject {
  const hasMoved = !refund.isRelease && refund.status !== 'pending';
  return {
    id: refund.id,
    object: 'refund',
    amount: refund.amount,
    balance_transaction: hasMoved ? refund.id.replace('re_', 'txn_') : null,
    charge: refund.charge,
    created: refund.created,
    currency: refund.currency,
    customer: null,
    customer_account: null,
    destination_details: { card: { type: refund.isRelease ? 'reversal' : 'refund' }, type: 'card' },
    ...(refund.status === 'failed'
      ? {
          failure_balance_transaction: refund.id.replace('re_', 'txn_f'),
          failure_reason: refund.failureReason,
        }
      : {}),
    metadata: refund.metadata,
    payment_intent: refund.intent,
    payment_method: card,
    ...(refund.status === 'pending' ? { pending_reason: 'processing' } : {}),
    reason: refund.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: refund.status,
    transfer_reversal: null,
  };
}

export function renderDispute(dispute: Dispute): JsonObject {
  return {
    id: dispute.id,
    object: 'dispute',
    amount: dispute.amount,
    balance_transactions: [],
    charge: dispute.charge,
    created: dispute.created,
    currency: dispute.currency,
    enhanced_eligibility_types: [],
    evidence: {},
    evidence_details: { due_by: dispute.created + 7 * 24 * 3600, has_evidence: false, past_due: false },
    intended_submission_method: null,
    is_charge_refundable: dispute.status === 'won',
    livemode: false,
    metadata: {},
    payment_intent: dispute.intent,
    reason: dispute.reason,
    status: dispute.status,
  };
}

export function renderEvent(
  id: string,
  type: string,
  object: JsonObject,
  request: { id: string | null; key: string | null },
): JsonObject {
  return {
    id,
    object: 'event',
    api_version: API_VERSION,
    created: Math.floor(Date.now() / 1000),
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    request: { id: request.id, idempotency_key: request.key },
    type,
  };
}
