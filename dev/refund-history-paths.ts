/**
 * The paths through a refund's life that are recorded: what the activities answer one after the other, and what is said to
 * the workflow from outside. What they do in earnest is tested elsewhere; a history only shows what the workflow asks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { Activities } from '../src/activities';
import type { RefundReport } from '../src/activities/refund-subject';
import type { RefundSnapshot } from '../src/domain/channel-payment';
import type { Refund, RefundStatus } from '../src/domain/refund';
import { refundStateQuery } from '../src/workflows/messages';

type RefundActivity =
  'executeRefund' | 'recordRefundAnswer' | 'readRefundObject' | 'settleRefundCall' | 'settleRefundByOperator';

/** One answer of one activity. */
export type RefundAnswered = {
  [Name in RefundActivity]: readonly [activity: Name, answer: Awaited<ReturnType<Activities[Name]>>];
}[RefundActivity];

export interface RefundPath {
  readonly name: string;
  readonly answers: (refund: Refund) => readonly RefundAnswered[];
  readonly drive?: (workflow: WorkflowHandle) => Promise<unknown>;
  /** What the workflow returns. */
  readonly ends: RefundStatus;
}

const POLL_MS = 50;
const LONG_MS = 600_000;
const CALL_ID = '00000000-0000-4000-8000-000000000001';
const NO = 'channel-refund-1';

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
const unsettled = (retryAfterMs: number): RefundReport => ({
  ...{ kind: 'unsettled', callId: CALL_ID, retryAfterMs, reason: 'no answer' },
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

const resync = (workflow: WorkflowHandle) => workflow.signal('resync');

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

export const REFUND_PATHS: readonly RefundPath[] = [
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
