/** The paths through a refund's life that are recorded. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RefundReport } from '../src/activities/refund-subject';
import type { RefundSnapshot } from '../src/domain/channel-payment';
import { refundObject } from '../src/domain/refund';
import type { Refund, RefundStatus } from '../src/domain/refund';
import { refundStateQuery } from '../src/workflows/messages';
import { CALL_ID, LONG_MS, POLL_MS, objectScript, resync, unsettled } from './history-script';
import type { Answered, HistoryScript } from './history-script';

type RefundAnswered = Answered<
  'executeRefund' | 'recordRefundAnswer' | 'readRefundObject' | 'settleRefundCall' | 'settleRefundByOperator'
>;

interface RefundPath extends Omit<HistoryScript, 'make'> {
  readonly answers: (refund: Refund) => readonly RefundAnswered[];
  readonly ends: RefundStatus;
}

const NO = 'channel-refund-1';

function newRefund(): Refund {
  return {
    ...{ merchantId: randomUUID(), refundNo: `RF-${randomUUID()}`, objectKind: 'payment', objectNo: 'PY-1' },
    ...{ latePaymentId: null, orderNo: 'REC-1', world: 'test', channel: 'stripe' },
    ...{ channelAccountId: randomUUID(), channelRefundNo: null, currency: 'USD', amount: 20_000 },
    ...{ status: 'pending', version: 1, createdAtMs: Date.now(), declineCode: null, needsAttention: null },
  };
}

const as = (refund: Refund, status: RefundStatus): Refund => ({
  ...{ ...refund, status, channelRefundNo: NO, version: refund.version + 1 },
});
const answered = (status: RefundSnapshot['status']): RefundReport => ({
  ...{ kind: 'answered', callId: CALL_ID },
  answer: {
    kind: status === 'pending' ? 'pending' : 'done',
    snapshot: { channelRefundNo: NO, status, currency: 'USD', amount: 20_000 },
  },
});
const DECLINED: RefundReport = {
  ...{ kind: 'answered', callId: CALL_ID },
  answer: { kind: 'declined', code: 'invalid_state', providerCode: 'charge_disputed' },
};

const executed = (refund: Refund, report: RefundReport): RefundAnswered => [
  'executeRefund',
  { refund, report },
];
const recorded = (refund: Refund): RefundAnswered => ['recordRefundAnswer', refund];
const read = (refund: Refund, isAnswered = true): RefundAnswered => [
  'readRefundObject',
  { refund, answered: isAnswered },
];

/** The channel cannot be asked at first; the workflow asks again by itself. */
const pendingThenFailed: RefundPath = {
  name: 'refund-pending-then-failed',
  answers: (refund) => [
    executed(refund, answered('pending')),
    recorded(as(refund, 'pending')),
    read(as(refund, 'pending'), false),
    read(as(refund, 'failed')),
  ],
  drive: resync,
  ends: 'failed',
};

const decidedByOperator: RefundPath = {
  name: 'refund-decided-by-operator',
  answers: (refund) => [
    executed(refund, unsettled(50)),
    [
      'settleRefundCall',
      { refund: { ...refund, needsAttention: 'outcome of refund unknown' }, report: unsettled(LONG_MS) },
    ],
    ['settleRefundByOperator', as(refund, 'failed')],
  ],
  async drive(workflow) {
    while ((await workflow.query(refundStateQuery)).refund?.needsAttention == null) await sleep(POLL_MS);
    await workflow.signal('settle', { by: 'operator' });
    await workflow.signal('settle', { by: 'operator', reason: 'not there', outcome: 'not_executed' });
  },
  ends: 'failed',
};

const PATHS: readonly RefundPath[] = [
  {
    name: 'refund-done',
    answers: (refund) => [executed(refund, answered('succeeded')), recorded(as(refund, 'success'))],
    ends: 'success',
  },
  {
    name: 'refund-declined',
    answers: (refund) => [executed(refund, DECLINED), recorded(as(refund, 'failed'))],
    ends: 'failed',
  },
  {
    name: 'refund-pending-then-done',
    answers: (refund) => [
      executed(refund, answered('pending')),
      recorded(as(refund, 'pending')),
      read(as(refund, 'success')),
    ],
    drive: resync,
    ends: 'success',
  },
  pendingThenFailed,
  {
    name: 'refund-answer-lost',
    answers: (refund) => [
      executed(refund, unsettled(50)),
      ['settleRefundCall', { refund, report: unsettled(100) }],
      ['settleRefundCall', { refund, report: answered('succeeded') }],
      recorded(as(refund, 'success')),
    ],
    ends: 'success',
  },
  decidedByOperator,
  {
    name: 'refund-resumed',
    answers: (refund) => [
      executed(as(refund, 'pending'), { kind: 'settled', result: null }),
      read(as(refund, 'success')),
    ],
    ends: 'success',
  },
  {
    name: 'refund-cancel-refused',
    answers: (refund) => [
      executed(refund, answered('pending')),
      recorded(as(refund, 'pending')),
      read(as(refund, 'success')),
    ],
    async drive(workflow) {
      await workflow.cancel();
      await resync(workflow);
    },
    ends: 'success',
  },
];

export const REFUND_PATHS: readonly HistoryScript[] = PATHS.map((path) =>
  objectScript(path, () => {
    const refund = newRefund();
    return { object: refundObject(refund), answers: path.answers(refund) };
  }),
);
