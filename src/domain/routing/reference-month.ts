/** The comparison that Holdfast reproduces to the cent: 10 000 orders, 1 000 000.00 USD, 32 000.00 of fees on Stripe alone. */
import { BUILT_IN_CONFIG } from './default-config';
import type { SavingsOrder } from './savings';
import type { RoutingConfig } from './types';

/** Who has Alipay can also pay by Stripe; the others cannot pay by Alipay. */
export const REFERENCE_MONTH: readonly SavingsOrder[] = [
  { count: 6_454, amount: 10_000, currency: 'USD', allowedChannels: ['stripe', 'alipay'] },
  { count: 4, amount: 20_000, currency: 'USD', allowedChannels: ['stripe', 'alipay'] },
  { count: 3_534, amount: 10_000, currency: 'USD', allowedChannels: ['stripe'] },
  { count: 8, amount: 5_000, currency: 'USD', allowedChannels: ['stripe'] },
];

/** The built-in configuration, with a cross-border contract at Alipay: without one it settles in CNY alone. */
export const REFERENCE_CONFIG: RoutingConfig = {
  ...BUILT_IN_CONFIG,
  channels: BUILT_IN_CONFIG.channels.map((channel) =>
    channel.id === 'alipay' ? { ...channel, currencies: ['CNY', 'USD'] } : channel,
  ),
};
