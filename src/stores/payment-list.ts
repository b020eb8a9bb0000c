/** Reading payments for people: pages of them. */
import type { PaymentStatus } from '../domain/payment';
import { listOfOrders } from './page';
import { PAYMENT_COLUMNS } from './payments';
import type { PaymentRow } from './payments';

/** Newest first. */
export const listPayments = listOfOrders<PaymentRow, PaymentStatus>({
  table: 'payments',
  columns: PAYMENT_COLUMNS,
  id: 'payment_no',
});
