/** What can be made to fail at BTCPay, and how. */
import { Faults } from '../sandbox/faults';

export const FAULT_KINDS = [
  /** 500; nothing executed. */
  'error_before',
  /** Executed; 500 answered. */
  'error_after',
  /** Executed; never answered. */
  'timeout_after',
  /** Nothing executed; the connection is reset. */
  'reset_before',
  /** Executed; the connection is reset. */
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there: an attempt that was given up. */
  'slow',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export const OPERATIONS = [
  'create',
  'get',
  'list',
  'payment-methods',
  'mark',
  'refund',
  'list-pull-payments',
  'payouts',
  'archive',
] as const;
export type Operation = (typeof OPERATIONS)[number];

interface Match {
  readonly holdfast_id?: string;
}

export interface FaultTarget {
  readonly operation: Operation;
  readonly holdfastId: string | undefined;
}

export type BtcpayFaults = Faults<FaultKind, Match, FaultTarget>;

export function createFaults(): BtcpayFaults {
  return new Faults<FaultKind, Match, FaultTarget>(
    FAULT_KINDS,
    OPERATIONS,
    ({ holdfast_id: wanted }, { holdfastId }) => wanted === undefined || wanted === holdfastId,
  );
}
