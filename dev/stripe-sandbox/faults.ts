/** What can be made to fail at Stripe, and how. */
import { Faults } from '../sandbox/faults';

export const FAULT_KINDS = [
  /** 500; nothing executed, nothing stored: the same key executes when it is sent again. */
  'error_before',
  /** Executed; 500 answered, and stored under the key. */
  'error_after',
  /** 500 stored under the key; nothing executed. */
  'error_stored_not_executed',
  /** Executed and stored; never answered. */
  'timeout_after',
  /** The connection is reset; nothing executed. The SDK repeats once by itself, so one reset alone is invisible. */
  'reset_before',
  /** Executed and stored; the connection is reset. */
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there. */
  'slow',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const FAULT_OPERATIONS = [
  'create',
  'confirm',
  'capture',
  'cancel',
  'retrieve',
  'list',
  'search',
  'refund',
  'retrieve_refund',
  'list_refunds',
  'list_disputes',
] as const;

interface Match {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly payment_intent?: string;
}

export interface FaultTarget {
  readonly operation: string;
  readonly paymentIntent: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** The request will be answered from a stored answer: only faults of the wire apply. */
  readonly isReplay: boolean;
}

const WIRE_FAULTS: ReadonlySet<FaultKind> = new Set(['timeout_after', 'reset_before', 'reset_after', 'slow']);

export type StripeFaults = Faults<FaultKind, Match, FaultTarget>;

export function createFaults(): StripeFaults {
  return new Faults<FaultKind, Match, FaultTarget>(FAULT_KINDS, FAULT_OPERATIONS, (match, target, fault) => {
    const { metadata = {}, payment_intent: intent } = match;
    if (target.isReplay && !WIRE_FAULTS.has(fault)) return false;
    if (intent !== undefined && intent !== target.paymentIntent) return false;
    return Object.entries(metadata).every(([key, value]) => target.metadata[key] === value);
  });
}
