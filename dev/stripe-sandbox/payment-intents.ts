/** The state machine of a PaymentIntent, with Stripe's error codes. Every function changes the intent and tells of it. */
import { CARDS } from './cards';
import type { TestCard } from './cards';
import { cardError, invalid, refused } from './errors';
import type { EventSender, EventSource } from './events';
import { checkStep } from './money-rules';
import { renderCharge, renderIntent } from './render';
import { makeId } from './state';
import type { State } from './state';
import type { Charge, Intent, IntentStatus } from './types';

/** What a change happens in: the state, who is told, and which request asked. */
export interface Scene {
  readonly state: State;
  readonly events: EventSender;
  readonly source: EventSource;
}

const DEFAULT_HOLD_SECONDS = 7 * 24 * 3600;
const CANCELABLE: readonly IntentStatus[] = [
  'requires_payment_method',
  'requires_capture',
  'requires_confirmation',
  'requires_action',
];
const CONFIRMABLE: readonly IntentStatus[] = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
];

const nowSeconds = () => Math.floor(Date.now() / 1000);

export function announce(scene: Scene, intent: Intent, ...types: string[]): void {
  scene.state.saveIntent(intent);
  for (const type of types) {
    const isCharge = type.startsWith('charge.');
    if (isCharge && intent.charge === null) continue;
    const object =
      isCharge && intent.charge !== null ? renderCharge(intent, intent.charge) : renderIntent(intent, false);
    scene.events.emit(intent.account, type, object, scene.source);
  }
}

function unexpectedState(intent: Intent, verb: string, allowed: readonly IntentStatus[]): Error {
  const only = `Only a PaymentIntent with one of the following statuses may be ${verb}: ${allowed.join(', ')}.`;
  const message =
    verb === 'canceled'
      ? `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. ${only}`
      : `This PaymentIntent could not be ${verb} because it has a status of ${intent.status}. ${only}`;
  return refused('payment_intent_unexpected_state', message, { payment_intent: renderIntent(intent, false) });
}

/** What a confirmation would use. @throws StripeApiError when the request cannot be carried out; changes nothing */
export function chooseCard(
  intent: Intent,
  method: string | undefined,
  returnUrl: string | undefined,
): { name: string; card: TestCard } {
  const name = method ?? intent.paymentMethod;
  if (name === null) {
    throw invalid(
      'parameter_missing',
      'You cannot confirm this PaymentIntent because it is missing a payment method.',
      'payment_method',
    );
  }
  const card = Object.hasOwn(CARDS, name) ? CARDS[name] : undefined;
  if (card === undefined)
    throw invalid('resource_missing', `No such PaymentMethod: '${name}'`, 'payment_method');
  const { automaticMethods } = intent;
  const redirects = automaticMethods?.['enabled'] === 'true' || automaticMethods?.['enabled'] === true;
  if (redirects && automaticMethods['allow_redirects'] !== 'never' && returnUrl === undefined) {
    throw invalid(
      'payment_intent_invalid_parameter',
      'This PaymentIntent accepts payment methods that may redirect: you must provide a `return_url`.',
      'return_url',
    );
  }
  return { name, card };
}

