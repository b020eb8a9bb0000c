import type Stripe from 'stripe';
import {
  mapReleaseCause,
  mapStatus,
  STATUS_TABLE,
  toAnswer,
  toCustomerStep,
  toSnapshot,
} from '../../../src/channels/stripe/mapping';
import { ChannelFault } from '../../../src/domain/channel';

function intent(fields: object): Stripe.PaymentIntent {
  return {
    id: 'pi_1',
    status: 'requires_capture',
    currency: 'usd',
    amount: 50_000,
    amount_capturable: 50_000,
    amount_received: 0,
    cancellation_reason: null,
    client_secret: 'pi_1_secret_x',
    latest_charge: null,
    metadata: {},
    next_action: null,
    ...fields,
  } as unknown as Stripe.PaymentIntent;
}

describe('statuses', () => {
  test.each([
    ['requires_payment_method', 'requires_payment_method', 'pending'],
    ['requires_confirmation', 'requires_confirmation', 'pending'],
    ['requires_action', 'requires_action', 'pending'],
    ['processing', 'processing', 'pending'],
    ['requires_capture', 'requires_capture', 'done'],
    ['succeeded', 'succeeded', 'done'],
    ['canceled', 'canceled', 'done'],
    ['requires_something_new', 'unknown', 'pending'],
    ['', 'unknown', 'pending'],
    ['constructor', 'unknown', 'pending'],
  ])('%s is %s and %s', (status, expected, kind) => {
    expect(mapStatus(status)).toBe(expected);
    expect(toAnswer(intent({ status })).kind).toBe(kind);
  });

  test('the table has no row that is not tested', () => {
    expect(Object.keys(STATUS_TABLE)).toHaveLength(7);
  });
});

test.each([
  ['automatic', 'deadline'],
  ['expired', 'deadline'],
  ['requested_by_customer', 'requested'],
  ['abandoned', 'dashboard'],
  ['duplicate', 'dashboard'],
  ['fraudulent', 'dashboard'],
  ['void_invoice', 'dashboard'],
  ['failed_invoice', 'dashboard'],
  [null, 'dashboard'],
])('a cancellation for %s counts as %s', (reason, cause) => {
  expect(mapReleaseCause(reason)).toBe(cause);
});

describe('the snapshot', () => {
  test('carries amounts, the deadline and the identity, and no secret', () => {
    const snapshot = toSnapshot(
      intent({
        metadata: { holdfast_id: 'pre-auth/m/1', holdfast_call: 'create/1', order_no: 'O1' },
        latest_charge: { payment_method_details: { card: { capture_before: 1_900_000_000 } } },
      }),
    );
    expect(snapshot).toEqual({
      channelPreAuthNo: 'pi_1',
      status: 'requires_capture',
      currency: 'USD',
      amount: 50_000,
      amountCapturable: 50_000,
      amountCaptured: 0,
      captureBefore: 1_900_000_000,
      holdfastId: 'pre-auth/m/1',
      holdfastCall: 'create/1',
    });
  });

  test.each([
    [null],
    ['ch_1'],
    [{ payment_method_details: null }],
    [{ payment_method_details: { card: {} } }],
  ])('has no deadline when the charge is %j', (charge) => {
    expect(toSnapshot(intent({ latest_charge: charge }))).not.toHaveProperty('captureBefore');
  });

  test('names a release cause only when it is canceled', () => {
    const canceled = { status: 'canceled', amount_capturable: 0, cancellation_reason: 'automatic' };
    expect(toSnapshot(intent(canceled)).releaseCause).toBe('deadline');
    expect(toSnapshot(intent({ cancellation_reason: 'automatic' }))).not.toHaveProperty('releaseCause');
  });

  test('is in ISO units', () => {
    const snapshot = toSnapshot(
      intent({ currency: 'isk', amount: 500, amount_capturable: 300, amount_received: 200 }),
    );
    expect(snapshot).toMatchObject({ currency: 'ISK', amount: 5, amountCapturable: 3, amountCaptured: 2 });
  });

  test('is refused when an amount is no whole number of ISO units', () => {
    expect(() => toSnapshot(intent({ currency: 'isk', amount: 550 }))).toThrow(ChannelFault);
  });
});

describe('what the browser needs', () => {
  test.each([
    ['requires_payment_method', null, { type: 'client_secret' }],
    ['requires_action', { type: 'use_stripe_sdk' }, { type: 'client_secret' }],
    [
      'requires_action',
      { redirect_to_url: { url: 'https://bank' } },
      { type: 'redirect', url: 'https://bank' },
    ],
    ['requires_capture', null, undefined],
    ['canceled', null, undefined],
  ])('%s with %j: %j', (status, next, expected) => {
    const step = toCustomerStep(intent({ status, next_action: next }));
    expect(step.clientSecret).toBe('pi_1_secret_x');
    expect(step.nextAction).toEqual(expected);
  });

  test('nothing without a client secret', () => {
    expect(toCustomerStep(intent({ client_secret: null }))).toEqual({});
  });
});
