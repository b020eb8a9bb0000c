/** How a payment looks to its merchant. */
import type { z } from 'zod';
import type { CustomerStep } from '../../domain/channel';
import { PAYMENT_STEP_PURPOSE } from '../../stores/payments';
import type { PaymentRow } from '../../stores/payments';
import type { SecretBox } from '../../stores/secret-box';
import { readShownWay } from '../routing/way-view';
import type { Way } from '../routing/way-view';
import type { PaymentDeps } from './deps';
import type { paymentView } from './schemas';

const seconds = (date: Date) => Math.floor(date.getTime() / 1000);

/** One payment with everything its merchant may know: the customer's next step, and why its channel was chosen. */
export async function showPayment(
  { db, box }: Pick<PaymentDeps, 'db' | 'box'>,
  row: PaymentRow,
): Promise<z.infer<typeof paymentView>> {
  const { merchant_id: merchantId, payment_no: paymentNo } = row;
  const way = await readShownWay(db, { merchantId, kind: 'payment', no: paymentNo });
  return viewOf(row, customerStepOf(row, box), way);
}

/** An entry of a list: the secret stays closed. */
export function showListedPayment(row: PaymentRow): z.infer<typeof paymentView> {
  return viewOf(row, {}, {});
}

function viewOf(
  row: PaymentRow,
  step: CustomerStep,
  { routing, attempts }: Way,
): z.infer<typeof paymentView> {
  return {
    payment_no: row.payment_no,
    order_no: row.order_no,
    status: row.status,
    amount: row.amount,
    currency: row.currency,
    amount_paid: row.amount_paid,
    channel: row.channel,
    channel_payment_no: row.channel_payment_no,
    ...(routing !== undefined && { routing }),
    ...(attempts !== undefined && { attempts }),
    ...(step.clientSecret !== undefined && { client_secret: step.clientSecret }),
    ...(step.nextAction !== undefined && { next_action: step.nextAction }),
    ...(row.decline_code !== null && { decline_code: row.decline_code }),
    ...(row.description !== null && { description: row.description }),
    metadata: row.metadata,
    expires_at: seconds(row.expires_at),
    created_at: seconds(row.created_at),
    ...(row.closed_at !== null && { closed_at: seconds(row.closed_at) }),
  };
}

/** Shown only while the customer still has something to do with it. */
function customerStepOf(row: PaymentRow, box: SecretBox): CustomerStep {
  if (row.customer_step_sealed === null || row.status !== 'requires_action') return {};
  return JSON.parse(box.open(row.customer_step_sealed, PAYMENT_STEP_PURPOSE)) as CustomerStep;
}
