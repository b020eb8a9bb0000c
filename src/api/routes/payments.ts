/** The payment endpoints: made, read, listed, cancelled. */
import { z } from 'zod';
import { fail } from '../../domain/errors';
import { MERCHANT_NUMBER } from '../../domain/ids';
import { listPayments } from '../../stores/payment-list';
import { readPayment } from '../../stores/payments';
import type { PaymentRow } from '../../stores/payments';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { cancelPayment } from '../payments/cancel';
import { createPayment } from '../payments/create';
import type { PaymentDeps } from '../payments/deps';
import * as schemas from '../payments/schemas';
import { showListedPayment, showPayment } from '../payments/view';
import { defineRoute } from '../route';
import type { MerchantCaller, Route, RouteResponse } from '../route';

const PATH = '/api/v1/payments';
const merchant = { tag: 'Payments', auth: 'merchant' } as const;

const accepted: RouteResponse = {
  description: 'Accepted and under way; ask the address in the Location header for the outcome',
  schema: schemas.paymentView,
};

export function paymentRoutes(deps: PaymentDeps): Route[] {
  return [createRoute(deps), listRoute(deps), readRoute(deps), cancelRoute(deps)];
}

function createRoute(deps: PaymentDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'post',
    path: PATH,
    summary: 'Take a payment',
    description:
      'The payment is made at the channel and waits for the customer: next_action says how. It is closed by itself when ' +
      'expires_in has passed and nobody has paid. An order has at most one live or successful payment or hold. Another channel ' +
      'follows one that certainly did nothing. 402 means that the payment exists and has ended: CHANNEL_DECLINED, a channel ' +
      'has said no; CHANNEL_NOT_REACHED, none had taken it when it failed, was cancelled or expired. The order is free ' +
      'again: make a new payment, with a new Idempotency-Key.',
    idempotent: true,
    request: { body: schemas.createBody(deps.minExpiresInSeconds) },
    responses: {
      201: { description: 'The payment', schema: schemas.paymentView, example: schemas.PAYMENT_EXAMPLE },
      202: accepted,
    },
    errors: [
      'MERCHANT_SUSPENDED',
      'CHANNEL_SWITCHED_OFF',
      'CURRENCY_NOT_SUPPORTED',
      'AMOUNT_NOT_SUPPORTED',
      'CHANNEL_NOT_AVAILABLE',
      'CHANNEL_DECLINED',
      'CHANNEL_NOT_REACHED',
      'ORDER_IN_PROGRESS',
      'ORDER_ALREADY_PAID',
      'WEBHOOK_URL_NOT_ALLOWED',
      'WEBHOOK_ENDPOINT_LIMIT',
    ],
    handler: ({ caller, body, idem }) => createPayment(deps, caller, body, idem),
  });
}

function listRoute(deps: PaymentDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'get',
    path: PATH,
    summary: 'List payments, newest first',
    request: { query: schemas.listQuery },
    responses: { 200: { description: 'A page of payments', schema: pageSchema(schemas.paymentView) } },
    errors: [],
    async handler({ caller, query }) {
      const page = pageOf(query, z.string().regex(MERCHANT_NUMBER));
      const filter = {
        merchantId: caller.merchantId,
        status: query.status,
        orderNo: query.order_no,
        createdFrom: query.created_from === undefined ? undefined : new Date(query.created_from),
        createdTo: query.created_to === undefined ? undefined : new Date(query.created_to),
      };
      const rows = await listPayments(deps.db, filter, { ...page, limit: page.limit + 1 });
      const keyOf = (row: { created_at_micros: number; payment_no: string }) => ({
        micros: row.created_at_micros,
        id: row.payment_no,
      });
      return { status: 200, data: pageAnswer(rows, page.limit, keyOf, showListedPayment) };
    },
  });
}

function readRoute(deps: PaymentDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'get',
    path: `${PATH}/{payment_no}`,
    summary: 'Read a payment',
    description:
      'With what the customer needs next, why the channel was chosen (routing), and which were tried (attempts).',
    request: { params: schemas.paymentNoParams },
    responses: {
      200: { description: 'The payment', schema: schemas.paymentView, example: schemas.PAYMENT_EXAMPLE },
    },
    errors: ['NOT_FOUND'],
    async handler({ caller, params: { payment_no: no } }) {
      return { status: 200, data: await showPayment(deps, await byNo(deps, caller, no)) };
    },
  });
}

function cancelRoute(deps: PaymentDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'post',
    path: `${PATH}/{payment_no}/cancel`,
    priority: 'finish',
    summary: 'Cancel a payment nobody has completed',
    description: 'Money that arrives all the same is late money. A payment that is paid is refunded instead.',
    idempotent: true,
    request: { params: schemas.paymentNoParams, body: schemas.cancelBody },
    responses: { 200: { description: 'Cancelled', schema: schemas.paymentView }, 202: accepted },
    errors: ['NOT_FOUND', 'PAYMENT_BUSY', 'PAYMENT_CLOSED', 'PAYMENT_NOT_CANCELLABLE', 'CHANNEL_DECLINED'],
    handler: async ({ caller, params: { payment_no: no }, body, idem }) =>
      cancelPayment(deps, await byNo(deps, caller, no), body, idem),
  });
}

async function byNo(deps: PaymentDeps, caller: MerchantCaller, paymentNo: string): Promise<PaymentRow> {
  const row = await readPayment(deps.db, caller.merchantId, paymentNo);
  if (row === undefined) throw fail('NOT_FOUND');
  return row;
}
