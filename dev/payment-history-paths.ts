/** The paths through a payment's life that are recorded. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import type { PaymentAnswer, PaymentSnapshot } from '../src/domain/channel-payment';
import { refuse } from '../src/domain/errors';
import { paymentObject } from '../src/domain/payment';
import type { Payment, PaymentStatus } from '../src/domain/payment';
import { cancelPaymentUpdate, paymentStateQuery } from '../src/workflows/messages';
import { CALL_ID, LONG_MS, POLL_MS, objectScript, resync, unsettled } from './history-script';
import type { Answered, HistoryScript } from './history-script';

export type PaymentAnswered = Answered<
  | 'executePayment'
  | 'recordPaymentAnswer'
  | 'readPaymentObject'
  | 'settlePaymentCall'
  | 'settlePaymentByOperator'
  | 'endUntakenPayment'
>;

export interface PaymentPath extends Omit<HistoryScript, 'make'> {
  /** @param payment as it was made: it ends `lifeMs` from now */
  readonly answers: (payment: Payment) => readonly PaymentAnswered[];
  readonly lifeMs: number;
  readonly ends: PaymentStatus;
}

const NO = 'channel-1';

function newPayment(lifeMs: number): Payment {
  const nowMs = Date.now();
  return {
    ...{ merchantId: randomUUID(), paymentNo: `PY-${randomUUID()}`, orderNo: 'REC-1', world: 'test' },
    ...{ channel: 'stripe', channelAccountId: randomUUID(), channelPaymentNo: null, channelTradeNo: null },
    ...{ currency: 'USD', amount: 50_000, amountPaid: 0, status: 'pending', version: 1 },
    ...{ createdAtMs: nowMs, expiresAtMs: nowMs + lifeMs, handedOut: false, declineCode: null },
    needsAttention: null,
  };
}

const snapshot = (status: PaymentSnapshot['status']): PaymentSnapshot => ({
  ...{ channelPaymentNo: NO, status, currency: 'USD', amount: 50_000, amountRefunded: 0 },
  amountPaid: status === 'succeeded' ? 50_000 : 0,
});
const answer = (status: PaymentSnapshot['status']): PaymentAnswer => ({
  kind: status === 'requires_action' || status === 'processing' ? 'pending' : 'done',
  snapshot: snapshot(status),
});
export const as = (payment: Payment, status: PaymentStatus): Payment => ({
  ...{ ...payment, status, version: payment.version + 1, handedOut: true },
  channelPaymentNo: status === 'pending' || status === 'failed' ? null : NO,
});

export const answered = (payment: Payment, status: PaymentSnapshot['status']): PaymentAnswered => [
  'executePayment',
  { payment, report: { kind: 'answered', callId: CALL_ID, answer: answer(status) } },
];
export const recorded = (payment: Payment, completionDue = false): PaymentAnswered => [
  'recordPaymentAnswer',
  { payment, result: { kind: 'done' }, completionDue },
];
export const read = (payment: Payment, completionDue = false): PaymentAnswered => [
  'readPaymentObject',
  { payment, answered: true, completionDue },
];

/** Created, and waiting for its customer. */
const made = (payment: Payment): readonly [PaymentAnswered, PaymentAnswered] => [
  answered(payment, 'requires_action'),
  recorded(as(payment, 'requires_action')),
];

const cancel = (workflow: WorkflowHandle) =>
  workflow.executeUpdate(cancelPaymentUpdate, {
    args: [{ kind: 'cancel', commandId: randomUUID(), by: 'api' }],
  });

/** An operator's word, as soon as it is asked for. */
export async function decide(workflow: WorkflowHandle): Promise<void> {
  while ((await workflow.query(paymentStateQuery)).payment?.needsAttention == null) await sleep(POLL_MS);
  await workflow.signal('settle', { by: 'operator', reason: 'not there', outcome: 'not_executed' });
}

const declined: PaymentPath = {
  name: 'payment-declined',
  lifeMs: LONG_MS,
  answers: (payment) => [
    [
      'executePayment',
      {
        payment,
        report: {
          kind: 'answered',
          callId: CALL_ID,
          answer: { kind: 'declined', code: 'account_invalid', providerCode: 'api_key' },
        },
      },
    ],
    [
      'recordPaymentAnswer',
      {
        payment: { ...as(payment, 'failed'), declineCode: 'account_invalid' },
        result: { kind: 'refused', refusal: refuse('CHANNEL_DECLINED') },
        completionDue: false,
      },
    ],
  ],
  ends: 'failed',
};

