/** What goes in and out of the payment endpoints. Fields that holds have too are checked as theirs are. */
import { z } from 'zod';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { MAX_EXPIRES_IN_SECONDS } from '../../domain/expiry';
import { PAYMENT_STATUSES } from '../../domain/payment';
import { wayFields } from '../routing/way-view';
import { pageQuery } from '../pagination';
import { cancelByNoBody, createBody as createHoldBody, preAuthView } from '../pre-auth/schemas';

const number = z.string().regex(MERCHANT_NUMBER, 'must match [A-Za-z0-9._-]{1,64}');
const status = z.enum(PAYMENT_STATUSES);

export const createBody = (minExpiresInSeconds: number) =>
  createHoldBody(minExpiresInSeconds)
    .omit({ pre_auth_no: true })
    .extend({
      notify_url: z
        .string()
        .min(1)
        .max(500)
        .optional()
        .describe('Told of every event of this payment. No personal data'),
      expires_in: z
        .number()
        .int()
        .min(minExpiresInSeconds)
        .max(MAX_EXPIRES_IN_SECONDS)
        .optional()
        .describe('Seconds until a payment nobody completes is closed; 1800 when absent'),
    });
export type CreatePaymentBody = z.infer<ReturnType<typeof createBody>>;

export const cancelBody = cancelByNoBody;
export const paymentNoParams = z.strictObject({ payment_no: number });

export const listQuery = z.strictObject({
  ...pageQuery,
  status: status.optional(),
  order_no: number.optional(),
  created_from: z.iso.datetime({ offset: true }).optional().describe('Inclusive'),
  created_to: z.iso.datetime({ offset: true }).optional().describe('Exclusive'),
});

export const paymentView = z.object({
  payment_no: number,
  order_no: number,
  status,
  amount: z.number().int(),
  currency: z.string(),
  amount_paid: z.number().int().describe('0 until the payment succeeds'),
  channel: preAuthView.shape.channel,
  channel_payment_no: z.string().nullable().describe('null until the channel has answered'),
  ...wayFields,
  client_secret: preAuthView.shape.client_secret,
  next_action: preAuthView.shape.next_action,
  decline_code: z.string().optional().describe("Why the customer's last means was declined"),
  description: z.string().optional(),
  metadata: z.record(z.string(), z.string()),
  expires_at: z.number().int().describe('Unix seconds; closed then if nobody has paid'),
  created_at: z.number().int().describe('Unix seconds'),
  closed_at: z.number().int().optional().describe('Unix seconds'),
});

export const PAYMENT_EXAMPLE = {
  payment_no: 'PY20250124123456abcdefgh',
  order_no: 'ORDER-001',
  status: 'requires_action',
  amount: 50000,
  currency: 'USD',
  amount_paid: 0,
  channel: 'stripe',
  channel_payment_no: 'pi_3QkHoldfast',
  routing: { channel: 'stripe', level: 'smart' as const, reason: 'stripe is the only eligible channel' },
  attempts: [{ channel: 'stripe' as const, outcome: 'accepted' as const, code: null, at: 1737722696 }],
  client_secret: 'pi_3QkHoldfast_secret_Yyy',
  next_action: { type: 'client_secret' },
  metadata: {},
  expires_at: 1737724496,
  created_at: 1737722696,
};
