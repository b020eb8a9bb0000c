/** The refund endpoints: of payments, of captured holds, and by the refund's own number. */
import { fail } from '../../domain/errors';
import type { ErrorCode } from '../../domain/errors';
import type { RefundedRef } from '../../domain/refund';
import { readRefundable } from '../../stores/refund-reservations';
import { listRefundRows, readRefund } from '../../stores/refunds';
import type { ListedRefund } from '../../stores/refunds';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { createRefund } from '../refunds/create';
import type { RefundDeps } from '../refunds/deps';
import * as schemas from '../refunds/schemas';
import { showRefund } from '../refunds/view';
import { defineRoute } from '../route';
import type { MerchantCaller, Route, RouteAnswer } from '../route';

const merchant = { tag: 'Refunds', auth: 'merchant' } as const;

const CREATE_ERRORS: readonly ErrorCode[] = [
  'NOT_FOUND',
  'PAYMENT_NOT_REFUNDABLE',
  'REFUND_CONFLICT',
  'REFUND_DISPUTED',
  'REFUND_EXCEEDS_PAID',
  'REFUND_NOT_SUPPORTED',
  'PARTIAL_REFUND_NOT_SUPPORTED',
  'AMOUNT_NOT_SUPPORTED',
  'WEBHOOK_URL_NOT_ALLOWED',
  'WEBHOOK_ENDPOINT_LIMIT',
  'CHANNEL_DECLINED',
];

const shown = { schema: schemas.refundView, example: schemas.REFUND_EXAMPLE };

const DESCRIPTION =
  'Refunds that come at the same time never give back more than was taken. A refund that stays pending is told of by ' +
  'refund.success or refund.failed; payment_no of these events is the number of the payment or hold. The same refund_no ' +
  'with the same body answers 200 with the refund.';

const createSpec = {
  ...merchant,
  method: 'post',
  description: DESCRIPTION,
  idempotent: true,
  responses: {
    201: { description: 'The refund', ...shown },
    200: { description: 'The same refund, made by an earlier request', ...shown },
    202: {
      description: 'Accepted and under way; ask the address in the Location header for the outcome',
      ...shown,
    },
  },
  errors: CREATE_ERRORS,
} as const;

const listSpec = {
  ...merchant,
  method: 'get',
  responses: { 200: { description: 'One page', schema: pageSchema(schemas.refundView) } },
  errors: ['NOT_FOUND'],
} as const;

export function refundRoutes(deps: RefundDeps): Route[] {
  return [...ofPayments(deps), ...ofHolds(deps), byNumber(deps)];
}

function ofPayments(deps: RefundDeps): Route[] {
  const path = '/api/v1/payments/{payment_no}/refunds';
  const params = schemas.paymentParams;
  const objectOf = ({ merchantId }: MerchantCaller, no: string) =>
    ({ merchantId, kind: 'payment', no }) as const;
  return [
    defineRoute({
      ...createSpec,
      path,
      summary: 'Give money of a payment back',
      request: { params, body: schemas.refundBody },
      handler: ({ caller, params: { payment_no: no }, body, idem }) =>
        createRefund(deps, objectOf(caller, no), body, idem),
    }),
    defineRoute({
      ...listSpec,
      path,
      summary: 'List the refunds of a payment, newest first',
      request: { params, query: schemas.refundListQuery },
      handler: ({ caller, params: { payment_no: no }, query }) => list(deps, objectOf(caller, no), query),
    }),
  ];
}

function ofHolds(deps: RefundDeps): Route[] {
  const path = '/api/v1/pre-auth/{pre_auth_no}/refunds';
  const params = schemas.preAuthParams;
  const objectOf = ({ merchantId }: MerchantCaller, no: string) =>
    ({ merchantId, kind: 'pre_auth', no }) as const;
  return [
    defineRoute({
      ...createSpec,
      path,
      summary: 'Give captured money of a hold back',
      request: { params, body: schemas.refundBody },
      handler: ({ caller, params: { pre_auth_no: no }, body, idem }) =>
        createRefund(deps, objectOf(caller, no), body, idem),
    }),
    defineRoute({
      ...listSpec,
      path,
      summary: 'List the refunds of a hold, newest first',
      request: { params, query: schemas.refundListQuery },
      handler: ({ caller, params: { pre_auth_no: no }, query }) => list(deps, objectOf(caller, no), query),
    }),
  ];
}

function byNumber(deps: RefundDeps): Route {
  return defineRoute({
    ...merchant,
    method: 'get',
    path: '/api/v1/refunds/{refund_no}',
    summary: 'Read a refund',
    request: { params: schemas.refundNoParams },
    responses: { 200: { description: 'The refund', ...shown } },
    errors: ['NOT_FOUND'],
    async handler({ caller, params }) {
      const row = await readRefund(deps.db, caller.merchantId, params.refund_no);
      if (row === undefined) throw fail('NOT_FOUND');
      return { status: 200, data: showRefund(row, deps.box) };
    },
  });
}

async function list(
  { db }: RefundDeps,
  object: RefundedRef,
  query: { limit: number; cursor?: string | undefined },
): Promise<RouteAnswer> {
  const page = pageOf(query, schemas.cursorNumber);
  if ((await readRefundable(db, object)) === undefined) throw fail('NOT_FOUND');
  const rows = await listRefundRows(db, object, { ...page, limit: page.limit + 1 });
  const keyOf = (row: ListedRefund) => ({ micros: row.created_at_micros, id: row.refund_no });
  return { status: 200, data: pageAnswer(rows, page.limit, keyOf, (row) => showRefund(row)) };
}
