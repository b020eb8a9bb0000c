import { CHANNEL_HOLD_STATUSES } from '../../src/domain/channel';
import type { ChannelHoldStatus } from '../../src/domain/channel';
import {
  causeOf,
  EXPIRY_COMMAND_ID,
  isCertainlyUnsent,
  provesNothingMoved,
  resultOf,
  settledBy,
  showsAbsence,
  speaksOfLastSendOnly,
} from '../../src/domain/channel-call';
import type { HoldOperation, CallState } from '../../src/domain/channel-call';
import type { PreAuthStatus } from '../../src/domain/pre-auth';
import { AMOUNT, call, hold, snapshot } from './holds';

test.each([
  ['create', 'create', 'create'],
  ['authorize', 'authorize', 'authorize'],
  ['capture', 'c1', 'capture'],
  ['cancel', 'c1', 'cancel'],
  ['cancel', EXPIRY_COMMAND_ID, 'expiry'],
] as const)('a %s for command %s changes the hold because of %s', (operation, commandId, cause) =>
  expect(causeOf({ operation, commandId })).toBe(cause),
);

describe('settledBy', () => {
  const held = hold('requires_capture');
  const partly = hold('partially_captured');

  /** Nothing captured yet; the capture is of 32 000; the snapshot shows nothing captured. */
  const UNTOUCHED: Readonly<
    Record<ChannelHoldStatus, readonly [create: string, authorize: string, capture: string, cancel: string]>
  > = {
    requires_payment_method: ['executed', '-', '-', '-'],
    requires_confirmation: ['executed', '-', '-', '-'],
    requires_action: ['executed', '-', '-', '-'],
    processing: ['executed', 'executed', '-', '-'],
    requires_capture: ['executed', 'executed', '-', '-'],
    succeeded: ['executed', 'executed', 'not_executed', 'executed'],
    canceled: ['executed', 'not_executed', 'not_executed', 'executed'],
    unknown: ['-', '-', '-', '-'],
  };
  const CASES = CHANNEL_HOLD_STATUSES.flatMap((status) =>
    (['create', 'authorize', 'capture', 'cancel'] as const).map((operation, index) => [operation, status, UNTOUCHED[status][index]] as const),
  ); // prettier-ignore

  test.each(CASES)('a %s, and the object is %s: %s', (operation, status, expected) => {
    const settled = settledBy(call(operation, { amount: 32_000 }), held, snapshot(status));
    expect(settled ?? '-').toBe(expected);
  });

  test.each([
    ['captured whole', held, 'capture', snapshot('succeeded', 32_000), 'executed'],
    ['captured, the rest still held', held, 'capture', snapshot('requires_capture', 32_000), 'executed'],
    [
      'captured less by somebody else, closed',
      held,
      'capture',
      snapshot('succeeded', 31_999),
      'not_executed',
    ],
    ['captured a second time', partly, 'capture', snapshot('requires_capture', 52_000), 'executed'],
    ['only the earlier capture shows', partly, 'capture', snapshot('requires_capture', 20_000), undefined],
    [
      'only the earlier capture shows, closed',
      partly,
      'capture',
      snapshot('succeeded', 20_000),
      'not_executed',
    ],
    ['the rest released', partly, 'cancel', snapshot('succeeded', 20_000), 'executed'],
    ['captured in the dashboard instead', partly, 'cancel', snapshot('succeeded', AMOUNT), 'not_executed'],
    ['captured in the dashboard instead', held, 'cancel', snapshot('succeeded', AMOUNT), 'not_executed'],
    ['still held', partly, 'cancel', snapshot('requires_capture', 20_000), undefined],
  ] as const)('%s', (_what, before, operation, seen, expected) => {
    expect(settledBy(call(operation, { amount: 32_000 }), before, seen)).toBe(expected);
  });
});

describe('resultOf', () => {
  const result = (operation: HoldOperation, state: CallState, code: string | null, status: PreAuthStatus) => {
    const outcome = resultOf({ operation, amount: 1 }, state, code, hold(status));
    return outcome.kind === 'done' ? 'done' : outcome.refusal.code;
  };

  test.each([
    ['create', 'executed', null, 'requires_capture', 'done'],
    ['create', 'declined', 'account_invalid', 'failed', 'CHANNEL_DECLINED'],
    ['authorize', 'executed', null, 'requires_capture', 'done'],
    ['authorize', 'declined', 'card_declined', 'requires_confirmation', 'CHANNEL_DECLINED'],
    ['authorize', 'declined', 'invalid_state', 'canceled', 'PRE_AUTH_CLOSED'],
    ['authorize', 'not_executed', null, 'canceled', 'PRE_AUTH_CLOSED'],
    ['capture', 'executed', null, 'succeeded', 'done'],
    ['capture', 'declined', 'card_declined', 'requires_capture', 'CHANNEL_DECLINED'],
    ['capture', 'declined', 'card_declined', 'expired', 'CHANNEL_DECLINED'],
    ['capture', 'declined', 'invalid_state', 'canceled', 'PRE_AUTH_CLOSED'],
    ['capture', 'declined', 'invalid_state', 'requires_capture', 'CHANNEL_DECLINED'],
    ['capture', 'declined', null, 'requires_capture', 'CHANNEL_DECLINED'],
    ['capture', 'not_executed', null, 'canceled', 'PRE_AUTH_CLOSED'],
    ['capture', 'not_executed', null, 'requires_capture', 'PRE_AUTH_BUSY'],
    ['cancel', 'executed', null, 'expired', 'done'],
    ['cancel', 'not_executed', null, 'succeeded', 'PRE_AUTH_CLOSED'],
  ] as const)('a %s that was %s (%s), the hold now %s: %s', (operation, state, code, status, expected) =>
    expect(result(operation, state, code, status)).toBe(expected),
  );

  test('a capture that is done says what it took, and what the hold is now', () =>
    expect(resultOf({ operation: 'capture', amount: 320 }, 'executed', null, hold('succeeded'))).toEqual({
      kind: 'done',
      amount: 320,
      hold: { status: 'succeeded', channelPreAuthNo: 'pi_1', amountCapturable: 0, amountCaptured: 0 },
    }));

  test('a refusal names the state, a decline also its code', () => {
    expect(
      resultOf({ operation: 'capture', amount: 1 }, 'declined', 'card_declined', hold('requires_capture')),
    ).toEqual({
      kind: 'refused',
      refusal: {
        code: 'CHANNEL_DECLINED',
        details: { operation: 'capture', decline_code: 'card_declined', status: 'requires_capture' },
        message: 'The channel declined: card_declined.',
      },
    });
  });
});

