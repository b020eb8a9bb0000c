/** Chargebacks: the cardholder takes the money back, and keeps it or not. */
import { refused } from './errors';
import { renderDispute } from './render';
import { announce, nowSeconds } from './scene';
import type { Scene } from './scene';
import { makeId } from './state';
import type { Dispute, Intent } from './types';

/** @throws StripeApiError when there is nothing to dispute */
export function openDispute(
  scene: Scene,
  intent: Intent,
  { amount, reason }: { readonly amount?: number; readonly reason?: string },
): void {
  const { charge } = intent;
  const left = charge === null ? 0 : intent.amountReceived - charge.amountRefunded;
  if (charge === null || charge.isDisputed || left === 0 || (amount ?? left) > left) {
    throw refused('invalid_charge_amount', 'There is not that much left to dispute.');
  }
  const dispute: Dispute = {
    id: makeId('du'),
    account: intent.account,
    intent: intent.id,
    charge: charge.id,
    created: nowSeconds(),
    amount: amount ?? left,
    currency: intent.currency,
    status: 'needs_response',
    reason: reason ?? 'fraudulent',
  };
  charge.isDisputed = true;
  scene.state.saveDispute(dispute);
  announce(scene, intent);
  tell(scene, dispute, 'charge.dispute.created', 'charge.dispute.funds_withdrawn');
}

/** A dispute that is won gives the money back to the merchant, and the charge can be refunded again. */
export function closeDispute(scene: Scene, intent: Intent, outcome: 'won' | 'lost'): void {
  const dispute = [...scene.state.disputes.values()].find(
    (known) => known.intent === intent.id && known.status === 'needs_response',
  );
  if (dispute === undefined || intent.charge === null) {
    throw refused('status_transition_invalid', 'This payment has no open dispute.');
  }
  dispute.status = outcome;
  if (outcome === 'won') intent.charge.isDisputed = false;
  scene.state.saveDispute(dispute);
  announce(scene, intent);
  tell(
    scene,
    dispute,
    'charge.dispute.closed',
    ...(outcome === 'won' ? ['charge.dispute.funds_reinstated'] : []),
  );
}

function tell(scene: Scene, dispute: Dispute, ...types: string[]): void {
  for (const type of types) scene.events.emit(dispute.account, type, renderDispute(dispute), scene.source);
}
