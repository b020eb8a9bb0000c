/** What happens in more than one story of payments. */
import { randomUUID } from 'node:crypto';
import { workflowIdOf } from '../../src/domain/ids';
import { PaymentClient } from './payment-client';
import type { Payment } from './payment-client';
import type { Stage } from './stage';

/** Where pages of channels send the guest back to. */
export const BACK = { return_url: 'https://hotel.example/thanks' };

export const clientOf = ({ apiUrl, seed }: Stage) => new PaymentClient(apiUrl, seed.apiKey);

export function create(stage: Stage, order: object): Promise<Payment> {
  return clientOf(stage).create({ order_no: `DEMO-${randomUUID().slice(0, 8)}`, ...order });
}

export const workflowOf = ({ seed }: Stage, { payment_no: no }: Payment) =>
  workflowIdOf({ merchantId: seed.merchantId, kind: 'payment', no });

export const counted = (count: number, thing: string) => `${count} ${thing}${count === 1 ? '' : 's'}`;
