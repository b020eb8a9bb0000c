/**
 * What routing knows before anybody has configured anything, and when neither memory, Redis nor the database can tell:
 * the four channels with their list prices. What an account can do besides is in its contract.
 */
import { CHANNELS } from '../channel';
import type { ChannelName } from '../channel';
import { DEFAULT_FEES } from '../fees';
import { feeRulesOf } from './cost';
import type { ChannelSettings, RoutingConfig, RoutingPolicy } from './types';

/** Takes what nobody else has an opinion on. */
export const DEFAULT_CHANNEL: ChannelName = 'stripe';

export const DEFAULT_POLICY: RoutingPolicy = { mode: 'balanced', learning: 'off', explorationShare: 0.05 };

/** PayPal's list of payment currencies. */
const PAYPAL_CURRENCIES =
  'AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF ILS JPY MXN MYR NOK NZD PHP PLN SEK SGD THB TWD USD'.split(
    ' ',
  );

const COMMON = { enabled: true, automatic: true, amounts: {}, weight: 100, multipleCaptures: false } as const;

export const DEFAULT_CHANNELS: Readonly<Record<ChannelName, ChannelSettings>> = {
  stripe: {
    ...COMMON,
    id: 'stripe',
    preAuth: true,
    amounts: { USD: { min: 50 }, EUR: { min: 50 }, GBP: { min: 30 } },
    home: { US: 90, CA: 80, GB: 80, AU: 80, NZ: 70, EEA: 70, CH: 70, JP: 50 },
  },
  paypal: {
    ...COMMON,
    id: 'paypal',
    currencies: PAYPAL_CURRENCIES,
    preAuth: true,
    home: { DE: 80, LATAM: 50 },
  },
  alipay: {
    ...COMMON,
    id: 'alipay',
    // Domestic contracts settle in this alone; a cross-border one lists its currencies itself.
    currencies: ['CNY'],
    // Fund authorisation is signed for by account.
    preAuth: false,
    home: { CN: 95, GREATER_CHINA: 80, SOUTHEAST_ASIA: 60 },
  },
  crypto: {
    ...COMMON,
    id: 'crypto',
    // It costs nothing and would win by price what its customers never asked for.
    automatic: false,
    preAuth: false,
    home: {},
  },
};

export const BUILT_IN_CONFIG: RoutingConfig = {
  version: 0,
  channels: CHANNELS.map((channel) => DEFAULT_CHANNELS[channel]),
  fees: CHANNELS.flatMap((channel) => feeRulesOf(channel, DEFAULT_FEES[channel])),
  rules: [],
  merchants: [],
};