const decidedByOperator: PaymentPath = {
  name: 'payment-decided-by-operator',
  lifeMs: LONG_MS,
  answers: (payment) => {
    const stuck = { ...payment, needsAttention: 'outcome of create unknown' };
    return [
      ['executePayment', { payment, report: unsettled(50) }],
      ['settlePaymentCall', { payment: stuck, report: unsettled(LONG_MS) }],
      [
        'settlePaymentByOperator',
        { payment: as(payment, 'failed'), result: { kind: 'done' }, completionDue: false },
      ],
    ];
  },
  drive: decide,
  ends: 'failed',
};

const resumed: PaymentPath = {
  name: 'payment-resumed',
  lifeMs: LONG_MS,
  answers: (payment) => {
    const open = as(payment, 'requires_action');
    const openCall = { id: CALL_ID, operation: 'cancel', commandId: randomUUID() } as const;
    return [
      ['executePayment', { payment: open, report: { kind: 'settled', result: { kind: 'done' } } }],
      ['readPaymentObject', { payment: open, answered: true, completionDue: false, openCall }],
      [
        'settlePaymentCall',
        { payment: open, report: { kind: 'answered', callId: CALL_ID, answer: answer('canceled') } },
      ],
      recorded(as(payment, 'cancelled')),
    ];
  },
  ends: 'cancelled',
};

const completed: PaymentPath = {
  name: 'payment-completed',
  lifeMs: LONG_MS,
  answers: (payment) => [
    ...made(payment),
    read(as(payment, 'processing'), true),
    answered(as(payment, 'processing'), 'succeeded'),
    recorded(as(payment, 'success')),
  ],
  drive: resync,
  ends: 'success',
};

const PATHS: readonly PaymentPath[] = [
  {
    name: 'payment-paid',
    lifeMs: LONG_MS,
    answers: (payment) => [...made(payment), read(as(payment, 'success'))],
    drive: resync,
    ends: 'success',
  },
  {
    name: 'payment-cancelled',
    lifeMs: LONG_MS,
    answers: (payment) => [
      ...made(payment),
      answered(as(payment, 'requires_action'), 'canceled'),
      recorded(as(payment, 'cancelled')),
    ],
    drive: cancel,
    ends: 'cancelled',
  },
  {
    name: 'payment-cancelled-in-web-ui',
    lifeMs: LONG_MS,
    answers: (payment) => [
      ...made(payment),
      answered(as(payment, 'requires_action'), 'canceled'),
      recorded(as(payment, 'cancelled')),
    ],
    drive: (workflow) => workflow.cancel(),
    ends: 'cancelled',
  },
  {
    name: 'payment-expired',
    lifeMs: 700,
    answers: (payment) => [
      ...made(payment),
      answered(as(payment, 'requires_action'), 'canceled'),
      recorded(as(payment, 'expired')),
    ],
    ends: 'expired',
  },
  {
    name: 'payment-processing-beyond-its-end',
    lifeMs: 700,
    answers: (payment) => [
      ...made(payment),
      read(as(payment, 'processing')),
      read(as(payment, 'processing')),
      read(as(payment, 'success')),
    ],
    drive: resync,
    ends: 'success',
  },
  {
    name: 'payment-cancel-answer-lost',
    lifeMs: LONG_MS,
    answers: (payment) => {
      const open = as(payment, 'requires_action');
      return [
        ...made(payment),
        ['executePayment', { payment: open, report: unsettled(100) }],
        ['settlePaymentCall', { payment: open, report: unsettled(200) }],
        [
          'settlePaymentCall',
          { payment: open, report: { kind: 'answered', callId: CALL_ID, answer: answer('canceled') } },
        ],
        recorded(as(payment, 'cancelled')),
      ];
    },
    drive: cancel,
    ends: 'cancelled',
  },
  completed,
  declined,
  decidedByOperator,
  resumed,
];

export const paymentScript = (path: PaymentPath): HistoryScript =>
  objectScript(path, () => {
    const payment = newPayment(path.lifeMs);
    return { object: paymentObject(payment), answers: path.answers(payment) };
  });

export const PAYMENT_PATHS: readonly HistoryScript[] = PATHS.map(paymentScript);
