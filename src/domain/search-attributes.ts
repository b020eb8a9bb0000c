/**
 * What people find workflows by in the Temporal Web UI and CLI. Search attributes cannot be encrypted: identifiers,
 * amounts, states and dates only (docs/decisions/0013-web-ui.md). Ten keywords and three of every other type is all that
 * Temporal has room for on an SQL database.
 */

/** The merchant's id. */
export const MERCHANT = { name: 'HoldfastMerchant', type: 'KEYWORD' } as const;
/** Number of the payment, hold or refund; of a delivery: of the object it tells of. */
export const NUMBER = { name: 'HoldfastNumber', type: 'KEYWORD' } as const;
export const ORDER = { name: 'HoldfastOrder', type: 'KEYWORD' } as const;
export const CHANNEL = { name: 'HoldfastChannel', type: 'KEYWORD' } as const;
export const STATUS = { name: 'HoldfastStatus', type: 'KEYWORD' } as const;
export const CURRENCY = { name: 'HoldfastCurrency', type: 'KEYWORD' } as const;
/** Minor units: 50000 is 500.00 USD and 50000 JPY. */
export const AMOUNT = { name: 'HoldfastAmount', type: 'INT' } as const;
/** When a hold is released, and a payment expires, if nothing happens; refunds have none. */
export const ENDS_AT = { name: 'HoldfastEndsAt', type: 'DATETIME' } as const;
/** true while the object needs an operator; a workflow that never did has none. */
export const NEEDS_ATTENTION = { name: 'HoldfastNeedsAttention', type: 'BOOL' } as const;

export const SEARCH_ATTRIBUTES = [
  ...[MERCHANT, NUMBER, ORDER, CHANNEL, STATUS, CURRENCY],
  ...[AMOUNT, ENDS_AT, NEEDS_ATTENTION],
];

/** What an object can be found by. What is not known yet is left out. */
export interface Traits {
  readonly merchantId: string;
  readonly number: string;
  readonly orderNo?: string;
  readonly channel?: string;
  readonly status?: string;
  readonly currency?: string;
  readonly amount?: number;
  readonly endsAtMs?: number;
}

/** The traits as typed search attributes. */
export function searchAttributesOf(traits: Traits) {
  const { merchantId, number, orderNo, channel, status, currency, amount, endsAtMs } = traits;
  return [
    { key: MERCHANT, value: merchantId },
    { key: NUMBER, value: number },
    ...(orderNo === undefined ? [] : [{ key: ORDER, value: orderNo }]),
    ...(channel === undefined ? [] : [{ key: CHANNEL, value: channel }]),
    ...(status === undefined ? [] : [{ key: STATUS, value: status }]),
    ...(currency === undefined ? [] : [{ key: CURRENCY, value: currency }]),
    ...(amount === undefined ? [] : [{ key: AMOUNT, value: amount }]),
    ...(endsAtMs === undefined ? [] : [{ key: ENDS_AT, value: new Date(endsAtMs) }]),
  ];
}

export type SearchAttribute = ReturnType<typeof searchAttributesOf>[number];
