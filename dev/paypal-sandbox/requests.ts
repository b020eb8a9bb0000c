/**
 * The bodies of the calls. PayPal lets unknown fields pass; the sandbox does not, so that a field with a wrong name is
 * found here and not by money that went astray.
 */
import { z } from 'zod';
import { failure } from './errors';

const amount = z.strictObject({
  currency_code: z.string().length(3),
  value: z
    .string()
    .max(32)
    .regex(/^[0-9]+(\.[0-9]+)?$/),
});
const id127 = z.string().min(1).max(127);

const experience = z.strictObject({
  user_action: z.enum(['CONTINUE', 'PAY_NOW']).optional(),
  shipping_preference: z.enum(['GET_FROM_FILE', 'NO_SHIPPING', 'SET_PROVIDED_ADDRESS']).optional(),
  payment_method_preference: z.enum(['UNRESTRICTED', 'IMMEDIATE_PAYMENT_REQUIRED']).optional(),
  return_url: z.url().optional(),
  cancel_url: z.url().optional(),
});

export const ORDER = z.strictObject({
  intent: z.enum(['CAPTURE', 'AUTHORIZE']),
  purchase_units: z
    .array(
      z.strictObject({
        reference_id: z.literal('default').optional(),
        amount,
        custom_id: id127.optional(),
        invoice_id: id127.optional(),
        description: z.string().max(127).optional(),
      }),
    )
    .length(1),
  payment_source: z
    .strictObject({
      paypal: z.strictObject({
        email_address: z.email().max(254).optional(),
        experience_context: experience.optional(),
      }),
    })
    .optional(),
});

/** The one change that is made here; PayPal takes more. */
export const PATCH = z
  .array(
    z.strictObject({
      op: z.enum(['add', 'replace']),
      path: z.literal("/purchase_units/@reference_id=='default'/custom_id"),
      value: id127,
    }),
  )
  .min(1);

export const NOTHING = z.strictObject({});

export const CAPTURE = z.strictObject({
  amount: amount.optional(),
  invoice_id: id127.optional(),
  final_capture: z.boolean().optional(),
  note_to_payer: z.string().max(255).optional(),
});

export const REAUTHORIZE = z.strictObject({ amount });

export const REFUND = z.strictObject({
  amount: amount.optional(),
  custom_id: id127.optional(),
  invoice_id: id127.optional(),
  note_to_payer: z.string().max(255).optional(),
});

/** @throws PayPalError 400, with the place of the first thing that is wrong */
export function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  const field = `/${result.error.issues[0]?.path.join('/') ?? ''}`;
  throw failure(400, 'INVALID_PARAMETER_SYNTAX', {}, field);
}