/** The customer confirms with a payment method. @throws StripeApiError 402 when the card is declined */
export function confirm(
  scene: Scene,
  intent: Intent,
  method: string | undefined,
  returnUrl: string | undefined,
): void {
  if (!CONFIRMABLE.includes(intent.status)) throw unexpectedState(intent, 'confirmed', CONFIRMABLE);
  const { name, card } = chooseCard(intent, method, returnUrl);
  intent.returnUrl = returnUrl ?? intent.returnUrl;
  intent.paymentMethod = name;
  intent.nextAction = null;
  intent.lastPaymentError = null;
  if (card.decline !== undefined) return declineConfirmation(scene, intent, name, card.decline);
  if (card.needsAction === true) {
    intent.status = 'requires_action';
    intent.nextAction =
      intent.returnUrl === null
        ? { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect' } }
        : {
            type: 'redirect_to_url',
            redirect_to_url: { return_url: intent.returnUrl, url: `/_sandbox/3ds/${intent.id}` },
          };
    return announce(scene, intent, 'payment_intent.requires_action');
  }
  authorize(scene, intent, name, card);
}

function declineConfirmation(
  scene: Scene,
  intent: Intent,
  name: string,
  decline: NonNullable<TestCard['decline']>,
): never {
  intent.status = 'requires_payment_method';
  intent.paymentMethod = null;
  intent.charge = newCharge(scene.state, intent, name, {});
  intent.charge.captureBefore = null;
  intent.charge.failure = decline;
  intent.lastPaymentError = {
    type: 'card_error',
    code: decline.code,
    decline_code: decline.declineCode ?? null,
    message: decline.message,
    charge: intent.charge.id,
  };
  announce(scene, intent, 'payment_intent.payment_failed');
  throw cardError(
    decline.code,
    decline.declineCode,
    decline.message,
    intent.charge.id,
    renderIntent(intent, false),
  );
}

function newCharge(state: State, intent: Intent, name: string, card: TestCard): Charge {
  const isManual = intent.captureMethod === 'manual';
  const holdSeconds = card.shortHold === true ? state.config.shortHoldSeconds : DEFAULT_HOLD_SECONDS;
  const wanted = (intent.methodOptions['card'] as { request_multicapture?: string } | undefined)
    ?.request_multicapture;
  const { multicapture } = state.config;
  return {
    id: makeId('ch'),
    created: nowSeconds(),
    amount: intent.amount,
    amountCaptured: 0,
    amountReleased: 0,
    card: name,
    captureBefore: isManual ? nowSeconds() + holdSeconds : null,
    failure: null,
    hasMulticapture:
      wanted === 'if_available' && (multicapture.includes('*') || multicapture.includes(intent.account)),
  };
}

function authorize(scene: Scene, intent: Intent, name: string, card: TestCard): void {
  intent.charge = newCharge(scene.state, intent, name, card);
  intent.nextAction = null;
  if (intent.captureMethod === 'manual') {
    intent.status = 'requires_capture';
    intent.amountCapturable = intent.amount;
    announce(scene, intent, 'payment_intent.amount_capturable_updated');
    return armExpiry(scene, intent);
  }
  intent.status = 'succeeded';
  intent.amountReceived = intent.amount;
  intent.charge.amountCaptured = intent.amount;
  announce(scene, intent, 'payment_intent.succeeded');
}

/** The customer comes back from the bank's page. */
export function authenticate(scene: Scene, intent: Intent, isSuccessful: boolean): void {
  if (intent.status !== 'requires_action')
    throw unexpectedState(intent, 'authenticated', ['requires_action']);
  if (isSuccessful) return authorize(scene, intent, intent.paymentMethod ?? '', {});
  intent.status = 'requires_payment_method';
  intent.nextAction = null;
  intent.paymentMethod = null;
  intent.lastPaymentError = {
    type: 'invalid_request_error',
    code: 'payment_intent_authentication_failure',
    message: 'The provided PaymentMethod has failed authentication.',
  };
  announce(scene, intent, 'payment_intent.payment_failed');
}

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
    release(intent);
    intent.status = 'succeeded';
  }
  announce(
    scene,
    intent,
    'charge.captured',
    isOver ? 'payment_intent.succeeded' : 'payment_intent.amount_capturable_updated',
  );
}

/** Gives what is still held back to the cardholder. */
function release(intent: Intent): void {
  intent.amountReleased += intent.amountCapturable;
  if (intent.charge !== null) intent.charge.amountReleased += intent.amountCapturable;
  intent.amountCapturable = 0;
}

/** @param isExpired the hold's own deadline; a partly captured hold ends as `succeeded` either way */
export function cancel(scene: Scene, intent: Intent, reason: string | null, isExpired = false): void {
  if (!CANCELABLE.includes(intent.status)) throw unexpectedState(intent, 'canceled', CANCELABLE);
  release(intent);
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
