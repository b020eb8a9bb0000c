/** The paths of a hold whose customer approves first, and whose money is then held by a call of ours. */
import { randomUUID } from 'node:crypto';
import type { HoldSnapshot } from '../src/domain/channel';
import { holdObject } from '../src/domain/pre-auth';
import type { Hold, PreAuthStatus } from '../src/domain/pre-auth';
import { CALL_ID, LONG_MS, objectScript, resync, unsettled } from './history-script';
import type { Answered, HistoryScript } from './history-script';

export type HoldAnswered = Answered<
  'executeCommand' | 'recordAnswer' | 'readHold' | 'settleCall' | 'settleByOperator' | 'endUntakenHold'
>;

const NO = 'channel-hold-1';
const AMOUNT = 50_000;

export function newHold(lifeMs = LONG_MS): Hold {
  const nowMs = Date.now();
  return {
    ...{ merchantId: randomUUID(), preAuthNo: `PA-${randomUUID()}`, orderNo: 'REC-1', world: 'test' },
    ...{ channel: 'paypal', channelAccountId: randomUUID(), channelPreAuthNo: null, currency: 'USD' },
    ...{ amount: AMOUNT, amountCapturable: 0, amountCaptured: 0, status: 'requires_payment_method' },
    ...{ createdAtMs: nowMs, expiresAtMs: nowMs + lifeMs, warnedAtMs: nowMs, needsAttention: null },
    ...{ version: 1, multipleCaptures: false },
  };
}

export const as = (hold: Hold, status: PreAuthStatus): Hold => ({
  ...{ ...hold, status, version: hold.version + 1, channelPreAuthNo: NO },
  amountCapturable: status === 'requires_capture' ? AMOUNT : 0,
  amountCaptured: status === 'succeeded' ? AMOUNT : 0,
});

const answered = (status: HoldSnapshot['status']) =>
  ({
    kind: 'answered',
    callId: CALL_ID,
    answer: {
      kind: status === 'requires_action' ? 'pending' : 'done',
      snapshot: {
        ...{ channelPreAuthNo: NO, status, currency: 'USD', amount: AMOUNT },
        amountCapturable: status === 'requires_capture' ? AMOUNT : 0,
        amountCaptured: status === 'succeeded' ? AMOUNT : 0,
      },
    },
  }) as const;

export const executed = (hold: Hold, status: HoldSnapshot['status']): HoldAnswered => [
  'executeCommand',
  { hold, report: answered(status) },
];
export const recorded = (hold: Hold): HoldAnswered => [
  'recordAnswer',
  { hold, result: { kind: 'done', amount: AMOUNT, hold } },
];

/** Created, and approved by its customer; then held as `authorizing` says; then captured. */
const approved = (hold: Hold, authorizing: (waiting: Hold) => readonly HoldAnswered[]): HoldAnswered[] => {
  const waiting = as(hold, 'requires_action');
  const held = as(waiting, 'requires_capture');
  return [
    executed(hold, 'requires_action'),
    recorded(waiting),
    ['readHold', { hold: waiting, answered: true, completionDue: true }],
    ...authorizing(waiting),
    recorded(held),
    executed(held, 'succeeded'),
    recorded(as(held, 'succeeded')),
  ];
};

const AUTHORIZING: Readonly<Record<string, (waiting: Hold) => readonly HoldAnswered[]>> = {
  'authorized-after-approval': (waiting) => [executed(waiting, 'requires_capture')],
  'authorize-answer-lost': (waiting) => [
    ['executeCommand', { hold: waiting, report: unsettled(100) }],
    ['settleCall', { hold: waiting, report: unsettled(100) }],
    ['settleCall', { hold: waiting, report: answered('requires_capture') }],
  ],
};

export const APPROVAL_PATHS: readonly HistoryScript[] = Object.entries(AUTHORIZING).map(
  ([name, authorizing]) =>
    objectScript(
      {
        name,
        async drive(workflow) {
          await resync(workflow);
          await workflow.signal('capture');
        },
        ends: 'succeeded',
      },
      () => {
        const hold = newHold();
        return { object: holdObject(hold), answers: approved(hold, authorizing) };
      },
    ),
);
