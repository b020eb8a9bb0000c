import {
  disputeOutcome,
  disputeState,
  needsCompletion,
  toCustomerStep,
  toHoldSnapshot,
  toPaymentSnapshot,
  toRefundSnapshot,
} from '../../../src/channels/paypal/mapping';
import { customId, readCustomId, refundInvoiceId } from '../../../src/channels/paypal/identity';
import type { PayPalAuthorization, PayPalCapture, PayPalOrder } from '../../../src/channels/paypal/wire';
import { ChannelFault } from '../../../src/domain/channel';

const usd = (value: string) => ({ currency_code: 'USD', value });

type Parts = { captures?: PayPalCapture[]; authorizations?: PayPalAuthorization[]; custom?: string };

function order(status: string | undefined, { captures, authorizations, custom }: Parts = {}): PayPalOrder {
  return {
    id: 'O1',
    ...(status === undefined ? {} : { status }),
    intent: 'CAPTURE',
    purchase_units: [
      {
        amount: usd('100.00'),
        custom_id: custom ?? 'payment/m/1|create/1',
        payments: {
          ...(captures === undefined ? {} : { captures }),
          ...(authorizations === undefined ? {} : { authorizations }),
        },
      },
    ],
  };
}

const capture = (status: string, value = '100.00', final = true): PayPalCapture => ({
  id: `C-${status}`,
  status,
  amount: usd(value),
  final_capture: final,
});

const authorization = (status: string, more: Partial<PayPalAuthorization> = {}): PayPalAuthorization => ({
  id: `A-${status}`,
  status,
  amount: usd('100.00'),
  create_time: '2026-01-01T00:00:00Z',
  update_time: '2026-01-02T00:00:00Z',
  expiration_time: '2026-01-30T00:00:00Z',
  ...more,
});

test.each([
  ['CREATED', 'requires_action', false],
  ['SAVED', 'requires_action', false],
  ['PAYER_ACTION_REQUIRED', 'requires_action', false],
  ['PENDING_APPROVAL', 'requires_action', false],
  ['APPROVED', 'processing', true],
  ['VOIDED', 'canceled', false],
  ['COMPLETED', 'unknown', false],
  ['PARTIALLY_COMPLETED', 'unknown', false],
  ['NEW_WORD', 'unknown', false],
  ['constructor', 'unknown', false],
])('an order %s without captures is %s', (status, expected, completes) => {
  const snapshot = toPaymentSnapshot(order(status));
  expect(snapshot).toMatchObject({ status: expected, amount: 10_000, amountPaid: 0 });
  expect(needsCompletion(snapshot)).toBe(completes);
});

test.each([
  ['COMPLETED', 'COMPLETED', 'succeeded', 10_000],
  ['COMPLETED', 'PARTIALLY_REFUNDED', 'succeeded', 10_000],
  ['COMPLETED', 'REFUNDED', 'succeeded', 10_000],
  ['COMPLETED', 'PENDING', 'processing', 0],
  ['COMPLETED', 'DECLINED', 'failed', 0],
  [undefined, 'DECLINED', 'failed', 0],
  ['COMPLETED', 'FAILED', 'failed', 0],
  ['PAYER_ACTION_REQUIRED', 'DECLINED', 'requires_action', 0],
  ['COMPLETED', 'NEW_WORD', 'unknown', 0],
  // Whatever the order says of itself: money that was taken was taken.
  ['VOIDED', 'COMPLETED', 'succeeded', 10_000],
])('an order %s with a capture %s is %s', (status, state, expected, paid) => {
  const snapshot = toPaymentSnapshot(order(status, { captures: [capture(state)] }));
  expect(snapshot).toMatchObject({ status: expected, amountPaid: paid });
  expect(needsCompletion(snapshot)).toBe(false);
  const isDeclined = state === 'DECLINED' || state === 'FAILED';
  expect(snapshot.lastDecline?.code).toBe(isDeclined ? 'card_declined' : undefined);
});

test('a marked order is cancelled whatever PayPal says, until money was taken', () => {
  const custom = 'payment/m/1|create/1|void';
  const marked = {
    status: 'canceled',
    closeCause: 'requested',
    holdfastId: 'payment/m/1',
    holdfastCall: 'create/1',
  };
  expect(toPaymentSnapshot(order('APPROVED', { custom }))).toMatchObject(marked);
  expect(toPaymentSnapshot(order('COMPLETED', { custom, captures: [capture('COMPLETED')] })).status).toBe(
    'succeeded',
  );
});

test.each([
  ['CREATED', 'requires_action'],
  ['APPROVED', 'requires_confirmation'],
  ['VOIDED', 'canceled'],
  ['COMPLETED', 'unknown'],
])('an order %s without authorizations is a hold that %s', (status, expected) => {
  expect(toHoldSnapshot(order(status))).toMatchObject({ status: expected, amountCapturable: 0 });
});

