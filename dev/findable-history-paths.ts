/**
 * Paths that are recorded since workflows keep their search attributes: lives that change status, channel and attention,
 * once more, and an operator's commands as updates. Those recorded before are kept, for what was begun before.
 */
import { holdObject } from '../src/domain/pre-auth';
import { APPROVAL_PATHS, as, executed, newHold, recorded } from './approval-history-paths';
import { FAILOVER_PATHS } from './failover-history-paths';
import { objectScript } from './history-script';
import type { HistoryScript } from './history-script';
import { PAYMENT_PATHS } from './payment-history-paths';
import { REFUND_PATHS } from './refund-history-paths';

/** Begun by a worker from before search attributes, and carried to its end by one that knows them. */
export const UPGRADED = 'findable-since-an-upgrade';

const AGAIN = [
  'authorized-after-approval',
  'tried-at-three-channels',
  'moved-though-decided-by-operator',
  'payment-tried-at-three-channels',
  'payment-decided-by-operator',
  'payment-cancelled',
  'refund-decided-by-operator',
  'refund-pending-then-failed',
];

const byOperator = objectScript(
  {
    name: 'captured-by-operator-update',
    async drive(workflow) {
      await workflow.executeUpdate('capture', { args: [{ amount: 50_000, by: 'ops', reason: 'asked to' }] });
    },
    ends: 'succeeded',
  },
  () => {
    const hold = newHold();
    const held = as(hold, 'requires_capture');
    return {
      object: holdObject(hold),
      answers: [
        executed(hold, 'requires_capture'),
        recorded(held),
        executed(held, 'succeeded'),
        recorded(as(held, 'succeeded')),
      ],
    };
  },
);

export const FINDABLE_PATHS: readonly HistoryScript[] = [
  ...[APPROVAL_PATHS, FAILOVER_PATHS, PAYMENT_PATHS, REFUND_PATHS]
    .flat()
    .filter(({ name }) => AGAIN.includes(name))
    .map((script) => ({ ...script, name: `findable-${script.name}` })),
  byOperator,
];
