/** What the merchant and time do to a PaymentIntent, with Stripe's error codes: captured, canceled, expired. Each change is told. */
import { CARDS } from './cards';
import { cardError, refused } from './errors';
import { checkStep } from './money-rules';
import { recordRelease } from './refunds';
import { renderIntent } from './render';
import { announce, nowSeconds, unexpectedState } from './scene';
import type { Scene } from './scene';
import type { State } from './state';
import type { Intent, IntentStatus } from './types';

const CANCELABLE: readonly IntentStatus[] = [
  'requires_payment_method',
  'requires_capture',
  'requires_confirmation',
  'requires_action',
];
export interface CaptureRequest {
  /** Stripe's unit; undefined: everything. */
  readonly amount: number | undefined;
  readonly final: boolean | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws StripeApiError with Stripe's code for whatever stands against it */
export function capture(scene: Scene, intent: Intent, request: CaptureRequest): void {
  const { charge } = intent;
  if (intent.status !== 'requires_capture' || charge === null)
    throw unexpectedState(intent, 'captured', ['requires_capture']);
  const shown = { payment_intent: renderIntent(intent, false) };
  if (charge.captureBefore !== null && Date.now() >= charge.captureBefore * 1000) {
    throw refused('charge_expired_for_capture', 'The authorization of this charge has expired.', shown);
  }
  const amount = request.amount ?? intent.amountCapturable;
  checkStep(amount, intent.currency, 'amount_to_capture');
  if (amount > intent.amountCapturable) {
    const message = `The amount to capture (${amount}) is greater than the amount capturable (${intent.amountCapturable}).`;
    throw refused('amount_too_large', message, { ...shown, param: 'amount_to_capture' });
  }
  if (request.final === false && !charge.hasMulticapture) {
    throw refused(
      'payment_intent_invalid_parameter',
      'Multicapture is not available for this PaymentIntent.',
      {
        ...shown,
        param: 'final_capture',
      },
    );
  }
  if (CARDS[charge.card]?.captureDeclined === true) {
    throw cardError(
      'card_declined',
      'generic_decline',
      'Your card was declined.',
      charge.id,
      shown.payment_intent,
    );
  }
  Object.assign(intent.metadata, request.metadata);
  intent.amountReceived += amount;
  intent.amountCapturable -= amount;
  charge.amountCaptured = intent.amountReceived;
  const isOver = request.final !== false || intent.amountCapturable === 0;
  if (isOver) {
    release(scene, intent, null);
    intent.status = 'succeeded';
  }
  announce(
    scene,
    intent,
    'charge.captured',
    isOver ? 'payment_intent.succeeded' : 'payment_intent.amount_capturable_updated',
  );
}

/** Gives what is still held back to the cardholder; Stripe shows that among the refunds, where it is none. */
function release(scene: Scene, intent: Intent, reason: string | null): void {
  const { charge, amountCapturable: amount } = intent;
  intent.amountReleased += amount;
  intent.amountCapturable = 0;
  if (charge === null || amount === 0) return;
  charge.amountReleased += amount;
  recordRelease(scene, intent, charge, { amount, reason });
}

/** @param isExpired the hold's own deadline; a partly captured hold ends as `succeeded` either way */
export function cancel(scene: Scene, intent: Intent, reason: string | null, isExpired = false): void {
  if (!CANCELABLE.includes(intent.status)) throw unexpectedState(intent, 'canceled', CANCELABLE);
  release(scene, intent, isExpired ? 'expired_uncaptured_charge' : null);
  intent.nextAction = null;
  if (intent.amountReceived > 0) {
    intent.status = 'succeeded';
    return announce(scene, intent, 'payment_intent.succeeded');
  }
  intent.status = 'canceled';
  intent.canceledAt = nowSeconds();
  intent.cancellationReason = reason;
  announce(scene, intent, ...(isExpired ? ['charge.expired'] : []), 'payment_intent.canceled');
}

const FAR_MS = 24 * 3_600_000;

/** Holds that end within a day get a timer; the others are looked at when somebody asks for them. */
export function armExpiry(scene: Scene, intent: Intent): void {
  const waitMs = expiresAtMs(scene.state, intent) - Date.now();
  if (waitMs > FAR_MS) return;
  const look = () => {
    expireIfDue(scene, intent);
    // A timer may fire a millisecond before the clock says so, and the lag may have been changed meanwhile.
    if (intent.status === 'requires_capture' && scene.state.intents.get(intent.id) === intent) {
      armExpiry(scene, intent);
    }
  };
  setTimeout(look, Math.max(waitMs, 1)).unref();
}

export function expireIfDue(scene: Scene, intent: Intent): void {
  const isGone = scene.state.intents.get(intent.id) !== intent;
  if (isGone || intent.status !== 'requires_capture') return;
  if (Date.now() < expiresAtMs(scene.state, intent)) return;
  cancel({ ...scene, source: { requestId: null, idempotencyKey: null } }, intent, 'automatic', true);
  scene.state.journal.flush();
}

function expiresAtMs(state: State, intent: Intent): number {
  const captureBefore = intent.charge?.captureBefore;
  return captureBefore === null || captureBefore === undefined
    ? Number.POSITIVE_INFINITY
    : captureBefore * 1000 + state.config.expiryLagMs;
}
