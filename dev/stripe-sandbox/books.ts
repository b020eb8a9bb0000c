/** The sandbox's own books: what tests compare our rows with. */
import type { State } from './state';
import type { CallRecord, Dispute, Intent, Refund } from './types';

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

export interface BookedRefund {
  id: string;
  payment_intent: string;
  amount: number;
  currency: string;
  status: string;
  metadata: Record<string, string>;
  /** Unix seconds. */
  created: number;
}

export interface BookedDispute {
  id: string;
  payment_intent: string;
  amount: number;
  currency: string;
  status: string;
}

/** The books of what went back, beside those of what came in. */
export interface BooksWithRefunds extends Books {
  /** Without releases, which are no refunds. */
  refunds: BookedRefund[];
  disputes: BookedDispute[];
  /** By currency: refunds that did not fail. */
  refunded: Record<string, number>;
}

/** @param holdfastId only what belongs to this hold, payment or refund; undefined: everything */
export function readBooks(state: State, holdfastId?: string): BooksWithRefunds {
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
  const ids = new Set(intents.map(({ id }) => id));
  const isWanted = (intent: string, metadata: Record<string, string> = {}) =>
    holdfastId === undefined || ids.has(intent) || metadata['holdfast_id'] === holdfastId;
  const refunds = [...state.refunds.values()].filter(
    ({ intent, metadata, isRelease }) => !isRelease && isWanted(intent, metadata),
  );
  const refunded: Record<string, number> = {};
  for (const { status, currency, amount } of refunds) {
    if (status !== 'failed') refunded[currency] = (refunded[currency] ?? 0) + amount;
  }
  return {
    refunds: refunds.map(bookRefund),
    disputes: [...state.disputes.values()].filter(({ intent }) => isWanted(intent)).map(bookDispute),
    refunded,
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

function bookRefund({ id, intent, amount, currency, status, metadata, created }: Refund): BookedRefund {
  return { id, payment_intent: intent, amount, currency, status, metadata, created };
}

function bookDispute({ id, intent, amount, currency, status }: Dispute): BookedDispute {
  return { id, payment_intent: intent, amount, currency, status };
}
