/** How calls can be made to fail at PayPal. */
import { Faults } from '../sandbox/faults';
import { OPERATIONS } from './routes';

export const FAULT_KINDS = [
  /** 500; nothing executed. The same request id executes when it is sent again. */
  'error_before',
  /** Executed; 500 answered. The same request id answers what was made. */
  'error_after',
  /** Executed; never answered. */
  'timeout_after',
  /** The connection is reset; nothing executed. */
  'reset_before',
  /** Executed; the connection is reset. */
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there. */
  'slow',
  /** 429; nothing executed. */
  'rate_limit',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

interface Match {
  readonly order?: string;
  readonly holdfast_id?: string;
}

export interface FaultTarget {
  readonly operation: string;
  readonly order: string | null;
  /** What the call or its order carries as custom_id. */
  readonly customId: string | null;
}

export type PayPalFaults = Faults<FaultKind, Match, FaultTarget>;

export function createFaults(): PayPalFaults {
  return new Faults<FaultKind, Match, FaultTarget>(FAULT_KINDS, OPERATIONS, (match, target) => {
    const { order, holdfast_id: holdfastId } = match;
    if (order !== undefined && order !== target.order) return false;
    return holdfastId === undefined || target.customId?.startsWith(`${holdfastId}|`) === true;
  });
}
