/** The sandbox's own books: what tests compare our rows with. */
import type { State } from './state';
import type { CallRecord, Intent } from './types';

export interface BookedIntent {
  id: string;
  amount: number;
  currency: string;
  amount_capturable: number;
  amount_received: number;
  status: string;
  metadata: Record<string, string>;
  /** Unix seconds. */
  created: number;
  /** Given back to the cardholder, in Stripe's unit. */
  released: number;
}

export interface Books {
  payment_intents: BookedIntent[];
  totals: Record<string, { held: number; captured: number; released: number }>;
  calls: CallRecord[];
}

/** @param holdfastId only what belongs to this hold; undefined: everything */
export function readBooks(state: State, holdfastId?: string): Books {
  const intents = [...state.intents.values()].filter(
    (intent) => holdfastId === undefined || intent.metadata['holdfast_id'] === holdfastId,
  );
  const totals: Books['totals'] = {};
  for (const intent of intents) {
    const total = (totals[intent.currency] ??= { held: 0, captured: 0, released: 0 });
    total.held += intent.amountCapturable;
    total.captured += intent.amountReceived;
    total.released += intent.amountReleased;
  }
  return {
    payment_intents: intents.map(book),
    totals,
    calls: state.calls.filter((call) => holdfastId === undefined || call.holdfast_id === holdfastId),
  };
}

function book(intent: Intent): BookedIntent {
  return {
    id: intent.id,
    amount: intent.amount,
    currency: intent.currency,
    amount_capturable: intent.amountCapturable,
    amount_received: intent.amountReceived,
    status: intent.status,
    metadata: intent.metadata,
    created: intent.created,
    released: intent.amountReleased,
  };
}
