/** What goes in and out of the endpoints of late money and disputes. */
import { z } from 'zod';
import { DISPUTE_STATUSES } from '../../domain/dispute';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { LATE_MONEY_POLICIES, LATE_PAYMENT_STATES } from '../../domain/late-money';
import { pageQuery } from '../pagination';

const number = z.string().regex(MERCHANT_NUMBER, 'must match [A-Za-z0-9._-]{1,64}');
const ofObject = {
  payment_no: number.optional().describe('The payment it belongs to'),
  pre_auth_no: number.optional().describe('The hold it belongs to'),
};
const money = { amount: z.number().int().describe('Minor units'), currency: z.string() };

export const cursorId = z.uuid();
export const latePaymentParams = z.strictObject({ late_payment_id: z.uuid() });
export const latePaymentListQuery = z.strictObject({
  state: z.enum(LATE_PAYMENT_STATES).optional(),
  object_no: number.optional().describe('Of this payment or hold'),
  ...pageQuery,
});

export const latePaymentView = z.object({
  id: z.uuid(),
  ...ofObject,
  kind: z
    .enum(['late', 'partial', 'over'])
    .describe('Paid after the end; too little of it; or more than was asked for'),
  ...money,
  state: z.enum(LATE_PAYMENT_STATES).describe('needs_attention: decide, by refund or keep'),
  channel_trade_no: z.string(),
  refund_no: z.string().optional().describe('Its refund, under way or done; the latest one'),
  created_at: z.number().int().describe('Unix seconds'),
});
export const LATE_PAYMENT_EXAMPLE = {
  id: '6b0f2a52-8c64-4c3e-9d56-2b6f8f5f2f0e',
  payment_no: 'PY20250124123456abcdefgh',
  kind: 'partial',
  amount: 4000,
  currency: 'EUR',
  state: 'needs_attention',
  channel_trade_no: 'V9kYbCzhSU4rQ1',
  created_at: 1737722096,
};

export const policyBody = z.strictObject({
  policy: z
    .enum(LATE_MONEY_POLICIES)
    .describe('refund: late money is given back by itself; attention: it waits for your decision'),
});

export const disputeListQuery = z.strictObject({
  status: z.enum(DISPUTE_STATUSES).optional(),
  object_no: number.optional().describe('Of this payment or hold'),
  ...pageQuery,
});

export const disputeView = z.object({
  id: z.uuid(),
  ...ofObject,
  channel_dispute_no: z.string(),
  ...money,
  reason: z.string().describe("The channel's own code"),
  status: z.enum(DISPUTE_STATUSES).describe('won: the money is yours again'),
  opened_at: z.number().int().describe('Unix seconds'),
  closed_at: z.number().int().optional(),
});
