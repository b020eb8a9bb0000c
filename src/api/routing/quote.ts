/** What a quote asks. Fields that a create has too are checked as its are. */
import { z } from 'zod';
import { ROUTING_MODES } from '../../domain/routing/types';
import type { RoutingRequest } from '../../domain/routing/types';
import type { CountryResolver } from '../../routing/country';
import { createBody } from '../pre-auth/schemas';
import type { MerchantCaller } from '../route';
import { routingRequestOf } from './request';

/** The shortest expires_in, which a quote does not have. */
const ANY_SECONDS = 1;
const ofCreate = createBody(ANY_SECONDS).shape;

export const quoteBody = z.strictObject({
  amount: ofCreate.amount,
  currency: ofCreate.currency,
  operation: z.enum(['payment', 'pre_auth']).optional().describe('payment when absent'),
  channel: ofCreate.channel,
  mode: z.enum(ROUTING_MODES).optional().describe("What if: the merchant's own mode when absent"),
  country: ofCreate.country,
  billing_country: ofCreate.billing_country,
  card_country: ofCreate.card_country,
  customer_ip: ofCreate.customer_ip,
});
export type QuoteBody = z.infer<typeof quoteBody>;

/** A quote has no number to be shared out by: what is alike goes the same way. */
export function quoteRequestOf(
  deps: { readonly countryOfIp: CountryResolver },
  caller: MerchantCaller,
  body: QuoteBody,
): RoutingRequest {
  const number = `${caller.merchantId}/${body.amount}/${body.currency}`;
  return routingRequestOf(deps, caller, body, body.operation ?? 'payment', number);
}
