/** Money that goes back, with Stripe's error codes: refunds are made, come to their end, and are told of. */
import { CARDS } from './cards';
import { invalid, refused, StripeApiError } from './errors';
import { checkStep } from './money-rules';
import { renderRefund } from './render';
import { announce, nowSeconds } from './scene';
import type { Scene } from './scene';
import { makeId } from './state';
import type { Charge, Intent, Refund } from './types';

export interface RefundRequest {
  /** Stripe's unit; undefined: everything that is left. */
  readonly amount: number | undefined;
  readonly reason: string | null;
  readonly metadata: Readonly<Record<string, string>>;
}

/** @throws StripeApiError with Stripe's code, or words where it has none, for whatever stands against it */
export function refund(scene: Scene, intent: Intent, request: RefundRequest): Refund {
  const { charge } = intent;
  if (charge === null || charge.failure !== null || intent.amountReceived === 0) {
    throw refusedAmount(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`);
  }
  if (charge.isDisputed) {
    throw refused('charge_disputed', `Charge ${charge.id} has been charged back; cannot issue a refund.`);
  }
  const left = intent.amountReceived - charge.amountRefunded;
  if (left === 0) throw refused('charge_already_refunded', `Charge ${charge.id} has already been refunded.`);
  const amount = checkAmount(request.amount ?? left, intent, charge);
  const kind = CARDS[charge.card]?.refunds;
  const atMs = Date.now() + scene.state.config.refundSettleMs;
  const made: Refund = {
    ...newRefund(intent, charge, amount),
    status: kind === 'pending' ? 'pending' : 'succeeded',
    reason: request.reason,
    metadata: { ...request.metadata },
    due: kind === undefined ? null : { atMs, outcome: kind === 'pending' ? 'succeeded' : 'failed' },
  };
  charge.amountRefunded += amount;
  scene.state.saveRefund(made);
  announce(scene, intent, 'charge.refunded');
  tell(scene, made, charge, 'refund.created');
  armSettlement(scene, made);
  return made;
}

function checkAmount(amount: number, intent: Intent, charge: Charge): number {
  if (amount < 1) {
    throw invalid('parameter_invalid_integer', 'This value must be greater than or equal to 1.', 'amount');
  }
  checkStep(amount, intent.currency, 'amount');
  const left = intent.amountReceived - charge.amountRefunded;
  if (amount <= left) return amount;
  const what = charge.amountRefunded === 0 ? 'charge amount' : 'unrefunded amount on charge';
  throw refusedAmount(`Refund amount (${amount}) is greater than ${what} (${left})`, 'amount');
}

/** Refused by the state it meets, hence stored; Stripe gives these no code. */
function refusedAmount(message: string, param?: string): StripeApiError {
  const body = { type: 'invalid_request_error', message, ...(param === undefined ? {} : { param }) } as const;
  return new StripeApiError(400, body, true);
}

function newRefund(intent: Intent, charge: Charge, amount: number): Refund {
  return {
    id: makeId('re'),
    account: intent.account,
    intent: intent.id,
    charge: charge.id,
    created: nowSeconds(),
    amount,
    currency: intent.currency,
    status: 'succeeded',
    isRelease: false,
    reason: null,
    failureReason: null,
    metadata: {},
    due: null,
  };
}

/** What a hold gives back uncaptured stands among the refunds too. */
export function recordRelease(
  scene: Scene,
  intent: Intent,
  charge: Charge,
  { amount, reason }: { readonly amount: number; readonly reason: string | null },
): void {
  scene.state.saveRefund({ ...newRefund(intent, charge, amount), isRelease: true, reason });
}

/**
 * The customer's bank has taken the money, or has sent it back: then it is the merchant's again, also after `succeeded`.
 * @throws StripeApiError when the refund is at its end already
 */
export function settleRefund(scene: Scene, made: Refund, outcome: 'succeeded' | 'failed'): void {
  const intent = scene.state.intents.get(made.intent);
  const isOpen = made.status === 'pending' || (made.status === 'succeeded' && outcome === 'failed');
  if (intent?.charge?.id !== made.charge || !isOpen || made.isRelease) {
    throw refused('status_transition_invalid', `A refund that has ${made.status} cannot become ${outcome}.`);
  }
  made.status = outcome;
  made.due = null;
  if (outcome === 'failed') {
    made.failureReason = 'lost_or_stolen_card';
    intent.charge.amountRefunded -= made.amount;
  }
  scene.state.saveRefund(made);
  announce(scene, intent);
  const types = [
    'refund.updated',
    'charge.refund.updated',
    ...(outcome === 'failed' ? ['refund.failed'] : []),
  ];
  tell(scene, made, intent.charge, ...types);
}

function tell(scene: Scene, made: Refund, charge: Charge, ...types: string[]): void {
  const object = renderRefund(made, charge.card);
  for (const type of types) scene.events.emit(made.account, type, object, scene.source);
}

/** What is due comes about by itself, unless it was settled or forgotten meanwhile. */
export function armSettlement(scene: Scene, made: Refund): void {
  if (made.due === null) return;
  const look = () => {
    if (made.due === null || scene.state.refunds.get(made.id) !== made) return;
    const source = { requestId: null, idempotencyKey: null };
    settleRefund({ ...scene, source }, made, made.due.outcome);
    scene.state.journal.flush();
  };
  setTimeout(look, Math.min(Math.max(made.due.atMs - Date.now(), 1), LONGEST_TIMER_MS)).unref();
}

/** Node fires longer timers at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
