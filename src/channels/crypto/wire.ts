/**
 * The shapes of the Greenfield API that we read; what else is in them is passed over. Field names as of BTCPay Server 2;
 * where version 1 had another name for what we read, both are taken.
 */
import { z } from 'zod';
import { parseDecimal } from './amounts';

/** Amounts come as decimal strings, and from some versions as JSON numbers. */
const decimal = z
  .union([z.string(), z.number().transform(String)])
  .refine((text) => parseDecimal(text) !== undefined, 'not a decimal number');

export const invoiceShape = z.object({
  id: z.string().min(1).max(200),
  amount: decimal,
  currency: z.string(),
  status: z.string(),
  additionalStatus: z.string().nullish(),
  checkoutLink: z.string().nullish(),
  /** Unix seconds. */
  createdTime: z.number(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
export type Invoice = z.infer<typeof invoiceShape>;
export const invoicesShape = z.array(invoiceShape);

export const paymentMethodsShape = z.array(
  z.object({
    /** BTC, LTC ...; `cryptoCode` in version 1. */
    currency: z.string().nullish(),
    cryptoCode: z.string().nullish(),
    /** Invoice currency per unit of the method's currency. */
    rate: decimal,
    payments: z.array(
      z.object({
        /** In the method's currency, `fee` included. */
        value: decimal,
        /** What the merchant charges on top for the network; it is not paid towards the invoice. */
        fee: decimal.nullish(),
        /** Processing, Settled, Invalid */
        status: z.string(),
      }),
    ),
  }),
);
export type PaymentMethods = z.infer<typeof paymentMethodsShape>;

export const pullPaymentShape = z.object({
  id: z.string().min(1).max(200),
  name: z.string().nullish(),
  description: z.string().nullish(),
  currency: z.string(),
  amount: decimal,
  archived: z.boolean(),
  viewLink: z.string().nullish(),
  /** Unix seconds: the creation, unless it was made to start later. */
  startsAt: z.number().nullish(),
});
export type PullPayment = z.infer<typeof pullPaymentShape>;
export const pullPaymentsShape = z.array(pullPaymentShape);

export const payoutsShape = z.array(
  z.object({
    state: z.string(),
    /** In the currency of the pull payment; `amount` in version 1. */
    originalAmount: decimal.nullish(),
    amount: decimal.nullish(),
  }),
);
export type Payouts = z.infer<typeof payoutsShape>;

export const eventShape = z.object({
  deliveryId: z.string().min(1).max(200),
  originalDeliveryId: z.string().max(200).nullish(),
  type: z.string().max(100),
  storeId: z.string().nullish(),
  invoiceId: z.string().max(200).nullish(),
  pullPaymentId: z.string().max(200).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
