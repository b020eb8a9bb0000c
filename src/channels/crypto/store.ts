/** The addresses of one store: each function is one call of the Greenfield API. All throw GreenfieldError. */
import { z } from 'zod';
import type { Send } from './client';
import {
  invoiceShape,
  invoicesShape,
  paymentMethodsShape,
  payoutsShape,
  pullPaymentShape,
  pullPaymentsShape,
} from './wire';
import type { Invoice, PaymentMethods, Payouts, PullPayment } from './wire';

export interface CreateInvoiceBody {
  readonly amount: string;
  readonly currency: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly checkout: {
    readonly expirationMinutes: number;
    readonly paymentTolerance: number;
    readonly redirectURL?: string;
  };
}

export interface RefundBody {
  readonly name: string;
  readonly description: string;
  readonly refundVariant: 'Custom';
  readonly customAmount: string;
  readonly customCurrency: string;
}

/** More invoices under one orderId than a fault could ever make. */
const MAX_DUPLICATES = 50;

export interface Store {
  createInvoice(send: Send, body: CreateInvoiceBody): Promise<Invoice>;
  getInvoice(send: Send, invoiceId: string): Promise<Invoice>;
  getPaymentMethods(send: Send, invoiceId: string): Promise<PaymentMethods>;
  /** Archived ones too; the list is read from the database, not from a search index. */
  listInvoices(send: Send, orderId: string): Promise<readonly Invoice[]>;
  markInvalid(send: Send, invoiceId: string): Promise<Invoice>;
  refund(send: Send, invoiceId: string, body: RefundBody): Promise<PullPayment>;
  /** All of the store: this list knows neither pages nor filters. */
  listPullPayments(send: Send): Promise<readonly PullPayment[]>;
  listPayouts(send: Send, pullPaymentId: string): Promise<Payouts>;
  archivePullPayment(send: Send, pullPaymentId: string): Promise<void>;
}

export function createStore(storeId: string): Store {
  const store = `stores/${encodeURIComponent(storeId)}`;
  const invoice = (id: string) => `${store}/invoices/${encodeURIComponent(id)}`;
  return {
    createInvoice: (send, body) =>
      send({ method: 'POST', path: `${store}/invoices`, body, shape: invoiceShape }),
    getInvoice: (send, id) => send({ method: 'GET', path: invoice(id), shape: invoiceShape }),
    getPaymentMethods: (send, id) =>
      send({ method: 'GET', path: `${invoice(id)}/payment-methods`, shape: paymentMethodsShape }),
    listInvoices: (send, orderId) =>
      send({
        method: 'GET',
        path: `${store}/invoices`,
        query: { orderId, includeArchived: 'true', take: String(MAX_DUPLICATES) },
        shape: invoicesShape,
      }),
    markInvalid: (send, id) =>
      send({
        method: 'POST',
        path: `${invoice(id)}/status`,
        body: { status: 'Invalid' },
        shape: invoiceShape,
      }),
    refund: (send, id, body) =>
      send({ method: 'POST', path: `${invoice(id)}/refund`, body, shape: pullPaymentShape }),
    listPullPayments: (send) =>
      send({
        method: 'GET',
        path: `${store}/pull-payments`,
        query: { includeArchived: 'true' },
        shape: pullPaymentsShape,
      }),
    listPayouts: (send, id) =>
      send({
        method: 'GET',
        path: `pull-payments/${encodeURIComponent(id)}/payouts`,
        query: { includeCancelled: 'true' },
        shape: payoutsShape,
      }),
    archivePullPayment: async (send, id) => {
      const path = `${store}/pull-payments/${encodeURIComponent(id)}`;
      await send({ method: 'DELETE', path, shape: z.unknown() });
    },
  };
}
