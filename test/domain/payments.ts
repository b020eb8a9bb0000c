/** A payment and what a channel may say of it, for tests of the pure functions. */
import type { ChannelPaymentStatus, PaymentSnapshot } from '../../src/domain/channel-payment';
import type { Payment } from '../../src/domain/payment';

export const PAYMENT_AMOUNT = 50_000;

export function payment(fields: Partial<Payment> = {}): Payment {
  return {
    merchantId: 'm1',
    paymentNo: 'PY1',
    orderNo: 'O1',
    world: 'test',
    channel: 'stripe',
    channelAccountId: 'a1',
    channelPaymentNo: 'pi_1',
    channelTradeNo: null,
    currency: 'USD',
    amount: PAYMENT_AMOUNT,
    amountPaid: 0,
    status: 'requires_action',
    version: 3,
    createdAtMs: 1_000,
    expiresAtMs: 1_801_000,
    handedOut: true,
    declineCode: null,
    needsAttention: null,
    ...fields,
  };
}

export function paymentSnapshot(
  status: ChannelPaymentStatus,
  fields: Partial<PaymentSnapshot> = {},
): PaymentSnapshot {
  const isPaid = status === 'succeeded';
  return {
    channelPaymentNo: 'pi_1',
    status,
    currency: 'USD',
    amount: PAYMENT_AMOUNT,
    amountPaid: isPaid ? PAYMENT_AMOUNT : 0,
    amountRefunded: 0,
    ...(isPaid ? { channelTradeNo: 'ch_1' } : {}),
    ...fields,
  };
}
