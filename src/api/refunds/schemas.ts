/** What goes in and out of the refund endpoints. */
import { z } from 'zod';
import { CHANNELS } from '../../domain/channel';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { REFUND_STATUSES } from '../../domain/refund';
import { pageQuery } from '../pagination';

const number = z.string().regex(MERCHANT_NUMBER, 'must match [A-Za-z0-9._-]{1,64}');
const amount = z
  .number("must be a positive integer of the currency's minor unit")
  .int("must be a whole number of the currency's minor unit")
  .positive('must be greater than 0')
  .max(Number.MAX_SAFE_INTEGER);
const reason = z
  .string()
  .min(1)
  .max(500)
  // eslint-disable-next-line no-control-regex -- \P{Cc} needs a flag, which a pattern of JSON Schema cannot have
  .regex(/^[^\x00-\x1f\x7f-\x9f]*$/, 'must not contain control characters');

export const refundBody = z.strictObject({
  refund_no: number.optional().describe('Your own number; generated when absent'),
  amount: amount.optional().describe('Minor units; all that can be given back when absent'),
  reason: reason.optional(),
  notify_url: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('Told of every event of this refund; that of the payment or hold when absent'),
});
export type RefundBody = z.infer<typeof refundBody>;

export const refundNoParams = z.strictObject({ refund_no: number });
export const paymentParams = z.strictObject({ payment_no: number });
export const preAuthParams = z.strictObject({ pre_auth_no: number });
export const refundListQuery = z.strictObject(pageQuery);
/** The second part of a cursor's key. */
export const cursorNumber = number;

export const refundView = z.object({
  refund_no: number,
  payment_no: number.optional().describe('The payment that is refunded'),
  pre_auth_no: number.optional().describe('The captured hold that is refunded'),
  order_no: number,
  channel: z.enum(CHANNELS),
  channel_refund_no: z.string().nullable().describe('null until the channel has answered'),
  amount: z.number().int(),
  currency: z.string(),
  status: z.enum(REFUND_STATUSES),
  reason: z.string().optional(),
  next_action: z
    .object({ type: z.literal('redirect'), url: z.string() })
    .optional()
    .describe('Where the customer claims the money, at channels where it must be claimed'),
  decline_code: z.string().optional().describe('Why it failed'),
  created_at: z.number().int().describe('Unix seconds'),
  closed_at: z.number().int().optional().describe('Unix seconds'),
});

export const REFUND_EXAMPLE = {
  refund_no: 'RF20250124123456abcdefgh',
  payment_no: 'PY20250124123456abcdefgh',
  order_no: 'ORDER-001',
  channel: 'stripe',
  channel_refund_no: 're_3QkHoldfast',
  amount: 20000,
  currency: 'USD',
  status: 'success',
  reason: 'one night less',
  created_at: 1737715200,
  closed_at: 1737715201,
};
