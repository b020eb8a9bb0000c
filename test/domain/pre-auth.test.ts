import { CHANNEL_HOLD_STATUSES } from '../../src/domain/channel';
import type { ChannelHoldStatus } from '../../src/domain/channel';
import {
  applyCreateDecline,
  applyAttentionMet,
  applyDecline,
  applySnapshot,
  isClosed,
  isHeld,
  isHeldLate,
  PRE_AUTH_STATUSES,
} from '../../src/domain/pre-auth';
import type { Cause, Hold, PreAuthStatus } from '../../src/domain/pre-auth';
import { AMOUNT, CREATED_AT_MS, hold, snapshot } from './holds';

const CAUSES: readonly Cause[] = ['create', 'capture', 'cancel', 'expiry', 'channel'];
const CLOSED = ['succeeded', 'canceled', 'expired', 'failed'] as const;
const WAITING = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
] as const;

/** What a snapshot without any capture makes of a hold, by cause where it matters; null = contained already. */
type Row = Readonly<Record<Exclude<ChannelHoldStatus, 'unknown'>, PreAuthStatus | null | 'by_cause'>>;
const FROM_WAITING: Row = {
  requires_payment_method: 'requires_payment_method',
  requires_confirmation: 'requires_confirmation',
  requires_action: 'requires_action',
  processing: 'processing',
  requires_capture: 'requires_capture',
  succeeded: 'succeeded',
  canceled: 'by_cause',
};
const FROM_HELD: Row = {
  ...FROM_WAITING,
  requires_payment_method: null,
  requires_confirmation: null,
  requires_action: null,
  processing: null,
};
// A snapshot that has captured less than we know of is an older one, whatever its status.
const FROM_PARTIAL: Row = { ...FROM_HELD, requires_capture: null, succeeded: null, canceled: null };
const FINAL: Row = { ...FROM_PARTIAL };

const TABLE: Readonly<Record<PreAuthStatus, Row>> = {
  requires_payment_method: FROM_WAITING,
  requires_confirmation: FROM_WAITING,
  requires_action: FROM_WAITING,
  processing: FROM_WAITING,
  requires_capture: FROM_HELD,
  partially_captured: FROM_PARTIAL,
  succeeded: FINAL,
  canceled: FINAL,
  expired: FINAL,
  failed: FINAL,
};

const CASES = PRE_AUTH_STATUSES.flatMap((status) =>
  CHANNEL_HOLD_STATUSES.flatMap((said) => CAUSES.map((cause) => [status, said, cause] as const)),
);

test.each(CASES)('%s, the channel says %s, because of %s', (status, said, cause) => {
  const before = hold(status);
  const transition = applySnapshot(before, snapshot(said), cause);
  const row = said === 'unknown' ? null : TABLE[status][said];
  const expected = row === 'by_cause' ? (cause === 'expiry' ? 'expired' : 'canceled') : row;
  if (expected === null || expected === status) return expect(transition).toBeNull();
  expect(transition?.next.status).toBe(expected);
  expect(transition?.next.version).toBe(before.version + 1);
  expect(transition?.next.amountCapturable).toBe(expected === 'requires_capture' ? AMOUNT : 0);
});

test('closed and held are what the words say', () => {
  expect(PRE_AUTH_STATUSES.filter(isClosed)).toEqual(CLOSED);
  expect(PRE_AUTH_STATUSES.filter(isHeld)).toEqual(['requires_capture', 'partially_captured']);
});

describe('a hold that is closed', () => {
  test.each(CLOSED)('%s is not reopened, and nothing is added to it', (status) => {
    for (const cause of CAUSES) {
      expect(applySnapshot(hold(status), snapshot('requires_capture'), cause)).toBeNull();
      expect(applySnapshot(hold(status), snapshot('succeeded', AMOUNT), cause)).toBeNull();
    }
    expect(applyCreateDecline(hold(status, { channelPreAuthNo: null }), 'card_declined')).toBeNull();
  });
});

describe('amounts', () => {
  test('what was captured never becomes less', () => {
    const partly = hold('partially_captured', { amountCaptured: 30_000, amountCapturable: 20_000 });
    expect(applySnapshot(partly, snapshot('requires_capture', 29_999), 'channel')).toBeNull();
    expect(applySnapshot(partly, snapshot('succeeded', 29_999), 'channel')).toBeNull();
  });

  test('a repeat changes nothing, not even the version', () => {
    expect(
      applySnapshot(hold('partially_captured'), snapshot('requires_capture', 20_000), 'channel'),
    ).toBeNull();
  });

  test('a second capture is taken over', () => {
    const after = applySnapshot(hold('partially_captured'), snapshot('requires_capture', 35_000), 'capture');
    expect(after?.next).toMatchObject({
      status: 'partially_captured',
      amountCaptured: 35_000,
      amountCapturable: 15_000,
    });
  });
});

