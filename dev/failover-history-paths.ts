/** The paths of payments and holds that leave a channel: for the next one, or for their end between the two. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { refuse } from '../src/domain/errors';
import { holdObject } from '../src/domain/pre-auth';
import type { Hold, PreAuthStatus } from '../src/domain/pre-auth';
import type { Payment, PaymentStatus } from '../src/domain/payment';
import { paymentStateQuery, stateQuery } from '../src/workflows/messages';
import * as holds from './approval-history-paths';
import type { HoldAnswered } from './approval-history-paths';
import { CALL_ID, LONG_MS, POLL_MS, objectScript, resync, unsettled } from './history-script';
import type { HistoryScript } from './history-script';
import * as payments from './payment-history-paths';
import type { PaymentAnswered, PaymentPath } from './payment-history-paths';

const NEXT_ID = '00000000-0000-4000-8000-000000000002';
const MOVED = { kind: 'moved', callId: NEXT_ID } as const;
const DECLINED = { kind: 'declined', code: 'account_invalid', providerCode: 'api_key' } as const;
const REFUSED = { kind: 'refused', refusal: refuse('CHANNEL_DECLINED') } as const;
/** Asked again after this time; what lives shorter has ended by then. */
const WAIT_MS = 1_500;
const SHORT_MS = 1_000;

const cancel = (workflow: WorkflowHandle) => workflow.signal('cancel', { by: 'operator' });

/** The same at its next channel. */
function elsewhere<T extends Payment | Hold>(object: T): T {
  return { ...object, channel: 'paypal', needsAttention: null, version: object.version + 1 };
}

/** Its last channel has it, waits for its customer, and news of it come. */
const acceptedPayment = (payment: Payment, ends: PaymentStatus): PaymentAnswered[] => [
  payments.answered(payment, 'requires_action'),
  payments.recorded(payments.as(payment, 'requires_action')),
  payments.read(payments.as(payment, ends)),
];

const PAYMENTS: readonly PaymentPath[] = [
  {
    name: 'payment-tried-at-three-channels',
    lifeMs: LONG_MS,
    answers: (payment) => {
      const moved = elsewhere(payment);
      const report = { kind: 'answered', callId: NEXT_ID, answer: DECLINED } as const;
      return [
        ['executePayment', { payment: moved, report: MOVED }],
        ['executePayment', { payment: moved, report }],
        [
          'recordPaymentAnswer',
          { payment: elsewhere(moved), result: REFUSED, completionDue: false, movedTo: CALL_ID },
        ],
        ...acceptedPayment(elsewhere(moved), 'success'),
      ];
    },
    drive: resync,
    ends: 'success',
  },
  {
    name: 'payment-moved-though-decided-by-operator',
    lifeMs: LONG_MS,
    answers: (payment) => {
      const stuck = { ...payment, needsAttention: 'outcome of create unknown' };
      return [
        ['executePayment', { payment, report: unsettled(50) }],
        ['settlePaymentCall', { payment: stuck, report: unsettled(LONG_MS) }],
        [
          'settlePaymentByOperator',
          { payment: elsewhere(payment), result: REFUSED, completionDue: false, movedTo: NEXT_ID },
        ],
        ...acceptedPayment(elsewhere(payment), 'success'),
      ];
    },
    async drive(workflow) {
      await payments.decide(workflow);
      while ((await workflow.query(paymentStateQuery)).payment?.channelPaymentNo == null)
        await sleep(POLL_MS);
      await resync(workflow);
    },
    ends: 'success',
  },
  ...(['cancelled', 'expired'] as const).map((ends): PaymentPath => ({
    name: `payment-${ends}-between-channels`,
    lifeMs: ends === 'expired' ? SHORT_MS : LONG_MS,
    answers: (payment) => [
      ['executePayment', { payment, report: unsettled(WAIT_MS) }],
      ['settlePaymentCall', { payment: elsewhere(payment), report: MOVED }],
      ['endUntakenPayment', { payment: { ...elsewhere(payment), status: ends }, isEnded: true }],
    ],
    ...(ends === 'cancelled' && { drive: cancel }),
    ends,
  })),
];

interface HoldPath extends Omit<HistoryScript, 'make'> {
  readonly answers: (hold: Hold) => readonly HoldAnswered[];
  readonly lifeMs: number;
  readonly ends: PreAuthStatus;
}

const acceptedHold = (hold: Hold, ends: PreAuthStatus): HoldAnswered[] => [
  holds.executed(hold, 'requires_action'),
  holds.recorded(holds.as(hold, 'requires_action')),
  ['readHold', { hold: holds.as(hold, ends), answered: true }],
];

const HOLDS: readonly HoldPath[] = [
  {
    name: 'tried-at-three-channels',
    lifeMs: LONG_MS,
    answers: (hold) => {
      const moved = elsewhere(hold);
      const report = { kind: 'answered', callId: NEXT_ID, answer: DECLINED } as const;
      return [
        ['executeCommand', { hold: moved, report: MOVED }],
        ['executeCommand', { hold: moved, report }],
        ['recordAnswer', { hold: elsewhere(moved), result: REFUSED, movedTo: CALL_ID }],
        ...acceptedHold(elsewhere(moved), 'canceled'),
      ];
    },
    drive: resync,
    ends: 'canceled',
  },
  {
    name: 'moved-though-decided-by-operator',
    lifeMs: LONG_MS,
    answers: (hold) => {
      const stuck = { ...hold, needsAttention: 'outcome of create unknown' };
      return [
        ['executeCommand', { hold, report: unsettled(50) }],
        ['settleCall', { hold: stuck, report: unsettled(LONG_MS) }],
        ['settleByOperator', { hold: elsewhere(hold), result: REFUSED, movedTo: NEXT_ID }],
        ...acceptedHold(elsewhere(hold), 'canceled'),
      ];
    },
    async drive(workflow) {
      const hold = async () => (await workflow.query(stateQuery)).hold;
      while ((await hold())?.needsAttention == null) await sleep(POLL_MS);
      await workflow.signal('settle', { by: 'operator', reason: 'not there', outcome: 'not_executed' });
      while ((await hold())?.channelPreAuthNo == null) await sleep(POLL_MS);
      await resync(workflow);
    },
    ends: 'canceled',
  },
  ...(['canceled', 'expired'] as const).map((ends): HoldPath => ({
    name: `${ends}-between-channels`,
    lifeMs: ends === 'expired' ? SHORT_MS : LONG_MS,
    answers: (hold) => [
      ['executeCommand', { hold, report: unsettled(WAIT_MS) }],
      ['settleCall', { hold: elsewhere(hold), report: MOVED }],
      ['endUntakenHold', { hold: { ...elsewhere(hold), status: ends }, isEnded: true }],
    ],
    ...(ends === 'canceled' && { drive: cancel }),
    ends,
  })),
];

export const FAILOVER_PATHS: readonly HistoryScript[] = [
  ...PAYMENTS.map(payments.paymentScript),
  ...HOLDS.map((path) =>
    objectScript(path, () => {
      const hold = holds.newHold(path.lifeMs);
      return { object: holdObject(hold), answers: path.answers(hold) };
    }),
  ),
];
