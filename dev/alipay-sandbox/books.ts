/** The sandbox's own books: what tests compare our rows with. Amounts in minor units. */
import type { State } from './state';
import type { Auth, CallRecord, Trade } from './types';

export interface Books {
  trades: (Trade & { holdfast_id: string; refunded: number })[];
  auths: Auth[];
  /** By currency, of everything shown. */
  totals: Record<string, { paid: number; refunded: number; frozen: number }>;
  calls: CallRecord[];
}

/** @param holdfastId only trades and calls of this object; undefined: everything */
export function readBooks(state: State, holdfastId?: string): Books {
  const trades = [...state.trades.values()]
    .map((trade) => ({
      ...trade,
      holdfast_id: identityOf(trade),
      refunded: trade.refunds.reduce((sum, { amount }) => sum + amount, 0),
    }))
    .filter((trade) => holdfastId === undefined || trade.holdfast_id === holdfastId);
  const auths = holdfastId === undefined ? [...state.auths.values()] : [];
  const totals: Books['totals'] = {};
  const totalOf = (currency: string) => (totals[currency] ??= { paid: 0, refunded: 0, frozen: 0 });
  for (const trade of trades) {
    if (trade.paidMs > 0) totalOf(trade.currency).paid += trade.amount;
    totalOf(trade.currency).refunded += trade.refunded;
  }
  for (const auth of auths) {
    const frozen = auth.status === 'AUTHORIZED' ? auth.amount - auth.paid - auth.unfrozen : 0;
    totalOf(auth.currency).frozen += frozen;
  }
  const calls = state.calls.filter((call) => holdfastId === undefined || call.holdfast_id === holdfastId);
  return { trades, auths, totals, calls };
}

function identityOf(trade: Trade): string {
  return new URLSearchParams(decodeURIComponent(trade.passback)).get('holdfast_id') ?? '';
}