describe('what comes with a snapshot', () => {
  test("the channel's number and its deadline, which only ever comes nearer", () => {
    const before = hold('processing', { channelPreAuthNo: null });
    const deadline = CREATED_AT_MS / 1000 + 3600;
    const near = applySnapshot(
      before,
      snapshot('requires_capture', 0, { captureBefore: deadline }),
      'create',
    );
    expect(near?.next).toMatchObject({ channelPreAuthNo: 'pi_1', expiresAtMs: deadline * 1000 });
    const far = applySnapshot(
      before,
      snapshot('requires_capture', 0, { captureBefore: deadline * 2 }),
      'create',
    );
    expect(far?.next.expiresAtMs).toBe(before.expiresAtMs);
  });

  test('attention is no longer needed once the hold has moved on, and a reading that shows no change does not end it', () => {
    const before = hold('requires_capture', { needsAttention: 'an outcome is unknown' });
    expect(applySnapshot(before, snapshot('requires_capture'), 'channel')).toBeNull();
    expect(applySnapshot(before, snapshot('canceled'), 'channel')).toMatchObject({
      next: { needsAttention: null },
    });
    expect(applyAttentionMet(before)).toMatchObject({
      next: { needsAttention: null, version: before.version + 1 },
    });
    expect(applyAttentionMet(hold('requires_capture'))).toBeNull();
  });
});

/** Product, section 3: exactly these events, in this order, with this extra. */
const EVENTS: readonly (readonly [
  what: string,
  before: Hold,
  said: ReturnType<typeof snapshot>,
  cause: Cause,
  status: PreAuthStatus,
  events: readonly (readonly [type: string, extra: object])[],
])[] = [
  ['created', hold('processing', { channelPreAuthNo: null }), snapshot('requires_payment_method'), 'create', 'requires_payment_method', []],
  ['confirmed', hold('requires_payment_method'), snapshot('requires_capture'), 'channel', 'requires_capture', [['pre_auth.authorized', {}]]],
  ['captured whole', hold('requires_capture'), snapshot('succeeded', AMOUNT), 'capture', 'succeeded', [['pre_auth.captured', { amount_this_capture: AMOUNT, amount_captured: AMOUNT }]]],
  ['captured in part, rest released', hold('requires_capture'), snapshot('succeeded', 32_000), 'capture', 'succeeded', [['pre_auth.captured', { amount_this_capture: 32_000, amount_captured: 32_000, amount_released: 18_000 }]]],
  ['captured in part, rest kept', hold('requires_capture'), snapshot('requires_capture', 32_000), 'capture', 'partially_captured', [['pre_auth.captured', { amount_this_capture: 32_000, amount_captured: 32_000 }]]],
  ['captured again to the end', hold('partially_captured'), snapshot('succeeded', AMOUNT), 'capture', 'succeeded', [['pre_auth.captured', { amount_this_capture: 30_000, amount_captured: AMOUNT }]]],
  ['captured before we heard of the confirmation', hold('requires_action'), snapshot('succeeded', AMOUNT), 'capture', 'succeeded', [['pre_auth.authorized', {}], ['pre_auth.captured', { amount_this_capture: AMOUNT, amount_captured: AMOUNT }]]],
  ['canceled', hold('requires_capture'), snapshot('canceled', 0, { releaseCause: 'requested' }), 'cancel', 'canceled', [['pre_auth.canceled', { amount_released: AMOUNT }]]],
  ['canceled before confirmation', hold('requires_payment_method'), snapshot('canceled', 0, { releaseCause: 'requested' }), 'cancel', 'canceled', [['pre_auth.canceled', { amount_released: AMOUNT }]]],
  ['expired', hold('requires_capture'), snapshot('canceled', 0, { releaseCause: 'requested' }), 'expiry', 'expired', [['pre_auth.expired', { amount_released: AMOUNT }]]],
  ["the channel's own deadline", hold('requires_capture'), snapshot('canceled', 0, { releaseCause: 'deadline' }), 'channel', 'expired', [['pre_auth.expired', { amount_released: AMOUNT }]]],
  ["the channel's deadline, found by a cancel", hold('requires_capture'), snapshot('canceled', 0, { releaseCause: 'deadline' }), 'cancel', 'expired', [['pre_auth.expired', { amount_released: AMOUNT }]]],
  ['canceled in the dashboard', hold('requires_capture'), snapshot('canceled', 0, { releaseCause: 'dashboard' }), 'channel', 'canceled', [['pre_auth.canceled', { amount_released: AMOUNT }]]],
  ['captured in the dashboard', hold('requires_capture'), snapshot('succeeded', 10_000), 'channel', 'succeeded', [['pre_auth.captured', { amount_this_capture: 10_000, amount_captured: 10_000, amount_released: 40_000 }]]],
  ['rest released after a capture', hold('partially_captured'), snapshot('succeeded', 20_000), 'cancel', 'succeeded', [['pre_auth.canceled', { amount_released: 30_000 }]]],
  ['rest expired after a capture', hold('partially_captured'), snapshot('succeeded', 20_000), 'expiry', 'succeeded', [['pre_auth.expired', { amount_released: 30_000 }]]],
  ['rest released after a capture, told as canceled', hold('partially_captured'), snapshot('canceled', 20_000, { releaseCause: 'requested' }), 'cancel', 'succeeded', [['pre_auth.canceled', { amount_released: 30_000 }]]],
  ["rest gone at the channel's deadline", hold('partially_captured'), snapshot('canceled', 20_000, { releaseCause: 'deadline' }), 'channel', 'succeeded', [['pre_auth.expired', { amount_released: 30_000 }]]],
]; // prettier-ignore

