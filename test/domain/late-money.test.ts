/** Late money and disputes: what is new in a reading, and what a merchant's word makes of it. */
import fc from 'fast-check';
import { disputeChange } from '../../src/domain/dispute';
import type { KnownDispute } from '../../src/domain/dispute';
import {
  decideLateMoney,
  LATE_PAYMENT_STATES,
  lateMoneyOfHold,
  newLateMoney,
} from '../../src/domain/late-money';
import { lateMoneyOf } from '../../src/domain/payment';
import { hold, snapshot } from './holds';
import { payment, paymentSnapshot } from './payments';

describe('late money', () => {
  const closed = payment({ status: 'expired' });
  const seen = (amountPaid: number) => lateMoneyOf(closed, paymentSnapshot('canceled', { amountPaid }));

  test('is what is not written down yet', () => {
    expect(newLateMoney(null, 0)).toBeNull();
    expect(newLateMoney(seen(closed.amount), 0)).toEqual({ kind: 'late', amount: closed.amount });
    expect(newLateMoney(seen(closed.amount), closed.amount)).toBeNull();
    expect(newLateMoney(seen(1), 0)).toEqual({ kind: 'partial', amount: 1 });
    expect(newLateMoney(seen(closed.amount), 1)).toEqual({ kind: 'late', amount: closed.amount - 1 });
  });

  test('however often and in whatever order it is read, the rows add up to what arrived', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 * closed.amount }), { minLength: 1 }), (readings) => {
        let recorded = 0;
        for (const reading of readings) {
          const late = newLateMoney(seen(reading), recorded);
          if (late === null) continue;
          expect(late.amount).toBeGreaterThan(0);
          recorded += late.amount;
        }
        expect(recorded).toBe(Math.max(...readings));
      }),
    );
  });

  test('of a hold: captured by hand after its end', () => {
    const canceled = hold('canceled');
    const captured = (amountCaptured: number) => snapshot('succeeded', amountCaptured);
    expect(lateMoneyOfHold(canceled, captured(700))).toEqual({ kind: 'late', amount: 700 });
    expect(lateMoneyOfHold(canceled, captured(0))).toBeNull();
    const taken = hold('succeeded', { amountCaptured: 700 });
    expect(lateMoneyOfHold(taken, captured(1_000))).toEqual({ kind: 'over', amount: 300 });
    expect(lateMoneyOfHold(taken, captured(700))).toBeNull();
    expect(lateMoneyOfHold(hold('requires_capture'), captured(700))).toBeNull();
  });

  test('is decided once; what is given back cannot be kept', () => {
    const table = LATE_PAYMENT_STATES.map((state) => {
      const kept = decideLateMoney(state, 'keep');
      const refunded = decideLateMoney(state, 'refund');
      return [state, 'code' in kept ? kept.code : kept, refunded];
    });
    expect(table).toEqual([
      ['needs_attention', { next: 'kept', isNew: true }, { next: 'refunding', isNew: true }],
      ['refunding', 'LATE_PAYMENT_REFUNDED', { next: 'refunding', isNew: false }],
      ['refunded', 'LATE_PAYMENT_REFUNDED', { next: 'refunded', isNew: false }],
      ['kept', { next: 'kept', isNew: false }, { next: 'refunding', isNew: true }],
    ]);
  });
});

describe('a dispute', () => {
  const is = (status: KnownDispute['status'], amount = 500): KnownDispute => ({ status, amount });
  const shows = (status: 'open' | 'won' | 'lost' | 'unknown', amount = 500) => ({ status, amount });

  test('is told when it opens and when it closes, also when both are seen at once', () => {
    expect(disputeChange(undefined, shows('open'))?.events).toEqual(['dispute.opened']);
    expect(disputeChange(is('open'), shows('lost'))?.events).toEqual(['dispute.closed']);
    expect(disputeChange(undefined, shows('won'))?.events).toEqual(['dispute.opened', 'dispute.closed']);
  });

  test('a repeat, an unmapped status and a reading that came late change nothing', () => {
    expect(disputeChange(is('open'), shows('open'))).toBeNull();
    expect(disputeChange(is('won'), shows('won'))).toBeNull();
    expect(disputeChange(is('lost'), shows('open'))).toBeNull();
    expect(disputeChange(undefined, shows('unknown'))).toBeNull();
    expect(disputeChange(undefined, shows('open', 0))).toBeNull();
  });

  test('another amount and a corrected outcome are taken over, and not told again', () => {
    expect(disputeChange(is('open'), shows('open', 300))).toEqual({
      ...{ status: 'open', amount: 300, events: [], isCorrection: false },
    });
    expect(disputeChange(is('lost'), shows('won'))).toMatchObject({
      ...{ status: 'won', events: [], isCorrection: true },
    });
  });

  test('whatever is read in whatever order, each event is told at most once and opening comes first', () => {
    const reading = fc.record({
      status: fc.constantFrom('open' as const, 'won' as const, 'lost' as const, 'unknown' as const),
      amount: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(reading), (readings) => {
        let known: KnownDispute | undefined;
        const told: string[] = [];
        for (const one of readings) {
          const change = disputeChange(known, one);
          if (change === null) continue;
          known = { status: change.status, amount: change.amount };
          told.push(...change.events);
        }
        expect(told).toEqual(['dispute.opened', 'dispute.closed'].slice(0, told.length));
        expect(told.length).toBe(known === undefined ? 0 : known.status === 'open' ? 1 : 2);
      }),
    );
  });
});
