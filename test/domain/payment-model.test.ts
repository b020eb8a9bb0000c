/** Any sequence of news, in any order, also late and repeated: what must hold of a payment all the same. */
import fc from 'fast-check';
import { CHANNEL_PAYMENT_STATUSES } from '../../src/domain/channel-payment';
import type { PaymentSnapshot } from '../../src/domain/channel-payment';
import {
  applyPaymentAttentionMet,
  applyPaymentDecline,
  applyPaymentRefused,
  applyPaymentSnapshot,
  isPaymentClosed,
  lateMoneyOf,
} from '../../src/domain/payment';
import type { Payment, PaymentCause, PaymentTransition } from '../../src/domain/payment';
import { payment, paymentSnapshot, PAYMENT_AMOUNT } from './payments';

const RUNS = 2_000;

const ALLOWED: Readonly<Record<Payment['status'], readonly Payment['status'][]>> = {
  pending: ['pending', 'requires_action', 'processing', 'success', 'failed', 'cancelled', 'expired'],
  requires_action: ['requires_action', 'processing', 'success', 'failed', 'cancelled', 'expired'],
  processing: ['requires_action', 'processing', 'success', 'failed', 'cancelled', 'expired'],
  success: [],
  failed: [],
  cancelled: [],
  expired: [],
};

const snapshots: fc.Arbitrary<PaymentSnapshot> = fc
  .record({
    status: fc.constantFrom(...CHANNEL_PAYMENT_STATUSES),
    amountPaid: fc.constantFrom(0, 1, PAYMENT_AMOUNT - 1, PAYMENT_AMOUNT, PAYMENT_AMOUNT + 1),
    closeCause: fc.constantFrom('requested', 'deadline', 'dashboard'),
  } as const)
  .map(({ status, ...fields }) => paymentSnapshot(status, fields));

type Step = (state: Payment) => PaymentTransition | null;

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(snapshots, fc.constantFrom<PaymentCause>('create', 'capture', 'cancel', 'expiry', 'channel')).map(([snapshot, cause]): Step => (state) => applyPaymentSnapshot(state, snapshot, cause)) },
  { weight: 1, arbitrary: fc.constantFrom('capture' as const, 'cancel' as const).map((operation): Step => (state) => applyPaymentDecline(state, operation, 'processing_error')) },
  { weight: 1, arbitrary: fc.constant<Step>((state) => applyPaymentRefused(state, 'card_declined')) },
  { weight: 1, arbitrary: fc.constant<Step>(applyPaymentAttentionMet) },
); // prettier-ignore

it('keeps to the listed transitions, and tells of each end once', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 12 }), (sequence) => {
      let state = payment({ status: 'pending', channelPaymentNo: null, handedOut: false });
      const told: string[] = [];
      for (const step of sequence) {
        const transition = step(state);
        if (transition === null) continue;
        const { next, events } = transition;
        expect(ALLOWED[state.status]).toContain(next.status);
        expect(next.version).toBe(state.version + 1);
        expect(next.handedOut || !state.handedOut).toBe(true);
        told.push(...events.map(({ type }) => type));
        state = next;
        expect(state.amountPaid).toBe(state.status === 'success' ? PAYMENT_AMOUNT : 0);
      }
      expect(told).toEqual(isPaymentClosed(state.status) ? [`payment.${state.status}`] : []);
    }),
    { numRuns: RUNS },
  );
});

it('accounts for every cent that a closed payment was paid', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('success' as const, 'failed' as const, 'cancelled' as const, 'expired' as const),
      snapshots,
      (status, snapshot) => {
        const closed = payment({ status, amountPaid: status === 'success' ? PAYMENT_AMOUNT : 0 });
        const late = lateMoneyOf(closed, snapshot)?.amount ?? 0;
        expect(late).toBe(Math.max(snapshot.amountPaid - closed.amountPaid, 0));
      },
    ),
    { numRuns: RUNS },
  );
});
