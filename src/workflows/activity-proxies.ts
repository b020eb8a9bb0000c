/** The named time-out and retry profiles under which workflows call activities. */
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities';

// One try, short: the whole step stays within one workflow task. What fails is repeated as a normal activity.
const localChannel = proxyLocalActivities<Activities>({
  startToCloseTimeout: '5s',
  retry: { maximumAttempts: 1 },
});
const localRecord = proxyLocalActivities<Activities>({
  startToCloseTimeout: '2s',
  retry: { maximumAttempts: 1 },
});
// Settling may replay, read and send again, each with the slow time-out of the channel.
const durable = proxyActivities<Activities>({
  startToCloseTimeout: '120s',
  // A worker that died with the step must not keep its object waiting until the time-out (src/worker/worker.ts beats).
  heartbeatTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
});

interface Local<A extends unknown[], R> {
  executeWithOptions(options: LocalActivityOptions, args: A): Promise<R>;
}
interface Durable<A extends unknown[], R> {
  executeWithOptions(options: ActivityOptions, args: A): Promise<R>;
}

/**
 * A first quick attempt as a local activity; when that fails or times out, the same step as a normal activity, retried
 * without end. Safe because every step can run twice: keys and rows decide what happens, not the number of runs.
 * @param summary what a person reads beside the step in the Web UI
 */
function localThenDurable<A extends unknown[], R>(
  local: Local<A, R>,
  normal: Durable<A, R>,
  summary: string | ((...args: NoInfer<A>) => string),
): (...args: A) => Promise<R> {
  return (...args) => {
    const what = typeof summary === 'string' ? summary : summary(...args);
    // Whatever it was (a time-out, a database that is away): the hold lives on, so the step is repeated until it works.
    return local
      .executeWithOptions({ summary: what }, args)
      .catch(() => normal.executeWithOptions({ summary: `${what}, again` }, args));
  };
}

/** May take long (the channel's slow time-out), so never a local activity. */
function durableOnly<A extends unknown[], R>(
  normal: Durable<A, R>,
  summary: string,
): (...args: A) => Promise<R> {
  return (...args) => normal.executeWithOptions({ summary }, args);
}

const READ = 'read it at the channel';
const SETTLE = 'find out at the channel what became of the call';
const RECORD = "record the channel's answer";
const DECIDED = "record an operator's decision";
const END_BETWEEN = 'end it before the next channel is tried';
const stepOf = (_ref: unknown, { kind }: { readonly kind: string }) => `${kind} at the channel`;

export const executeCommand = localThenDurable(localChannel.executeCommand, durable.executeCommand, stepOf);
export const readHold = localThenDurable(localChannel.readHold, durable.readHold, READ);
export const recordAnswer = localThenDurable(localRecord.recordAnswer, durable.recordAnswer, RECORD);
export const endUntakenHold = localThenDurable(
  localRecord.endUntakenHold,
  durable.endUntakenHold,
  END_BETWEEN,
);
export const warnExpiring = localThenDurable(
  localRecord.warnExpiring,
  durable.warnExpiring,
  'tell the merchant that the hold will end',
);
export const settleCall = durableOnly(durable.settleCall, SETTLE);
export const settleByOperator = localThenDurable(
  localRecord.settleByOperator,
  durable.settleByOperator,
  DECIDED,
);

export const executePayment = localThenDurable(localChannel.executePayment, durable.executePayment, stepOf);
export const readPaymentObject = localThenDurable(
  localChannel.readPaymentObject,
  durable.readPaymentObject,
  READ,
);
export const recordPaymentAnswer = localThenDurable(
  localRecord.recordPaymentAnswer,
  durable.recordPaymentAnswer,
  RECORD,
);
export const endUntakenPayment = localThenDurable(
  localRecord.endUntakenPayment,
  durable.endUntakenPayment,
  END_BETWEEN,
);
export const settlePaymentCall = durableOnly(durable.settlePaymentCall, SETTLE);
export const settlePaymentByOperator = localThenDurable(
  localRecord.settlePaymentByOperator,
  durable.settlePaymentByOperator,
  DECIDED,
);

export const executeRefund = localThenDurable(
  localChannel.executeRefund,
  durable.executeRefund,
  'give the money back at the channel',
);
export const readRefundObject = localThenDurable(
  localChannel.readRefundObject,
  durable.readRefundObject,
  READ,
);
export const recordRefundAnswer = localThenDurable(
  localRecord.recordRefundAnswer,
  durable.recordRefundAnswer,
  RECORD,
);
export const settleRefundCall = durableOnly(durable.settleRefundCall, SETTLE);
export const settleRefundByOperator = localThenDurable(
  localRecord.settleRefundByOperator,
  durable.settleRefundByOperator,
  DECIDED,
);

const reconciling = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // One object takes at most some exchanges and an RPC.
  heartbeatTimeout: '60s',
  retry: { maximumAttempts: 3 },
});
export const accountsToReconcile = durableOnly(reconciling.accountsToReconcile, 'choose the accounts');
export const reconcileAccount = durableOnly(
  reconciling.reconcileAccount,
  'compare an account with its channel',
);

// What one run cannot do the next one does, so a fault is not repeated for long.
const deleting = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  heartbeatTimeout: '30s',
  retry: { maximumAttempts: 3 },
});
export const deleteOutdatedRows = durableOnly(
  deleting.deleteOutdatedRows,
  'delete what was kept long enough',
);

const picking = proxyActivities<Activities>({
  startToCloseTimeout: '10m',
  // One object takes at most an exchange and an RPC; a worker that died must not keep the next run waiting for long.
  heartbeatTimeout: '15s',
  retry: { maximumAttempts: 3 },
});
export const pickUp = durableOnly(picking.pickUp, 'events, objects and calls that nobody carries');
