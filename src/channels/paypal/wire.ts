/** The parts of PayPal's answers that are read. What does not have this form proves nothing. */
import { z } from 'zod';
import { ChannelFault } from '../../domain/channel';

const money = z.object({ currency_code: z.string(), value: z.string() });
const details = z.object({ reason: z.string().optional() });

const refund = z.object({
  id: z.string(),
  status: z.string(),
  status_details: details.optional(),
  amount: money,
  custom_id: z.string().optional(),
  invoice_id: z.string().optional(),
});

const capture = z.object({
  id: z.string(),
  status: z.string(),
  status_details: details.optional(),
  amount: money,
  custom_id: z.string().optional(),
  invoice_id: z.string().optional(),
  final_capture: z.boolean().optional(),
});

const authorization = z.object({
  id: z.string(),
  status: z.string(),
  amount: money,
  create_time: z.string().optional(),
  update_time: z.string().optional(),
  expiration_time: z.string().optional(),
});

const purchaseUnit = z.object({
  amount: money,
  custom_id: z.string().optional(),
  invoice_id: z.string().optional(),
  payments: z
    .object({
      authorizations: z.array(authorization).optional(),
      captures: z.array(capture).optional(),
      refunds: z.array(refund).optional(),
    })
    .optional(),
});

const order = z.object({
  id: z.string(),
  // Missing in some answers about orders whose capture was declined.
  status: z.string().optional(),
  intent: z.string(),
  purchase_units: z.array(purchaseUnit).length(1),
  links: z.array(z.object({ rel: z.string(), href: z.string() })).optional(),
});

const disputes = z.object({
  items: z
    .array(
      z.object({ dispute_id: z.string(), reason: z.string(), status: z.string(), dispute_amount: money }),
    )
    .optional(),
});

const dispute = z.object({
  dispute_outcome: z.object({ outcome_code: z.string().optional() }).optional(),
});

const event = z.object({
  id: z.string().min(1),
  event_type: z.string().min(1),
  resource: z.object({
    id: z.string().optional(),
    order_id: z.string().optional(),
    custom_id: z.string().optional(),
    purchase_units: z.array(z.object({ custom_id: z.string().optional() })).optional(),
    supplementary_data: z
      .object({ related_ids: z.object({ order_id: z.string().optional() }).optional() })
      .optional(),
    links: z.array(z.object({ rel: z.string(), href: z.string() })).optional(),
    disputed_transactions: z.array(z.object({ seller_transaction_id: z.string().optional() })).optional(),
  }),
});

export type PayPalRefund = z.infer<typeof refund>;
export type PayPalCapture = z.infer<typeof capture>;
export type PayPalAuthorization = z.infer<typeof authorization>;
export type PayPalOrder = z.infer<typeof order>;
export type PayPalEvent = z.infer<typeof event>;

/** @throws ChannelFault maybe_executed: a 2xx whose body is something else says nothing about money */
function reader<T>(schema: z.ZodType<T>, what: string): (body: unknown) => T {
  return (body) => {
    const read = schema.safeParse(body);
    if (!read.success) throw new ChannelFault('maybe_executed', `unreadable_${what}`);
    return read.data;
  };
}

export const readOrder = reader(order, 'order');
export const readCapture = reader(capture, 'capture');
export const readAuthorization = reader(authorization, 'authorization');
export const readRefund = reader(refund, 'refund');
export const readDisputes = reader(disputes, 'disputes');
export const readDispute = reader(dispute, 'dispute');
export const parseEvent = (body: unknown) => event.safeParse(body);
