/** What goes in and out of the pre-auth endpoints: the bodies of the original description, checked field by field. */
import { z } from 'zod';
import { CHANNELS } from '../../domain/channel';
import { MAX_EXPIRES_IN_SECONDS } from '../../domain/expiry';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { PRE_AUTH_STATUSES } from '../../domain/pre-auth';
import { pageQuery } from '../pagination';
import { wayFields } from '../routing/way-view';

const number = z.string().regex(MERCHANT_NUMBER, 'must match [A-Za-z0-9._-]{1,64}');
const channel = z.enum(CHANNELS);
const channelNumber = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 printable characters');
const amount = z
  .number("must be a positive integer of the currency's minor unit")
  .int("must be a whole number of the currency's minor unit")
  .positive('must be greater than 0')
  .max(Number.MAX_SAFE_INTEGER);
const currency = z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code in upper case');
export const country = z.string().regex(/^[A-Z]{2}$/, 'must be an ISO 3166 code of two letters');
const webUrl = z
  .string()
  .max(2000)
  .refine((url) => /^https?:\/\//i.test(url) && URL.canParse(url), 'must be an http or https URL');
const metadata = z
  .record(
    z.string().regex(/^[A-Za-z0-9._-]{1,40}$/, 'keys must match [A-Za-z0-9._-]{1,40}'),
    z.string().max(500),
  )
  .refine((entries) => Object.keys(entries).length <= 20, 'must have at most 20 entries');

export const createBody = (minExpiresInSeconds: number) =>
  z.strictObject({
    channel: channel.optional().describe('Chosen by Holdfast when absent'),
    pre_auth_no: number.optional().describe('Your own number; generated when absent'),
    order_no: number.describe('Your own number of the order: operators search by it, so no personal data'),
    amount: amount.describe('Minor units: 50000 is 500.00 USD'),
    currency,
    customer_email: z.email().max(254).optional(),
    description: z.string().min(1).max(1000).optional(),
    country: country.optional().describe("The customer's: routing goes by it"),
    billing_country: country.optional().describe('Of the billing address, where `country` is not given'),
    card_country: country.optional().describe('Of the card, where no better country is given'),
    customer_ip: z
      .union([z.ipv4().meta({ format: 'ipv4' }), z.ipv6().meta({ format: 'ipv6' })])
      .optional()
      .describe("The customer's address: tells the country where none is given. Not kept"),
    return_url: webUrl.optional(),
    notify_url: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe('Told of every event of this hold. No personal data'),
    expires_in: z
      .number()
      .int()
      .min(minExpiresInSeconds)
      .max(MAX_EXPIRES_IN_SECONDS)
      .optional()
      .describe('Seconds until the hold is released by itself; 86400 when absent'),
    metadata: metadata.optional(),
  });
export type CreateBody = z.infer<ReturnType<typeof createBody>>;

const reason = z
  .string()
  .min(1)
  .max(500)
  // eslint-disable-next-line no-control-regex -- \P{Cc} needs a flag, which a pattern of JSON Schema cannot have
  .regex(/^[^\x00-\x1f\x7f-\x9f]*$/, 'must not contain control characters')
  .optional();
const captureFields = {
  amount: amount.optional().describe('Minor units; everything that is left when absent'),
  currency: currency.optional().describe("The hold's currency"),
  final: z.boolean().optional().describe('false: keep the rest held, where the channel can capture again'),
};

export const captureByChannelNoBody = z.strictObject({
  channel,
  channel_pre_auth_no: channelNumber,
  ...captureFields,
  currency,
});
export const cancelByChannelNoBody = z.strictObject({ channel, channel_pre_auth_no: channelNumber, reason });
export const captureByNoBody = z.strictObject(captureFields);
export const cancelByNoBody = z.strictObject({ reason });

export const channelNoParams = z.strictObject({ channel_pre_auth_no: channelNumber });
export const channelQuery = z.strictObject({ channel });
export const preAuthNoParams = z.strictObject({ pre_auth_no: number });

export const listQuery = z.strictObject({
  ...pageQuery,
  status: z.enum(PRE_AUTH_STATUSES).optional(),
  order_no: number.optional(),
  created_from: z.iso.datetime({ offset: true }).optional().describe('Inclusive'),
  created_to: z.iso.datetime({ offset: true }).optional().describe('Exclusive'),
});

const status = z.enum(PRE_AUTH_STATUSES);
const nextAction = z.discriminatedUnion('type', [
  z.object({ type: z.literal('client_secret') }),
  z.object({ type: z.literal('redirect'), url: z.string() }),
  z.object({ type: z.literal('qr_code'), content: z.string() }),
]);

export const preAuthView = z.object({
  pre_auth_no: number,
  channel_pre_auth_no: z.string().nullable().describe('null until the channel has answered'),
  client_secret: z.string().optional().describe("For the customer's browser, while it is needed"),
  status,
  expires_at: z.number().int().describe('Unix seconds; the hold is released then'),
  channel,
  order_no: number,
  amount: z.number().int(),
  currency: z.string(),
  amount_capturable: z.number().int(),
  amount_captured: z.number().int(),
  ...wayFields,
  next_action: nextAction.optional(),
  description: z.string().optional(),
  metadata: z.record(z.string(), z.string()),
  decline_code: z.string().optional(),
  created_at: z.number().int().describe('Unix seconds'),
  closed_at: z.number().int().optional().describe('Unix seconds'),
});

export const captureView = z.object({
  pre_auth_no: number,
  channel_pre_auth_no: z.string().nullable(),
  channel_trade_no: z.string().nullable(),
  status,
  amount: z.number().int().describe('What this capture took'),
  currency: z.string(),
  amount_captured: z.number().int().describe('What was captured in all'),
  amount_capturable: z.number().int(),
});

export const cancelView = z.object({
  pre_auth_no: number,
  channel_pre_auth_no: z.string().nullable(),
  status,
  amount_captured: z.number().int(),
  amount_released: z.number().int(),
});

export const PRE_AUTH_EXAMPLE = {
  pre_auth_no: 'PA20250124001',
  channel_pre_auth_no: 'pi_3QkHoldfast',
  client_secret: 'pi_3QkHoldfast_secret_Yyy',
  status: 'requires_payment_method',
  expires_at: 1737801600,
  channel: 'stripe',
  order_no: 'ORDER-001',
  amount: 50000,
  currency: 'USD',
  amount_capturable: 0,
  amount_captured: 0,
  next_action: { type: 'client_secret' },
  description: 'Hotel Reservation Deposit',
  metadata: {},
  created_at: 1737715200,
};
