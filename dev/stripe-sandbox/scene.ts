/** What every change has in common: where it happens, and who is told of it. */
import { refused } from './errors';
import type { EventSender, EventSource } from './events';
import { renderCharge, renderIntent } from './render';
import type { State } from './state';
import type { Intent, IntentStatus } from './types';

/** What a change happens in: the state, who is told, and which request asked. */
export interface Scene {
  readonly state: State;
  readonly events: EventSender;
  readonly source: EventSource;
}

export const nowSeconds = () => Math.floor(Date.now() / 1000);

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

export function unexpectedState(intent: Intent, verb: string, allowed: readonly IntentStatus[]): Error {
  const only = `Only a PaymentIntent with one of the following statuses may be ${verb}: ${allowed.join(', ')}.`;
  const message =
    verb === 'canceled'
      ? `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. ${only}`
      : `This PaymentIntent could not be ${verb} because it has a status of ${intent.status}. ${only}`;
  return refused('payment_intent_unexpected_state', message, { payment_intent: renderIntent(intent, false) });
}
