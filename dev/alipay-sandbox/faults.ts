/** How requests can be made to fail at Alipay. An operation is the method without `alipay.`. */
import { Faults } from '../sandbox/faults';

export const FAULT_KINDS = [
  /** HTTP 500; nothing executed. */
  'error_before',
  /** Executed; HTTP 500. */
  'error_after',
  /** `20000 isp.unknow-error`, signed; nothing executed. */
  'unknown_before',
  /** Executed; `40004 ACQ.SYSTEM_ERROR`, signed. */
  'unknown_after',
  /** Executed; never answered. */
  'timeout_after',
  /** Never answered; nothing executed. */
  'timeout_before',
  'reset_before',
  'reset_after',
  /** Executed only after `delayMs`, whether or not the caller is still there. */
  'slow',
  /** Executed; the answer is signed by a key that is not the sandbox's. */
  'forged_answer',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

interface Match {
  /** out_trade_no or out_order_no */
  readonly number?: string;
  readonly holdfast_id?: string;
}

export interface FaultTarget {
  readonly operation: string;
  readonly number: string;
  readonly holdfast_id: string;
}

export type AlipayFaults = Faults<FaultKind, Match, FaultTarget>;

export function createFaults(): AlipayFaults {
  return new Faults<FaultKind, Match, FaultTarget>(FAULT_KINDS, undefined, (match, target) => {
    const { number = target.number, holdfast_id: id = target.holdfast_id } = match;
    return number === target.number && id === target.holdfast_id;
  });
}
