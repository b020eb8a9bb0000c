/** The customer's part: a PaymentIntent is confirmed, authenticated, declined, paid. Each change is told. */
import { CARDS } from './cards';
import type { TestCard } from './cards';
import { openDispute } from './disputes';
import { cardError, invalid } from './errors';
import { armExpiry } from './payment-intents';
import { renderIntent } from './render';
import { announce, nowSeconds, unexpectedState } from './scene';
import type { Scene } from './scene';
import { makeId } from './state';
import type { State } from './state';
import type { Charge, Intent, IntentStatus } from './types';

type Decline = NonNullable<TestCard['decline']>;

const DEFAULT_HOLD_SECONDS = 7 * 24 * 3600;
const CONFIRMABLE: readonly IntentStatus[] = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
];

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
  if (card.isDelayed === true && (intent.captureMethod === 'manual' || intent.allowedTypes !== null)) {
    throw invalid(
      'payment_intent_incompatible_payment_method',
      'This PaymentIntent does not take this type of payment method.',
      'payment_method',
    );
  }
  const { automaticMethods } = intent;
  const mayRedirect =
    automaticMethods?.['enabled'] === true && automaticMethods['allow_redirects'] !== 'never';
  if (mayRedirect && returnUrl === undefined) {
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

function declineConfirmation(scene: Scene, intent: Intent, name: string, decline: Decline): never {
  const charge = newCharge(scene.state, intent, name, {});
  charge.captureBefore = null;
  intent.charge = charge;
  failAttempt(intent, charge, decline);
  announce(scene, intent, 'payment_intent.payment_failed');
  const shown = renderIntent(intent, false);
  throw cardError(decline.code, decline.declineCode, decline.message, charge.id, shown);
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
    amountRefunded: 0,
    isDisputed: false,
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
  if (card.isDelayed === true) {
    intent.status = 'processing';
    return announce(scene, intent, 'payment_intent.processing', 'charge.pending');
  }
  takeMoney(scene, intent, intent.charge, card);
}

function takeMoney(scene: Scene, intent: Intent, charge: Charge, card: TestCard): void {
  intent.status = 'succeeded';
  intent.amountReceived = intent.amount;
  charge.amountCaptured = intent.amount;
  announce(scene, intent, 'charge.succeeded', 'payment_intent.succeeded');
  if (card.isDisputed === true) openDispute(scene, intent, {});
}

/** The bank has moved the money of a means that takes its time, or has refused to. */
export function settleProcessing(scene: Scene, intent: Intent, isSuccessful: boolean): void {
  const { charge } = intent;
  if (intent.status !== 'processing' || charge === null)
    throw unexpectedState(intent, 'settled', ['processing']);
  if (isSuccessful) return takeMoney(scene, intent, charge, {});
  failAttempt(intent, charge, {
    code: 'insufficient_funds',
    declineCode: undefined,
    message: 'The customer’s account has insufficient funds to cover this payment.',
  });
  announce(scene, intent, 'charge.failed', 'payment_intent.payment_failed');
}

/** The attempt is over, the PaymentIntent waits for another one. */
function failAttempt(intent: Intent, charge: Charge, decline: Decline): void {
  charge.failure = decline;
  intent.status = 'requires_payment_method';
  intent.paymentMethod = null;
  intent.lastPaymentError = {
    type: 'card_error',
    code: decline.code,
    decline_code: decline.declineCode ?? null,
    message: decline.message,
    charge: charge.id,
  };
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
