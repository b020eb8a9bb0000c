import type Stripe from 'stripe';
import {
  answerWith,
  DISPUTE_STATUS_TABLE,
  isRelease,
  mapPaymentStatus,
  mapRefundStatus,
  PAYMENT_STATUS_TABLE,
  REFUND_STATUS_TABLE,
  toDisputeSnapshot,
  toPaymentSnapshot,
  toRefundAnswer,
  toRefundSnapshot,
} from '../../../src/channels/stripe/payment-mapping';
import { ChannelFault } from '../../../src/domain/channel';

function intent(fields: object): Stripe.PaymentIntent {
  return {
    id: 'pi_1',
    status: 'succeeded',
    currency: 'usd',
    amount: 50_000,
    amount_received: 50_000,
    cancellation_reason: null,
    last_payment_error: null,
    latest_charge: { id: 'ch_1', status: 'succeeded', amount_refunded: 0 },
    metadata: {},
    ...fields,
  } as unknown as Stripe.PaymentIntent;
}

function refund(fields: object): Stripe.Refund {
  return {
    id: 're_1',
    status: 'succeeded',
    currency: 'usd',
    amount: 700,
    balance_transaction: 'txn_1',
    reason: null,
    metadata: {},
    ...fields,
  } as unknown as Stripe.Refund;
}

function dispute(fields: object): Stripe.Dispute {
  const plain = { id: 'du_1', currency: 'usd', amount: 700, reason: 'fraudulent', status: 'needs_response' };
  return { ...plain, ...fields } as unknown as Stripe.Dispute;
}

describe('payments', () => {
  test.each([
    ['requires_payment_method', 'requires_action', 'pending'],
    ['requires_confirmation', 'requires_action', 'pending'],
    ['requires_action', 'requires_action', 'pending'],
    ['processing', 'processing', 'pending'],
    ['succeeded', 'succeeded', 'done'],
    ['canceled', 'canceled', 'done'],
    // A hold is none of ours here, and neither is what does not exist yet.
    ['requires_capture', 'unknown', 'pending'],
    ['requires_something_new', 'unknown', 'pending'],
    ['constructor', 'unknown', 'pending'],
  ])('%s is %s and %s', (status, expected, kind) => {
    expect(mapPaymentStatus(status)).toBe(expected);
    expect(answerWith(toPaymentSnapshot(intent({ status }))).kind).toBe(kind);
  });

  test('the table has no row that is not tested', () => {
    expect(Object.keys(PAYMENT_STATUS_TABLE)).toHaveLength(6);
  });

  test('the snapshot carries amounts, numbers and identity, and no secret', () => {
    const snapshot = toPaymentSnapshot(
      intent({
        client_secret: 'pi_1_secret_x',
        metadata: { holdfast_id: 'payment/m/1', holdfast_call: 'create/1', order_no: 'O1' },
        latest_charge: { id: 'ch_1', status: 'succeeded', amount_refunded: 20_000 },
      }),
    );
    expect(snapshot).toEqual({
      channelPaymentNo: 'pi_1',
      channelTradeNo: 'ch_1',
      status: 'succeeded',
      currency: 'USD',
      amount: 50_000,
      amountPaid: 50_000,
      amountRefunded: 20_000,
      holdfastId: 'payment/m/1',
      holdfastCall: 'create/1',
    });
  });

  test('a decline is remembered while another try is possible, and only then', () => {
    const last = { type: 'card_error', code: 'card_declined', decline_code: 'insufficient_funds' };
    const declined = {
      status: 'requires_payment_method',
      amount_received: 0,
      last_payment_error: last,
      latest_charge: { id: 'ch_1', status: 'failed', amount_refunded: 0 },
    };
    const snapshot = toPaymentSnapshot(intent(declined));
    expect(snapshot.lastDecline).toEqual({
      code: 'insufficient_funds',
      providerCode: 'card_declined:insufficient_funds',
    });
    // A charge that failed has nothing to refund.
    expect(snapshot).not.toHaveProperty('channelTradeNo');
    const canceled = { ...declined, status: 'canceled', cancellation_reason: 'requested_by_customer' };
    expect(toPaymentSnapshot(intent(canceled))).not.toHaveProperty('lastDecline');
    expect(toPaymentSnapshot(intent(canceled)).closeCause).toBe('requested');
  });

  test('amounts are ISO units, and what is no whole number of them is refused', () => {
    const charge = { id: 'ch_1', status: 'succeeded', amount_refunded: 300 };
    const isk = { currency: 'isk', amount: 500, amount_received: 500, latest_charge: charge };
    expect(toPaymentSnapshot(intent(isk))).toMatchObject({ amount: 5, amountPaid: 5, amountRefunded: 3 });
    expect(() => toPaymentSnapshot(intent({ ...isk, amount: 550 }))).toThrow(ChannelFault);
  });

  test('without its charge nobody knows what was refunded', () => {
    expect(() => toPaymentSnapshot(intent({ latest_charge: 'ch_1' }))).toThrow(ChannelFault);
    expect(toPaymentSnapshot(intent({ latest_charge: null }))).toMatchObject({ amountRefunded: 0 });
  });
});

