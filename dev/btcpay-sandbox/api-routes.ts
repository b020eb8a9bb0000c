/** The Greenfield addresses that the sandbox has, with the permission each asks for. */
import { invoiceNotFound, pullPaymentNotFound } from './errors';
import type { Operation } from './faults';
import { createInvoice, mark, tick } from './invoices';
import type { Scene } from './invoices';
import { archive, payoutsOf, refund } from './pull-payments';
import { renderInvoice, renderPaymentMethods, renderPayout, renderPullPayment } from './render';
import type { Invoice, JsonObject } from './types';

export interface ApiRequest {
  readonly scene: Scene;
  readonly baseUrl: string;
  readonly storeId: string;
  /** The object's id in the address, where it has one. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: JsonObject;
}

export interface ApiRoute {
  readonly method: string;
  /** Groups: store and id. */
  readonly path: RegExp;
  readonly operation: Operation;
  /** Without `btcpay.store.`; null: public. */
  readonly permission: string | null;
  readonly answer: (request: ApiRequest) => unknown;
}

const STORE = '^/api/v1/stores/(?<store>[^/]+)';
const path = (rest: string, prefix = STORE) => new RegExp(`${prefix}${rest}$`);
const ID = '/(?<id>[^/]+)';

/** @throws GreenfieldApiError 404 also for another store's invoice */
function invoiceOf({ scene, storeId, id }: ApiRequest): Invoice {
  const invoice = scene.state.invoices.get(id);
  if (invoice?.storeId !== storeId) throw invoiceNotFound();
  tick(scene, invoice);
  return invoice;
}

/** Newest first; a later one of the same second comes before an earlier. */
function listInvoices({ scene, storeId, query, baseUrl }: ApiRequest): JsonObject[] {
  const orderIds = query.getAll('orderId');
  const skip = Number(query.get('skip') ?? 0);
  return [...scene.state.invoices.values()]
    .filter((invoice) => invoice.storeId === storeId)
    .filter(({ metadata }) => orderIds.length === 0 || orderIds.includes(String(metadata['orderId'])))
    .reverse()
    .slice(skip, skip + Number(query.get('take') ?? 50))
    .map((invoice) => {
      tick(scene, invoice);
      return renderInvoice(invoice, baseUrl);
    });
}

function listPulls({ scene, storeId, query, baseUrl }: ApiRequest): JsonObject[] {
  const isWithArchived = query.get('includeArchived') === 'true';
  return [...scene.state.pulls.values()]
    .filter((pull) => pull.storeId === storeId && (isWithArchived || !pull.archived))
    .reverse()
    .map((pull) => renderPullPayment(pull, baseUrl));
}

export const API_ROUTES: readonly ApiRoute[] = [
  {
    method: 'POST',
    path: path('/invoices'),
    operation: 'create',
    permission: 'cancreateinvoice',
    answer: ({ scene, storeId, body, baseUrl }) =>
      renderInvoice(createInvoice(scene, storeId, body), baseUrl),
  },
  {
    method: 'GET',
    path: path('/invoices'),
    operation: 'list',
    permission: 'canviewinvoices',
    answer: listInvoices,
  },
  {
    method: 'GET',
    path: path(`/invoices${ID}`),
    operation: 'get',
    permission: 'canviewinvoices',
    answer: (request) => renderInvoice(invoiceOf(request), request.baseUrl),
  },
  {
    method: 'GET',
    path: path(`/invoices${ID}/payment-methods`),
    operation: 'payment-methods',
    permission: 'canviewinvoices',
    answer: (request) => renderPaymentMethods(invoiceOf(request)),
  },
  {
    method: 'POST',
    path: path(`/invoices${ID}/status`),
    operation: 'mark',
    permission: 'canmodifyinvoices',
    answer: (request) => {
      const invoice = invoiceOf(request);
      mark(request.scene, invoice, request.body['status']);
      return renderInvoice(invoice, request.baseUrl);
    },
  },
  {
    method: 'POST',
    path: path(`/invoices${ID}/refund`),
    operation: 'refund',
    permission: 'cancreatenonapprovedpullpayments',
    answer: (request) =>
      renderPullPayment(refund(request.scene, invoiceOf(request), request.body), request.baseUrl),
  },
  {
    method: 'GET',
    path: path('/pull-payments'),
    operation: 'list-pull-payments',
    permission: 'canviewpullpayments',
    answer: listPulls,
  },
  {
    method: 'DELETE',
    path: path(`/pull-payments${ID}`),
    operation: 'archive',
    permission: 'canarchivepullpayments',
    answer: ({ scene, storeId, id }) => {
      const pull = scene.state.pulls.get(id);
      if (pull?.storeId !== storeId) throw pullPaymentNotFound();
      archive(scene, pull);
      return undefined;
    },
  },
  {
    method: 'GET',
    path: path(`/pull-payments${ID}/payouts`, '^/api/v1'),
    operation: 'payouts',
    permission: null,
    answer: ({ scene, id, query }) => {
      if (!scene.state.pulls.has(id)) throw pullPaymentNotFound();
      const isWithCancelled = query.get('includeCancelled') === 'true';
      return payoutsOf(scene, id)
        .filter(({ state }) => isWithCancelled || state !== 'Cancelled')
        .map(renderPayout);
    },
  },
];
