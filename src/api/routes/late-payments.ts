/** Money that came late, or at another amount than asked for: seen, given back or kept by the merchant's word. */
import { fail } from '../../domain/errors';
import { listLatePayments, readLatePayment, readLateRefundNo } from '../../stores/late-payments';
import type { ListedLatePayment } from '../../stores/late-payments';
import { readLateMoneyPolicy, setLateMoneyPolicy } from '../../stores/merchants';
import { decide } from '../late-money/decide';
import type { LateMoneyDeps } from '../late-money/deps';
import * as schemas from '../late-money/schemas';
import { showLatePayment } from '../late-money/view';
import { pageAnswer, pageOf, pageSchema } from '../pagination';
import { defineRoute } from '../route';
import type { Route } from '../route';

const merchant = { tag: 'Late money', auth: 'merchant' } as const;
const path = '/api/v1/late-payments';
const shown = { schema: schemas.latePaymentView, example: schemas.LATE_PAYMENT_EXAMPLE };

export function latePaymentRoutes(deps: LateMoneyDeps): Route[] {
  // The policy first: its path is none of a late payment.
  return [...policyRoutes(deps), ...readingRoutes(deps), ...decisionRoutes(deps)];
}

function readingRoutes({ db }: LateMoneyDeps): Route[] {
  const list = defineRoute({
    ...merchant,
    method: 'get',
    path,
    summary: 'List late money, newest first',
    description:
      'Money that was paid after its payment had ended, too little of it, or more than was asked for. Such a payment is ' +
      'not opened again. Told by payment.late_paid, payment.partially_paid and payment.overpaid (extra.late_payment_id).',
    request: { query: schemas.latePaymentListQuery },
    responses: { 200: { description: 'One page', schema: pageSchema(schemas.latePaymentView) } },
    errors: [],
    async handler({ caller: { merchantId }, query }) {
      const page = pageOf(query, schemas.cursorId);
      const filter = { merchantId, state: query.state, objectNo: query.object_no };
      const rows = await listLatePayments(db, filter, { ...page, limit: page.limit + 1 });
      const keyOf = (row: ListedLatePayment) => ({ micros: row.created_at_micros, id: row.id });
      const show = (row: ListedLatePayment) => showLatePayment(row, row.refund_no);
      return { status: 200, data: pageAnswer(rows, page.limit, keyOf, show) };
    },
  });
  const read = defineRoute({
    ...merchant,
    method: 'get',
    path: `${path}/{late_payment_id}`,
    summary: 'Read late money',
    request: { params: schemas.latePaymentParams },
    responses: { 200: { description: 'The late money', ...shown } },
    errors: ['NOT_FOUND'],
    async handler({ caller: { merchantId }, params: { late_payment_id: id } }) {
      const row = await readLatePayment(db, merchantId, id);
      if (row === undefined) throw fail('NOT_FOUND');
      return { status: 200, data: showLatePayment(row, await readLateRefundNo(db, merchantId, id)) };
    },
  });
  return [list, read];
}

function decisionRoutes(deps: LateMoneyDeps): Route[] {
  const decision = {
    ...merchant,
    method: 'post',
    idempotent: true,
    request: { params: schemas.latePaymentParams },
    responses: { 200: { description: 'The late money, decided', ...shown } },
  } as const;
  return [
    defineRoute({
      ...decision,
      path: `${path}/{late_payment_id}/refund`,
      summary: 'Give late money back',
      description:
        'All of it, by a refund of its own that does not count against the payment; refund.success or refund.failed tells ' +
        'how it ended. After a failure it needs attention again. Asking again answers with the refund under way.',
      errors: ['NOT_FOUND', 'REFUND_DISPUTED'],
      handler: ({ caller: { merchantId }, params: { late_payment_id: id }, idem }) =>
        decide(deps, { merchantId, id, decision: 'refund' }, idem),
    }),
    defineRoute({
      ...decision,
      path: `${path}/{late_payment_id}/keep`,
      summary: 'Keep late money',
      description: 'You settle it with your customer yourself. It can still be given back afterwards.',
      errors: ['NOT_FOUND', 'LATE_PAYMENT_REFUNDED'],
      handler: ({ caller: { merchantId }, params: { late_payment_id: id }, idem }) =>
        decide(deps, { merchantId, id, decision: 'keep' }, idem),
    }),
  ];
}

function policyRoutes({ db }: LateMoneyDeps): Route[] {
  const responses = { 200: { description: 'What is done', schema: schemas.policyBody } };
  return [
    defineRoute({
      ...merchant,
      method: 'get',
      path: `${path}/policy`,
      summary: 'Read what is done with late money by itself',
      request: {},
      responses,
      errors: [],
      handler: async ({ caller }) => ({
        status: 200,
        data: { policy: await readLateMoneyPolicy(db, caller.merchantId) },
      }),
    }),
    defineRoute({
      ...merchant,
      method: 'put',
      path: `${path}/policy`,
      summary: 'Choose what is done with late money by itself',
      description: 'Holds for what arrives from now on.',
      request: { body: schemas.policyBody },
      responses,
      errors: [],
      async handler({ caller, body: { policy } }) {
        await setLateMoneyPolicy(db, caller.merchantId, policy);
        return { status: 200, data: { policy } };
      },
    }),
  ];
}
