/** What every verb does: one exchange whose errors become declines or faults, and lists that are whole or nothing. */
import type Stripe from 'stripe';
import { ChannelFault } from '../../domain/channel';
import type { CallIdentity, CustomerStep, Decline, Exchange } from '../../domain/channel';
import type { Money } from '../../domain/money';
import { toStripeAmount } from './amounts';
import { ExchangeFailure } from './client';
import type { StripeClient } from './client';
import { meaningOf, readFailure } from './errors';
import { toCustomerStep } from './mapping';

/** Every answer shows its charge: the deadline of a hold and the refunds of a payment are there. */
export const EXPAND_CHARGE = ['latest_charge'];
export const PAGE_SIZE = 100;
/** Beyond this many objects a list proves nothing in reasonable time. */
const MAX_LISTED = 10_000;
/** Stripe's clock is not ours: the list begins this much earlier, and the identity filters. */
const CLOCK_MARGIN_SECONDS = 60;

/**
 * Runs one exchange, its mapping included: what Stripe refuses comes back as a decline, everything else (also a 200
 * whose body is no PaymentIntent) is thrown as a ChannelFault.
 */
export async function attempt<T extends object>(
  client: StripeClient,
  exchange: Exchange,
  calls: () => Promise<T>,
): Promise<T | Decline> {
  try {
    return await client.exchange(exchange, calls);
  } catch (error) {
    if (!(error instanceof ExchangeFailure)) throw error;
    if (error.error instanceof ChannelFault) throw error.error;
    const meaning = meaningOf(readFailure(error.error, error.sent));
    if (meaning instanceof ChannelFault) throw meaning;
    return meaning;
  }
}

export function isDecline(value: object): value is Decline {
  return 'kind' in value && value.kind === 'declined';
}

/** A read that Stripe refuses (a revoked key, say) tells nothing about the object. */
export function readRefused(decline: Decline): ChannelFault {
  return new ChannelFault('maybe_executed', `read_refused:${decline.code}`);
}

/** The API asks checkAmount before it writes; this is the second lock on the same door. */
export function notExpressible(money: Money): Decline {
  const isCurrency = 'refusal' in toStripeAmount({ ...money, amount: 1000 });
  return {
    kind: 'declined',
    code: isCurrency ? 'invalid_currency' : 'invalid_amount',
    providerCode: 'not_expressible',
  };
}

/**
 * Every page of a list.
 * @throws ChannelFault when it does not end: an incomplete list must not look like a whole one, which is taken for a proof
 */
export async function wholeList<T>(pages: AsyncIterable<T>): Promise<readonly T[]> {
  const listed: T[] = [];
  for await (const item of pages) {
    if (listed.length === MAX_LISTED) throw new ChannelFault('maybe_executed', 'list_too_long');
    listed.push(item);
  }
  return listed;
}

/** PaymentIntents created within these times that carry this identity, holds and payments alike. @throws ChannelFault */
export async function findIntents<T>(
  client: StripeClient,
  call: CallIdentity,
  created: { readonly fromUnixSeconds: number; readonly toUnixSeconds: number },
  exchange: Exchange,
  toSnapshot: (intent: Stripe.PaymentIntent) => T,
): Promise<readonly { snapshot: T; customer: CustomerStep }[]> {
  const found = await attempt(client, exchange, async () => {
    const pages = client.stripe.paymentIntents.list({
      created: {
        gte: Math.max(Math.floor(created.fromUnixSeconds) - CLOCK_MARGIN_SECONDS, 0),
        lte: Math.ceil(created.toUnixSeconds) + CLOCK_MARGIN_SECONDS,
      },
      limit: PAGE_SIZE,
      expand: ['data.latest_charge'],
    });
    const matching = (await wholeList(pages)).filter(
      ({ metadata: { holdfast_id: id, holdfast_call: name } }) =>
        id === call.holdfastId && name === call.holdfastCall,
    );
    return matching.map((intent) => ({ snapshot: toSnapshot(intent), customer: toCustomerStep(intent) }));
  });
  if (isDecline(found)) throw readRefused(found);
  return found;
}
