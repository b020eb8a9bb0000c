/** Holds, payments, refunds, and what comes after their end. */
import { LATE_PAYMENT_EXAMPLE } from '../../late-money/schemas';
import { PAYMENT_EXAMPLE } from '../../payments/schemas';
import { PRE_AUTH_EXAMPLE } from '../../pre-auth/schemas';
import { REFUND_EXAMPLE } from '../../refunds/schemas';
import { CURSOR, pageOf } from './types';
import type { ExamplesByRoute } from './types';

/** A list shows no client_secret, nor the way to the channel. */
const LISTED_HOLD = {
  pre_auth_no: 'PA20250124001',
  channel_pre_auth_no: 'pi_3QkHoldfast',
  status: 'requires_capture',
  expires_at: 1737801600,
  channel: 'stripe',
  order_no: 'ORDER-001',
  amount: 50000,
  currency: 'USD',
  amount_capturable: 50000,
  amount_captured: 0,
  description: 'Hotel Reservation Deposit',
  metadata: { room: '12' },
  created_at: 1737715200,
};
const CAPTURE = {
  pre_auth_no: 'PA20250124001',
  channel_pre_auth_no: 'pi_3QkHoldfast',
  channel_trade_no: 'pi_3QkHoldfast',
  status: 'succeeded',
  amount: 32000,
  currency: 'USD',
  amount_captured: 32000,
  amount_capturable: 0,
};
const CANCEL = {
  pre_auth_no: 'PA20250124001',
  channel_pre_auth_no: 'pi_3QkHoldfast',
  status: 'canceled',
  amount_captured: 0,
  amount_released: 50000,
};
const PENDING_HOLD = {
  ...LISTED_HOLD,
  channel_pre_auth_no: null,
  status: 'requires_payment_method',
  amount_capturable: 0,
};
const NEW_HOLD = {
  channel: 'stripe',
  pre_auth_no: 'PA20250124001',
  order_no: 'ORDER-001',
  amount: 50000,
  currency: 'USD',
  customer_email: 'customer@example.com',
  description: 'Hotel Reservation Deposit',
  return_url: 'https://shop.example/return',
  notify_url: 'https://shop.example/holdfast',
  expires_in: 86400,
  metadata: { room: '12' },
};
const BY_CHANNEL_NO = { channel: 'stripe', channel_pre_auth_no: 'pi_3QkHoldfast' };
const REASON = { reason: 'the guest did not come' };
const MADE_HOLD = { ...PRE_AUTH_EXAMPLE, metadata: { room: '12' } };
const WHOLE_HOLD = {
  ...LISTED_HOLD,
  routing: { channel: 'stripe', level: 'explicit', reason: 'the request names stripe' },
  attempts: [{ channel: 'stripe', outcome: 'accepted', code: null, at: 1737715200 }],
};
const captured = {
  responses: { 200: CAPTURE, 202: { ...LISTED_HOLD, metadata: { room: '12' } } },
  message: 'Captured',
};
const canceled = { responses: { 200: CANCEL, 202: LISTED_HOLD }, message: 'Canceled' };

const HOLDS: ExamplesByRoute = {
  'post /api/v1/channel/pre-auth': {
    request: NEW_HOLD,
    responses: { 200: MADE_HOLD, 201: MADE_HOLD, 202: PENDING_HOLD },
    message: 'Pre-authorization created',
  },
  'get /api/v1/channel/pre-auth': { responses: { 200: { items: [LISTED_HOLD], next_cursor: CURSOR } } },
  'post /api/v1/channel/pre-auth/capture': {
    request: { ...BY_CHANNEL_NO, amount: 32000, currency: 'USD' },
    ...captured,
  },
  'post /api/v1/channel/pre-auth/cancel': { request: { ...BY_CHANNEL_NO, ...REASON }, ...canceled },
  'get /api/v1/channel/pre-auth/{channel_pre_auth_no}': { responses: { 200: WHOLE_HOLD } },
  'get /api/v1/pre-auth/{pre_auth_no}': { responses: { 200: WHOLE_HOLD } },
  'post /api/v1/pre-auth/{pre_auth_no}/capture': { request: { amount: 32000 }, ...captured },
  'post /api/v1/pre-auth/{pre_auth_no}/cancel': { request: REASON, ...canceled },
};

