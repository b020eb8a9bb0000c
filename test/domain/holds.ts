/** Holds and snapshots for the tables: only what a case is about is named. */
import type { HoldSnapshot } from '../../src/domain/channel';
import type { ChannelCall } from '../../src/domain/channel-call';
import type { Hold, PreAuthStatus } from '../../src/domain/pre-auth';
import { isHeld } from '../../src/domain/pre-auth';

export const CREATED_AT_MS = Date.UTC(2025, 0, 24, 12);
export const AMOUNT = 50_000;

export function hold(status: PreAuthStatus, fields: Partial<Hold> = {}): Hold {
  const captured = fields.amountCaptured ?? (status === 'partially_captured' ? 20_000 : 0);
  return {
    merchantId: '0f8fad5b-d9cb-469f-a165-70867728950e',
    preAuthNo: 'PA1',
    orderNo: 'ORDER-1',
    world: 'test',
    channel: 'stripe',
    channelAccountId: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
    channelPreAuthNo: 'pi_1',
    currency: 'USD',
    amount: AMOUNT,
    amountCapturable: isHeld(status) ? AMOUNT - captured : 0,
    amountCaptured: captured,
    status,
    version: 3,
    createdAtMs: CREATED_AT_MS,
    expiresAtMs: CREATED_AT_MS + 24 * 3_600_000,
    warnedAtMs: null,
    needsAttention: null,
    multipleCaptures: false,
    ...fields,
  };
}

export function snapshot(
  status: HoldSnapshot['status'],
  captured = 0,
  fields: Partial<HoldSnapshot> = {},
): HoldSnapshot {
  return {
    channelPreAuthNo: 'pi_1',
    status,
    currency: 'USD',
    amount: AMOUNT,
    amountCapturable: status === 'requires_capture' ? AMOUNT - captured : 0,
    amountCaptured: captured,
    ...fields,
  };
}

export function call(operation: ChannelCall['operation'], fields: Partial<ChannelCall> = {}): ChannelCall {
  return {
    id: '16fd2706-8baf-433b-82eb-8c7fada847da',
    channelAccountId: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
    operation,
    n: 1,
    amount: operation === 'cancel' ? 0 : AMOUNT,
    currency: 'USD',
    final: true,
    idempotencyKey: `pre-auth/M/PA1/${operation}/1`,
    commandId: 'c1',
    reason: null,
    state: 'open',
    declineCode: null,
    attempts: 1,
    createdAtMs: CREATED_AT_MS,
    lastSentAtMs: CREATED_AT_MS,
    storedError: false,
    firstAbsentAtMs: null,
    notSent: 0,
    maybeSent: false,
    ...fields,
  };
}
