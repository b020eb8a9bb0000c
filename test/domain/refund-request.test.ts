import fc from 'fast-check';
import { judgeRefund, refundableAmount } from '../../src/domain/refund-request';
import type { Refundable } from '../../src/domain/refund-request';

const ALL = { refunds: true, partialRefunds: true };

function paidOf(fields: Partial<Refundable> = {}): Refundable {
  return {
    ...{ kind: 'payment', status: 'success', channel: 'stripe', currency: 'USD' },
    ...{ paid: 1_000, reserved: 0, refundedExternal: 0, disputed: 0 },
    ...fields,
  };
}

const codeOf = (verdict: ReturnType<typeof judgeRefund>) =>
  'code' in verdict ? verdict.code : verdict.amount;

test.each<[string, Partial<Refundable>, number | undefined, string | number]>([
  ['everything when no amount is given', {}, undefined, 1_000],
  ['a part', {}, 400, 400],
  ['all of it', {}, 1_000, 1_000],
  ['what is left', { reserved: 300, refundedExternal: 200 }, undefined, 500],
  ['exactly what is left', { reserved: 300, refundedExternal: 200 }, 500, 500],
  ['a captured hold', { kind: 'pre_auth', status: 'succeeded' }, 1_000, 1_000],
  ['one more than is left', { reserved: 300, refundedExternal: 200 }, 501, 'REFUND_EXCEEDS_PAID'],
  ['nothing left', { reserved: 1_000 }, undefined, 'REFUND_EXCEEDS_PAID'],
  ['more given back by hand than was paid', { refundedExternal: 1_200 }, 1, 'REFUND_EXCEEDS_PAID'],
  ['what is not disputed', { disputed: 400 }, undefined, 600],
  ['a part beside the dispute', { disputed: 400 }, 600, 600],
  ['into the dispute', { disputed: 400 }, 601, 'REFUND_DISPUTED'],
  ['all of it disputed', { disputed: 1_000 }, undefined, 'REFUND_DISPUTED'],
  ['disputed, and more than was paid', { disputed: 1_000 }, 1_001, 'REFUND_EXCEEDS_PAID'],
  ['the rest disputed', { reserved: 600, disputed: 1_000 }, 400, 'REFUND_DISPUTED'],
  ['a payment that waits', { status: 'requires_action', paid: 0 }, 1, 'PAYMENT_NOT_REFUNDABLE'],
  ['a payment at work', { status: 'processing', paid: 0 }, undefined, 'PAYMENT_NOT_REFUNDABLE'],
  ['a hold that is not captured', { kind: 'pre_auth', status: 'requires_capture' }, 1, 'PAYMENT_NOT_REFUNDABLE'],
  ['a hold captured in part', { kind: 'pre_auth', status: 'partially_captured' }, 1, 'PAYMENT_NOT_REFUNDABLE'],
  ['an expired hold', { kind: 'pre_auth', status: 'expired', paid: 0 }, 1, 'PAYMENT_NOT_REFUNDABLE'],
])('%s', (_name, fields, asked, expected) => {
  expect(codeOf(judgeRefund(paidOf(fields), asked, ALL))).toBe(expected);
}); // prettier-ignore

test('a channel says what it can: no refunds, or all or nothing', () => {
  const none = { refunds: false, partialRefunds: false };
  expect(codeOf(judgeRefund(paidOf(), 1_000, none))).toBe('REFUND_NOT_SUPPORTED');
  const whole = { refunds: true, partialRefunds: false };
  expect(codeOf(judgeRefund(paidOf(), undefined, whole))).toBe(1_000);
  expect(codeOf(judgeRefund(paidOf(), 999, whole))).toBe('PARTIAL_REFUND_NOT_SUPPORTED');
  expect(codeOf(judgeRefund(paidOf({ disputed: 1 }), undefined, whole))).toBe('PARTIAL_REFUND_NOT_SUPPORTED');
});

test('a refusal names the figures', () => {
  expect(judgeRefund(paidOf({ reserved: 900 }), 200, ALL)).toMatchObject({
    details: { amount: 200, amount_refundable: 100 },
    message: 'The refund is more than what can be given back (1.00 USD).',
  });
  expect(judgeRefund(paidOf({ disputed: 700 }), 400, ALL)).toMatchObject({
    details: { amount: 400, amount_refundable: 300, amount_disputed: 700 },
  });
});

test('whatever is granted, never more goes back than was paid, and never what is disputed', () => {
  const amount = fc.integer({ min: 0, max: 2_000 });
  const figures = fc.record({ paid: amount, reserved: amount, refundedExternal: amount, disputed: amount });
  const asked = fc.option(fc.integer({ min: 1, max: 2_000 }), { nil: undefined });
  fc.assert(
    fc.property(figures, asked, (given, wanted) => {
      const refundable = paidOf(given);
      const verdict = judgeRefund(refundable, wanted, ALL);
      expect(refundableAmount(refundable)).toBeGreaterThanOrEqual(0);
      if ('code' in verdict) return;
      expect(verdict.amount).toBeGreaterThan(0);
      const { paid, reserved, refundedExternal, disputed } = given;
      expect(verdict.amount + reserved + refundedExternal + disputed).toBeLessThanOrEqual(paid);
      if (wanted !== undefined) expect(verdict.amount).toBe(wanted);
    }),
  );
});