test.each([
  ['declined', true],
  ['not_executed', true],
  ['open', false],
  ['executed', false],
] as const)('a completion that is %s: nothing has moved is %s', (state, expected) => {
  expect(provesNothingMoved({ state })).toBe(expected);
  expect(provesNothingMoved(undefined)).toBe(true);
});

test.each([
  ['authorize', 'object_not_found', true],
  ['capture', 'object_not_found', true],
  ['create', 'object_not_found', false],
  ['cancel', 'object_not_found', false],
  ['refund', 'object_not_found', false],
  ['capture', 'account_invalid', true],
  ['refund', 'account_invalid', true],
  ['capture', 'card_declined', false],
  ['authorize', 'invalid_state', false],
] as const)(
  '%s declined as %s when it was sent before: of its last send only is %s',
  (operation, code, expected) => {
    const decline = { kind: 'declined', code, providerCode: 'X' } as const;
    expect(speaksOfLastSendOnly({ operation, attempts: 2, notSent: 0, maybeSent: false }, decline)).toBe(
      expected,
    );
    expect(speaksOfLastSendOnly({ operation, attempts: 1, notSent: 0, maybeSent: false }, decline)).toBe(
      false,
    );
  },
);

test('a decline speaks for a send that never arrived', () => {
  const decline = { kind: 'declined', code: 'account_invalid', providerCode: 'X' } as const;
  expect(
    speaksOfLastSendOnly({ operation: 'create', attempts: 3, notSent: 2, maybeSent: false }, decline),
  ).toBe(false);
  expect(
    speaksOfLastSendOnly({ operation: 'create', attempts: 3, notSent: 1, maybeSent: false }, decline),
  ).toBe(true);
  // The first send is not counted, its mark is.
  const marked = { operation: 'create', attempts: 0, notSent: 0, maybeSent: true } as const;
  expect(speaksOfLastSendOnly(marked, decline)).toBe(true);
});

test.each([
  [{ attempts: 1, notSent: 1, maybeSent: false }, true],
  [{ attempts: 2, notSent: 2, maybeSent: false }, true],
  [{ attempts: 2, notSent: 1, maybeSent: false }, false],
  [{ attempts: 1, notSent: 1, maybeSent: true }, false],
])('certainly unsent: %j is %s', (sends, expected) => {
  expect(isCertainlyUnsent(sends)).toBe(expected);
});

test.each(['card_declined', 'processing_error', 'hold_expired', 'invalid_state'] as const)(
  'what is declined as %s before the money call says nothing of an earlier send',
  (code) => {
    const decline = { kind: 'declined', code, providerCode: 'X', ofPreparation: true } as const;
    expect(
      speaksOfLastSendOnly({ operation: 'capture', attempts: 2, notSent: 0, maybeSent: false }, decline),
    ).toBe(true);
    expect(
      speaksOfLastSendOnly({ operation: 'capture', attempts: 1, notSent: 0, maybeSent: false }, decline),
    ).toBe(false);
  },
);

describe('showsAbsence', () => {
  test.each(CHANNEL_HOLD_STATUSES)('a read of %s', (status) => {
    const moving = status === 'unknown' || status === 'processing';
    expect(showsAbsence(call('create'), snapshot(status))).toBe(false);
    expect(showsAbsence(call('authorize'), snapshot(status))).toBe(!moving);
    expect(showsAbsence(call('capture'), snapshot(status))).toBe(!moving);
    expect(showsAbsence(call('cancel'), snapshot(status))).toBe(!moving);
  });

  test('nothing found: no proof but for a create', () => {
    expect(showsAbsence(call('create'), undefined)).toBe(true);
    expect(showsAbsence(call('authorize'), undefined)).toBe(false);
    expect(showsAbsence(call('capture'), undefined)).toBe(false);
    expect(showsAbsence(call('cancel'), undefined)).toBe(false);
  });
});
