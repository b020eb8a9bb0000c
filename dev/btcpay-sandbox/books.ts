/** The sandbox's own books: what tests compare our rows with. */
import { formatSats } from './money';
import { payoutsOf } from './pull-payments';
import type { Scene } from './invoices';
import type { JsonObject } from './types';

export interface BookedInvoice {
  readonly id: string;
  readonly amount: string;
  readonly currency: string;
  readonly status: string;
  readonly additionalStatus: string;
  readonly rate: string;
  /** Seen, and final, in satoshis. */
  readonly paid_sats: number;
  readonly settled_sats: number;
  readonly due_sats: number;
  readonly settled_btc: string;
  readonly metadata: JsonObject;
  readonly refunds: readonly BookedRefund[];
}

export interface BookedRefund {
  readonly id: string;
  readonly name: string;
  readonly amount: string;
  readonly currency: string;
  readonly archived: boolean;
  readonly payouts: readonly { readonly id: string; readonly amount: string; readonly state: string }[];
}

export interface Books {
  readonly invoices: readonly BookedInvoice[];
}

/** @param holdfastId only what belongs to this payment; undefined: everything */
export function readBooks(scene: Scene, holdfastId?: string): Books {
  const invoices = [...scene.state.invoices.values()].filter(
    ({ metadata }) => holdfastId === undefined || metadata['holdfast_id'] === holdfastId,
  );
  const refundsOf = new Map<string, BookedRefund[]>();
  for (const pull of scene.state.pulls.values()) {
    const { id, name, amount, currency, archived, invoiceId } = pull;
    const payouts = payoutsOf(scene, id).map((row) => ({
      id: row.id,
      amount: row.originalAmount,
      state: row.state,
    }));
    refundsOf.set(invoiceId, [
      ...(refundsOf.get(invoiceId) ?? []),
      { id, name, amount, currency, archived, payouts },
    ]);
  }
  return {
    invoices: invoices.map((invoice) => {
      const { id, amount, currency, status, additionalStatus, rate, dueSats, metadata } = invoice;
      const satsOf = (...statuses: string[]) =>
        invoice.payments
          .filter((row) => statuses.includes(row.status))
          .reduce((sum, { sats }) => sum + sats, 0);
      const settled = satsOf('Settled');
      return {
        id,
        amount,
        currency,
        status,
        additionalStatus,
        rate,
        paid_sats: satsOf('Processing', 'Settled'),
        settled_sats: settled,
        due_sats: dueSats,
        settled_btc: formatSats(settled),
        metadata,
        refunds: refundsOf.get(id) ?? [],
      };
    }),
  };
}
