import type { RefundSnapshot } from '../../src/domain/channel-payment';
import { CHANNEL_REFUND_STATUSES } from '../../src/domain/channel-payment';
import {
  applyLateFailure,
  applyRefundDecided,
  applyRefundDecline,
  applyRefundSnapshot,
  isRefundClosed,
  refundPollDelayMs,
} from '../../src/domain/refund';
import type { Refund, RefundTransition } from '../../src/domain/refund';
import fc from 'fast-check';

const HOUR_MS = 3_600_000;

function refundOf(fields: Partial<Refund> = {}): Refund {
  return {
    merchantId: 'm',
    refundNo: 'RF1',
    objectKind: 'payment',
    objectNo: 'PY1',
    latePaymentId: null,
    orderNo: 'O1',
    world: 'test',
    channel: 'stripe',
    channelAccountId: 'a',
    channelRefundNo: null,
    currency: 'USD',
    amount: 500,
    status: 'pending',
    version: 1,
    createdAtMs: 0,
    declineCode: null,
    needsAttention: null,
    ...fields,
  };
}

function shown(status: RefundSnapshot['status'], more: Partial<RefundSnapshot> = {}): RefundSnapshot {
  return { channelRefundNo: 're_1', status, currency: 'USD', amount: 500, refundNo: 'RF1', ...more };
}

describe('what the channel says of a refund', () => {
  test('pending: its number is known, nobody is told', () => {
    const transition = applyRefundSnapshot(refundOf(), shown('pending'));
    expect(transition?.next).toMatchObject({ status: 'pending', channelRefundNo: 're_1', version: 2 });
    expect(transition?.events).toEqual([]);
  });

  test('succeeded', () => {
    const transition = applyRefundSnapshot(refundOf(), shown('succeeded'));
    expect(transition?.next).toMatchObject({ status: 'success', declineCode: null });
    expect(transition?.events).toEqual([{ type: 'refund.success', extra: { refund_no: 'RF1' } }]);
  });

  test('failed, with the provider’s reason, cut to what a row can hold', () => {
    const code = 'x'.repeat(80);
    const transition = applyRefundSnapshot(refundOf(), shown('failed', { failureCode: code }));
    expect(transition?.next).toMatchObject({ status: 'failed', declineCode: code.slice(0, 50) });
    const extra = { refund_no: 'RF1', decline_code: code.slice(0, 50) };
    expect(transition?.events).toEqual([{ type: 'refund.failed', extra }]);
  });

  test('another amount or currency: an operator must look, and is forgotten when it is right again', () => {
    const wrong = applyRefundSnapshot(refundOf(), shown('pending', { amount: 400 }))?.next;
    expect(wrong?.needsAttention).toBe('the channel shows 4.00 USD instead of 5.00 USD');
    const right = applyRefundSnapshot(wrong ?? refundOf(), shown('pending'));
    expect(right?.next.needsAttention).toBeNull();
    expect(applyRefundSnapshot(refundOf(), shown('succeeded', { currency: 'EUR' }))?.next).toMatchObject({
      status: 'success',
      needsAttention: 'the channel shows 5.00 EUR instead of 5.00 USD',
    });
  });

  test('a repeat and an unmapped status change nothing', () => {
    const pending = refundOf({ channelRefundNo: 're_1' });
    expect(applyRefundSnapshot(pending, shown('pending'))).toBeNull();
    expect(applyRefundSnapshot(refundOf(), shown('unknown'))).toBeNull();
  });
});

test('a decline and an operator’s "not executed" fail it, "executed" makes it a success; each once', () => {
  const declined = applyRefundDecline(refundOf({ needsAttention: 'look' }), 'invalid_state');
  expect(declined?.next).toMatchObject({
    ...{ status: 'failed', declineCode: 'invalid_state', needsAttention: null },
  });
  expect(declined?.events[0]?.type).toBe('refund.failed');
  const decided = applyRefundDecided(refundOf({ needsAttention: 'look' }));
  expect(decided?.next).toMatchObject({ status: 'success', needsAttention: null });
  expect(decided?.events[0]?.type).toBe('refund.success');
  for (const status of ['success', 'failed'] as const) {
    expect(applyRefundDecline(refundOf({ status }), 'x')).toBeNull();
    expect(applyRefundDecided(refundOf({ status }))).toBeNull();
  }
});

describe('a refund that comes back', () => {
  const done = refundOf({ status: 'success', channelRefundNo: 're_1' });

  test('is failed, and the merchant is told that it had succeeded', () => {
    const transition = applyLateFailure(done, shown('failed', { failureCode: 'lost_or_stolen_card' }));
    expect(transition?.next).toMatchObject({ status: 'failed', declineCode: 'lost_or_stolen_card' });
    const extra = { refund_no: 'RF1', decline_code: 'lost_or_stolen_card', after_success: true };
    expect(transition?.events).toEqual([{ type: 'refund.failed', extra }]);
  });

  test('is nothing else: not another refund, not one that never succeeded, not a repeat', () => {
    expect(applyLateFailure(done, shown('failed', { channelRefundNo: 're_2' }))).toBeNull();
    expect(applyLateFailure(done, shown('succeeded'))).toBeNull();
    expect(applyLateFailure({ ...done, status: 'pending' }, shown('failed'))).toBeNull();
    expect(applyLateFailure({ ...done, status: 'failed' }, shown('failed'))).toBeNull();
  });
});

test('it is asked for ever more rarely: from 5 s up to 6 h', () => {
  expect(refundPollDelayMs(0)).toBe(5_000);
  expect(refundPollDelayMs(20_000)).toBe(20_000);
  expect(refundPollDelayMs(1_000 * HOUR_MS)).toBe(6 * HOUR_MS);
  let ageMs = 0;
  let asked = 0;
  for (; ageMs < 24 * HOUR_MS; asked += 1) ageMs += refundPollDelayMs(ageMs);
  expect(asked).toBeLessThan(20);
});

type Step =
  | { readonly do: 'shown'; readonly status: RefundSnapshot['status']; readonly amount: number }
  | { readonly do: 'decline' | 'decide' | 'late' };

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('shown' as const),
    status: fc.constantFrom(...CHANNEL_REFUND_STATUSES),
    amount: fc.constantFrom(500, 400),
  }),
  fc.record({ do: fc.constantFrom('decline' as const, 'decide' as const, 'late' as const) }),
);

function carryOut(refund: Refund, step: Step): RefundTransition | null {
  switch (step.do) {
    case 'shown':
      return applyRefundSnapshot(refund, shown(step.status, { amount: step.amount }));
    case 'decline':
      return applyRefundDecline(refund, 'invalid_state');
    case 'decide':
      return applyRefundDecided(refund);
    case 'late':
      return applyLateFailure(refund, shown('failed'));
  }
}

test('no sequence leads out of the listed transitions, and every end is told exactly once', () => {
  const allowed = ['pending>pending', 'pending>success', 'pending>failed', 'success>failed'];
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 12 }), (sequence) => {
      let refund = refundOf();
      for (const step of sequence) {
        const transition = carryOut(refund, step);
        if (transition === null) continue;
        const { next, events } = transition;
        expect(allowed).toContain(`${refund.status}>${next.status}`);
        if (refund.status === 'success') expect(step.do).toBe('late');
        expect(next.version).toBe(refund.version + 1);
        expect(next.amount).toBe(500);
        const told = isRefundClosed(next.status) ? [`refund.${next.status}`] : [];
        expect(events.map(({ type }) => type)).toEqual(told);
        refund = next;
      }
    }),
  );
});
