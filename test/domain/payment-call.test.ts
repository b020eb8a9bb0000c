import {
  paymentAnswerState,
  paymentResultOf,
  paymentSettledBy,
  paymentShowsAbsence,
} from '../../src/domain/payment-call';
import { CHANNEL_PAYMENT_STATUSES } from '../../src/domain/channel-payment';
import type { ChannelPaymentStatus } from '../../src/domain/channel-payment';
import { payment, paymentSnapshot } from './payments';

type Settled = 'executed' | 'not_executed' | undefined;
const done: Settled = 'executed';
const not: Settled = 'not_executed';

const SETTLED: Readonly<Record<ChannelPaymentStatus, readonly [create: Settled, capture: Settled, cancel: Settled]>> = {
  requires_action: [done, undefined, undefined],
  processing: [done, done, undefined],
  succeeded: [done, done, not],
  canceled: [done, not, done],
  failed: [done, not, not],
  unknown: [undefined, undefined, undefined],
}; // prettier-ignore

it.each(CHANNEL_PAYMENT_STATUSES)('knows what a read that shows %s settles', (status) => {
  const snapshot = paymentSnapshot(status);
  const settled = (['create', 'capture', 'cancel'] as const).map((operation) =>
    paymentSettledBy({ operation }, snapshot, false),
  );
  expect(settled).toEqual(SETTLED[status]);
});

it('does not take an approval for the completion', () => {
  const approved = paymentSnapshot('processing');
  expect(paymentSettledBy({ operation: 'capture' }, approved, true)).toBeUndefined();
  expect(paymentSettledBy({ operation: 'capture' }, approved, false)).toBe('executed');
});

it('takes "try again" for a decline in the answer to a completion only', () => {
  const lastDecline = { code: 'card_declined', providerCode: 'INSTRUMENT_DECLINED' } as const;
  const snapshot = paymentSnapshot('requires_action', { lastDecline });
  const answer = { kind: 'pending', snapshot } as const;
  expect(paymentAnswerState({ operation: 'capture' }, answer, false)).toBe('declined');
  expect(paymentAnswerState({ operation: 'cancel' }, answer, false)).toBeUndefined();
  // A read may show the decline of an earlier try.
  expect(paymentSettledBy({ operation: 'capture' }, snapshot, false)).toBeUndefined();
});

it.each([
  ['create', undefined, { findable: true, waitsForUs: false }, true],
  ['create', undefined, { findable: false, waitsForUs: false }, false],
  ['create', 'requires_action', { findable: true, waitsForUs: false }, false],
  ['capture', undefined, { findable: true, waitsForUs: false }, false],
  ['capture', 'unknown', { findable: true, waitsForUs: false }, false],
  ['capture', 'processing', { findable: true, waitsForUs: false }, false],
  ['capture', 'processing', { findable: true, waitsForUs: true }, true],
  ['cancel', 'requires_action', { findable: true, waitsForUs: false }, true],
] as const)('sees absence of a %s in %s (%j): %s', (operation, status, channel, expected) => {
  const snapshot = status === undefined ? undefined : paymentSnapshot(status);
  expect(paymentShowsAbsence({ operation }, snapshot, channel)).toBe(expected);
});

it.each([
  ['cancel', 'executed', null, 'cancelled', 'done'],
  ['cancel', 'declined', 'invalid_state', 'success', 'PAYMENT_CLOSED'],
  ['cancel', 'declined', 'invalid_state', 'processing', 'PAYMENT_NOT_CANCELLABLE'],
  ['cancel', 'declined', 'processing_error', 'requires_action', 'CHANNEL_DECLINED'],
  ['cancel', 'not_executed', null, 'success', 'PAYMENT_CLOSED'],
  ['cancel', 'not_executed', null, 'requires_action', 'PAYMENT_BUSY'],
  ['create', 'declined', 'card_declined', 'failed', 'CHANNEL_DECLINED'],
] as const)('tells the caller of a %s that is %s (%s) at %s: %s', (operation, state, code, status, told) => {
  const result = paymentResultOf({ operation }, state, code, payment({ status }));
  expect(result.kind === 'done' ? 'done' : result.refusal.code).toBe(told);
});