const LISTED_PAYMENT = {
  payment_no: 'PY20250124123456abcdefgh',
  order_no: 'ORDER-001',
  status: 'success',
  amount: 50000,
  currency: 'USD',
  amount_paid: 50000,
  channel: 'stripe',
  channel_payment_no: 'pi_3QkHoldfast',
  metadata: {},
  expires_at: 1737724496,
  created_at: 1737722696,
  closed_at: 1737722760,
};
const { closed_at: _closedAt, ...OPEN_PAYMENT } = LISTED_PAYMENT;
const PENDING_PAYMENT = { ...OPEN_PAYMENT, channel_payment_no: null, status: 'pending', amount_paid: 0 };

const PAYMENTS: ExamplesByRoute = {
  'post /api/v1/payments': {
    request: {
      order_no: 'ORDER-001',
      amount: 50000,
      currency: 'USD',
      country: 'US',
      return_url: 'https://shop.example/return',
    },
    responses: { 201: PAYMENT_EXAMPLE, 202: PENDING_PAYMENT },
    message: 'Payment created',
  },
  'get /api/v1/payments': { responses: { 200: { items: [LISTED_PAYMENT], next_cursor: CURSOR } } },
  'get /api/v1/payments/{payment_no}': { responses: { 200: PAYMENT_EXAMPLE } },
  'post /api/v1/payments/{payment_no}/cancel': {
    request: { reason: 'the customer has changed their mind' },
    responses: {
      200: { ...LISTED_PAYMENT, status: 'cancelled', amount_paid: 0 },
      202: { ...OPEN_PAYMENT, status: 'requires_action', amount_paid: 0 },
    },
    message: 'Cancelled',
  },
};

const { closed_at: _refundClosedAt, ...OPEN_REFUND } = REFUND_EXAMPLE;
const refundOf = (object: object) => {
  const { payment_no: _paymentNo, ...common } = REFUND_EXAMPLE;
  const { payment_no: _no, ...open } = OPEN_REFUND;
  const done = { ...object, ...common };
  return {
    request: { amount: 20000, reason: 'one night less' },
    responses: {
      200: done,
      201: done,
      202: { ...object, ...open, channel_refund_no: null, status: 'pending' },
    },
    message: 'Refund created',
  };
};
const ofPayment = refundOf({ payment_no: 'PY20250124123456abcdefgh' });
const ofHold = refundOf({ pre_auth_no: 'PA20250124001' });

const REFUNDS: ExamplesByRoute = {
  'post /api/v1/payments/{payment_no}/refunds': ofPayment,
  'get /api/v1/payments/{payment_no}/refunds': { responses: { 200: pageOf(ofPayment.responses[201]) } },
  'post /api/v1/pre-auth/{pre_auth_no}/refunds': ofHold,
  'get /api/v1/pre-auth/{pre_auth_no}/refunds': { responses: { 200: pageOf(ofHold.responses[201]) } },
};

const AFTERWARDS: ExamplesByRoute = {
  'get /api/v1/late-payments': { responses: { 200: pageOf(LATE_PAYMENT_EXAMPLE) } },
  'post /api/v1/late-payments/{late_payment_id}/refund': {
    responses: {
      200: { ...LATE_PAYMENT_EXAMPLE, state: 'refunding', refund_no: 'RF20250124130000ijklmnop' },
    },
  },
  'post /api/v1/late-payments/{late_payment_id}/keep': {
    responses: { 200: { ...LATE_PAYMENT_EXAMPLE, state: 'kept' } },
  },
  'get /api/v1/late-payments/policy': { responses: { 200: { policy: 'attention' } } },
  'put /api/v1/late-payments/policy': {
    request: { policy: 'refund' },
    responses: { 200: { policy: 'refund' } },
  },
  'get /api/v1/disputes': {
    responses: {
      200: pageOf({
        id: '0d3c8a53-4c5e-4f6e-9a1b-5f7d2c9e8b10',
        payment_no: 'PY20250124123456abcdefgh',
        channel_dispute_no: 'dp_1QkHoldfast',
        amount: 30000,
        currency: 'USD',
        reason: 'fraudulent',
        status: 'open',
        opened_at: 1737722096,
      }),
    },
  },
};

export const MONEY_EXAMPLES: ExamplesByRoute = { ...HOLDS, ...PAYMENTS, ...REFUNDS, ...AFTERWARDS };