test.each<[string, Parts, object]>([
  [
    'held',
    { authorizations: [authorization('CREATED')] },
    { status: 'requires_capture', amountCapturable: 10_000 },
  ],
  [
    'under review',
    { authorizations: [authorization('PENDING')] },
    { status: 'processing', amountCapturable: 0 },
  ],
  ['denied', { authorizations: [authorization('DENIED')] }, { status: 'canceled' }],
  [
    'voided',
    { authorizations: [authorization('VOIDED')] },
    { status: 'canceled', releaseCause: 'dashboard' },
  ],
  [
    'voided at its deadline',
    { authorizations: [authorization('VOIDED', { update_time: '2026-01-30T00:00:00Z' })] },
    { status: 'canceled', releaseCause: 'deadline' },
  ],
  [
    'captured in part, more to come',
    {
      authorizations: [authorization('PARTIALLY_CAPTURED')],
      captures: [capture('COMPLETED', '30.00', false)],
    },
    { status: 'requires_capture', amountCaptured: 3_000, amountCapturable: 7_000 },
  ],
  [
    'captured in part, for good',
    { authorizations: [authorization('PARTIALLY_CAPTURED')], captures: [capture('COMPLETED', '30.00')] },
    { status: 'succeeded', amountCaptured: 3_000, amountCapturable: 0 },
  ],
  [
    'captured in part, the rest voided',
    { authorizations: [authorization('VOIDED')], captures: [capture('COMPLETED', '30.00', false)] },
    { status: 'succeeded', amountCaptured: 3_000, amountCapturable: 0 },
  ],
  [
    'a capture under review',
    { authorizations: [authorization('CAPTURED')], captures: [capture('PENDING')] },
    { status: 'processing', amountCaptured: 0 },
  ],
  ['a new word', { authorizations: [authorization('NEW_WORD')] }, { status: 'unknown', amountCapturable: 0 }],
  [
    'a new word for a capture',
    { authorizations: [authorization('CREATED')], captures: [capture('NEW_WORD')] },
    { status: 'unknown' },
  ],
  [
    'renewed, and the original voided',
    {
      authorizations: [
        authorization('CREATED', { create_time: '2026-01-05T00:00:00Z' }),
        authorization('VOIDED'),
      ],
    },
    { status: 'canceled' },
  ],
  [
    'whose renewal was denied',
    {
      authorizations: [
        authorization('DENIED', { create_time: '2026-01-05T00:00:00Z' }),
        authorization('CREATED'),
      ],
    },
    { status: 'requires_capture', amountCapturable: 10_000 },
  ],
])('a hold %s', (_what, parts, expected) => {
  expect(toHoldSnapshot(order('COMPLETED', parts))).toMatchObject(expected);
});

test('an amount that is no whole number of minor units proves nothing', () => {
  const odd = order('CREATED');
  expect(() =>
    toPaymentSnapshot({ ...odd, purchase_units: [{ amount: { currency_code: 'USD', value: '1.005' } }] }),
  ).toThrow(ChannelFault);
});

test('the payer is sent to payer-action, else to approve', () => {
  const link = (rel: string) => ({ rel, href: `https://paypal.example/${rel}` });
  const step = (links: string[]) =>
    toCustomerStep({ ...order('CREATED'), links: links.map(link) }).nextAction;
  expect(step(['self', 'approve', 'payer-action'])).toMatchObject({
    url: 'https://paypal.example/payer-action',
  });
  expect(step(['self', 'approve'])).toMatchObject({ url: 'https://paypal.example/approve' });
  expect(step(['self'])).toBeUndefined();
});

test.each([
  ['COMPLETED', 'succeeded'],
  ['PENDING', 'pending'],
  ['FAILED', 'failed'],
  ['CANCELLED', 'failed'],
  ['NEW_WORD', 'unknown'],
])('a refund %s is %s; ours is known by its numbers, and only by both', (status, expected) => {
  const call = { idempotencyKey: 'k', holdfastId: 'refund/m/RF-1', holdfastCall: 'refund/1' };
  const numbers = { custom_id: customId(call), invoice_id: refundInvoiceId('RF-1', call) };
  const refund = { id: 'R1', status, amount: usd('1.00') };
  expect(toRefundSnapshot({ ...refund, ...numbers })).toMatchObject({
    status: expected,
    amount: 100,
    refundNo: 'RF-1',
    holdfastId: 'refund/m/RF-1',
  });
  for (const others of [
    {},
    { custom_id: numbers.custom_id },
    { ...numbers, custom_id: 'refund/m/RF-2|refund/1' },
  ]) {
    expect(toRefundSnapshot({ ...refund, ...others })).not.toHaveProperty('refundNo');
  }
});

test.each([
  ['OPEN', undefined, 'open'],
  ['WAITING_FOR_SELLER_RESPONSE', undefined, 'open'],
  ['UNDER_REVIEW', undefined, 'open'],
  ['RESOLVED', 'RESOLVED_SELLER_FAVOUR', 'won'],
  ['RESOLVED', 'RESOLVED_BUYER_FAVOUR', 'lost'],
  ['RESOLVED', 'ACCEPTED', 'lost'],
  ['RESOLVED', 'CANCELED_BY_BUYER', 'won'],
  ['RESOLVED', 'NONE', 'unknown'],
  ['RESOLVED', undefined, 'unknown'],
  ['OTHER', undefined, 'unknown'],
])('a dispute %s with outcome %s is %s', (status, outcome, expected) => {
  const state = disputeState(status);
  expect(state === 'resolved' ? disputeOutcome(outcome) : state).toBe(expected);
});

test('the longest identity fits into 127 characters with its mark, and is read back', () => {
  const holdfastId = `pre-auth/${'m'.repeat(36)}/${'n'.repeat(64)}`;
  const text = customId({ idempotencyKey: 'k', holdfastId, holdfastCall: 'create/12' });
  expect(`${text}|void`.length).toBeLessThanOrEqual(127);
  expect(readCustomId(`${text}|void`)).toEqual({ holdfastId, holdfastCall: 'create/12', isCancelled: true });
  const tooLong = customId({
    idempotencyKey: 'k',
    holdfastId: holdfastId.repeat(2),
    holdfastCall: 'create/1',
  });
  expect(tooLong.length).toBeLessThanOrEqual(122);
  expect(readCustomId(tooLong)).toEqual({ isCancelled: false });
});
