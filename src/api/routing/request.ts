/** From a request body to what routing is asked. */
import type { ChannelName } from '../../domain/channel';
import type { RoutingRequest } from '../../domain/routing/types';
import { countryOf } from '../../routing/choose';
import type { CountryHints } from '../../routing/choose';
import type { CountryResolver } from '../../routing/country';
import type { MerchantCaller } from '../route';

interface OrderBody extends CountryHints {
  readonly amount: number;
  readonly currency: string;
  readonly channel?: ChannelName | undefined;
}

export function routingRequestOf(
  { countryOfIp }: { readonly countryOfIp: CountryResolver },
  { merchantId, world }: Pick<MerchantCaller, 'merchantId' | 'world'>,
  body: OrderBody,
  operation: RoutingRequest['operation'],
  number: string,
): RoutingRequest {
  const { amount, currency, channel } = body;
  const country = countryOf(body, countryOfIp);
  return {
    ...{ merchantId, world, number, operation, amount, currency },
    ...(country !== undefined && { country }),
    ...(channel !== undefined && { requestedChannel: channel }),
  };
}