describe('refunds', () => {
  test.each([
    ['pending', 'pending', 'pending'],
    ['requires_action', 'pending', 'pending'],
    ['succeeded', 'succeeded', 'done'],
    ['failed', 'failed', 'done'],
    ['canceled', 'failed', 'done'],
    ['something_new', 'unknown', 'pending'],
    ['constructor', 'unknown', 'pending'],
    [null, 'unknown', 'pending'],
  ])('%s is %s and %s', (status, expected, kind) => {
    expect(mapRefundStatus(status)).toBe(expected);
    expect(toRefundAnswer(refund({ status })).kind).toBe(kind);
  });

  test('the table has no row that is not tested', () => {
    expect(Object.keys(REFUND_STATUS_TABLE)).toHaveLength(5);
  });

  test('ours carries our number and identity, another one does not', () => {
    const metadata = { holdfast_id: 'refund/m/RF1', holdfast_call: 'refund/1', refund_no: 'RF1' };
    const plain = { channelRefundNo: 're_1', status: 'succeeded', currency: 'USD', amount: 700 };
    expect(toRefundSnapshot(refund({ metadata }))).toEqual({
      ...plain,
      refundNo: 'RF1',
      holdfastId: 'refund/m/RF1',
      holdfastCall: 'refund/1',
    });
    expect(toRefundSnapshot(refund({ metadata: null }))).toEqual(plain);
    const failed = { status: 'failed', failure_reason: 'lost_or_stolen_card' };
    expect(toRefundSnapshot(refund(failed)).failureCode).toBe('lost_or_stolen_card');
  });

  test.each<[string, object, boolean]>([
    ['a refund', {}, false],
    ['the rest of a hold', { balance_transaction: null }, true],
    ['a hold that ended', { reason: 'expired_uncaptured_charge' }, true],
    ['a refund that is under way', { status: 'pending', balance_transaction: null }, false],
    ['ours, whatever else', { balance_transaction: null, metadata: { refund_no: 'RF1' } }, false],
  ])('%s (%j): is a release: %s', (_what, fields, expected) => {
    expect(isRelease(refund(fields))).toBe(expected);
  });
});

describe('disputes', () => {
  test.each([
    ['needs_response', 'open'],
    ['under_review', 'open'],
    ['warning_needs_response', 'open'],
    ['warning_under_review', 'open'],
    ['appeal_needs_response', 'open'],
    ['appeal_under_review', 'open'],
    ['warning_closed', 'won'],
    ['won', 'won'],
    ['lost', 'lost'],
    ['prevented', 'unknown'],
    ['something_new', 'unknown'],
  ])('%s is %s', (status, expected) => {
    expect(toDisputeSnapshot(dispute({ status }), 'pi_1').status).toBe(expected);
  });

  test('the table has no row that is not tested', () => {
    expect(Object.keys(DISPUTE_STATUS_TABLE)).toHaveLength(9);
  });

  test('names the payment it was asked for, in ISO units', () => {
    expect(toDisputeSnapshot(dispute({ currency: 'isk' }), 'pi_1')).toEqual({
      channelDisputeNo: 'du_1',
      channelNo: 'pi_1',
      status: 'open',
      currency: 'ISK',
      amount: 7,
      reason: 'fraudulent',
    });
  });
});
