/** A dispute (chargeback): what a read of the channel makes of what we know. */
import type { DisputeSnapshot } from './channel-payment';

export const DISPUTE_STATUSES = ['open', 'won', 'lost'] as const;
export type DisputeStatus = (typeof DISPUTE_STATUSES)[number];

export interface KnownDispute {
  readonly status: DisputeStatus;
  readonly amount: number;
}

export interface DisputeChange {
  readonly status: DisputeStatus;
  readonly amount: number;
  /** Each is told once in the life of a dispute. */
  readonly events: readonly ('dispute.opened' | 'dispute.closed')[];
  /** The channel says other than it said at the end: recorded for people, not told to the merchant again. */
  readonly isCorrection: boolean;
}

/**
 * Null when the reading is contained in what we know: a repeat, an unmapped status, or an older reading that still shows it
 * open. A closed dispute is not opened again by a reading, since nobody can tell an appeal from a reading that came late;
 * what the channel decides afterwards is taken over.
 */
export function disputeChange(
  known: KnownDispute | undefined,
  { status, amount }: Pick<DisputeSnapshot, 'status' | 'amount'>,
): DisputeChange | null {
  if (status === 'unknown' || amount <= 0) return null;
  const closing = status === 'open' ? [] : (['dispute.closed'] as const);
  if (known === undefined)
    return { status, amount, events: ['dispute.opened', ...closing], isCorrection: false };
  if (known.status === status && known.amount === amount) return null;
  if (known.status === 'open') return { status, amount, events: closing, isCorrection: false };
  return status === 'open' ? null : { status, amount, events: [], isCorrection: true };
}