test.each(EVENTS)('events: %s', (_what, before, said, cause, status, events) => {
  const transition = applySnapshot(before, said, cause);
  expect(transition?.next.status).toBe(status);
  expect(transition?.events.map(({ type, extra }) => [type, extra])).toEqual(events);
});

describe('applyCreateDecline', () => {
  test.each(WAITING)('fails a hold that is %s and has no object', (status) => {
    const transition = applyCreateDecline(hold(status, { channelPreAuthNo: null }), 'account_invalid');
    expect(transition?.next).toMatchObject({ status: 'failed', version: 4, amountCapturable: 0 });
    expect(transition?.events).toEqual([
      { type: 'pre_auth.failed', extra: { decline_code: 'account_invalid' } },
    ]);
  });

  test('answers what an operator was asked about', () => {
    const asked = hold('processing', { channelPreAuthNo: null, needsAttention: 'outcome unknown' });
    expect(applyCreateDecline(asked, 'not_executed')?.next.needsAttention).toBeNull();
  });

  test('never fails a hold that the channel has', () => {
    expect(applyCreateDecline(hold('requires_capture'), 'card_declined')).toBeNull();
  });
});

describe('applyDecline', () => {
  test('a refused capture leaves the hold as it is and tells the merchant', () => {
    const before = hold('requires_capture');
    expect(applyDecline(before, 'capture', 'card_declined', 32_000)).toEqual({
      next: { ...before, version: 4 },
      events: [
        {
          type: 'pre_auth.capture_failed',
          extra: { decline_code: 'card_declined', amount_this_capture: 32_000 },
        },
      ],
    });
  });

  test('a refused release tells an operator, and no merchant', () => {
    const before = hold('requires_capture');
    const needsAttention = 'the channel refuses to release the hold: account_invalid';
    expect(applyDecline(before, 'cancel', 'account_invalid', 0)).toEqual({
      next: { ...before, needsAttention, version: 4 },
      events: [],
    });
  });

  test('a capture that was refused is no question any more', () => {
    const asked = hold('requires_capture', { needsAttention: 'outcome unknown' });
    expect(applyDecline(asked, 'capture', 'card_declined', 1)?.next.needsAttention).toBeNull();
  });

  test.each(CLOSED)('of a hold that is %s answers only what an operator was asked about', (status) => {
    const asked = hold(status, { needsAttention: 'outcome unknown' });
    expect(applyDecline(asked, 'cancel', 'invalid_state', 0)).toEqual({
      next: { ...asked, needsAttention: null, version: 4 },
      events: [],
    });
  });

  test.each(CLOSED)('a hold that is %s stays as it is', (status) => {
    expect(applyDecline(hold(status), 'capture', 'invalid_state', 1)).toBeNull();
    expect(applyDecline(hold(status), 'cancel', 'invalid_state', 0)).toBeNull();
  });
});

test('held late is what a closed hold still shows as held, and nothing else', () => {
  for (const status of PRE_AUTH_STATUSES)
    expect(isHeldLate(hold(status), snapshot('requires_capture'))).toBe(isClosed(status));
  for (const seen of CHANNEL_HOLD_STATUSES)
    expect(isHeldLate(hold('canceled'), snapshot(seen))).toBe(seen === 'requires_capture');
  const empty = snapshot('requires_capture', 0, { amountCapturable: 0 });
  expect(isHeldLate(hold('expired'), empty)).toBe(false);
});
